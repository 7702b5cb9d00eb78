"""Wrappers that scale the updates of some variables: by any factor, or to 0, which leaves their slots alone too."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.moving import KerasSchedule, value_at
from keras_tricks.optimizers import _each, _slots
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor
from keras_tricks.optimizers._state import Unowned, keys


class MultipliedUpdates(OptimizerWrapper):
    """Scales what the inner optimizer does to each variable, decay and all, as a trick's `multiplier` says.

    `weights = before + multiplier * (after - before)`. Where the multiplier is 0, the slots stay as they were, too; a
    variable whose multiplier is the number 0 never comes by.

    Args:
        inner_optimizer: The optimizer that is wrapped; nothing in it may keep an average of the weights.
        **kwargs: `name`: see `OptimizerWrapper`.
    """

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer | str, **kwargs: Any):
        super().__init__(inner_optimizer, **kwargs)
        for level in _slots.chain(self.inner_optimizer):
            if getattr(level, "keeps_weights", False) or getattr(level, "use_ema", False):
                raise checks.fail(
                    "inner_optimizer",
                    f"an optimizer that keeps no weights: put {type(level).__name__} around {type(self).__name__}",
                    inner_optimizer,
                )
            if level.built:
                raise checks.fail("inner_optimizer", "an optimizer that is not built yet", inner_optimizer)

    def multiplier(self, variable: keras.Variable, place: int) -> Any:
        """A number, or a schedule, for `variable`, which is number `place` of them."""
        raise NotImplementedError

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Builds the inner optimizer, and notes which slots are made beside which variable."""
        if self.built:
            return
        with _slots.recorded(self.inner_optimizer) as beside:
            super().build(variables)
        multipliers = [self.multiplier(variable, place) for place, variable in enumerate(self._built_on.items)]
        if all(one == 0 for one in multipliers if not isinstance(one, KerasSchedule)) and not any(
            isinstance(one, KerasSchedule) for one in multipliers
        ):
            raise ValueError(f"{type(self).__name__} must leave a variable to train. Received: one that leaves none of "
                             f"{[variable.path for variable in self._built_on.items]}")  # fmt: skip
        self._frozen = frozenset(place for place, one in enumerate(multipliers) if _is_number(one, 0))
        self._multipliers_of = multipliers
        self._groups = Unowned(self._grouped(multipliers, beside.items))

    def _grouped(self, multipliers: list[Any], beside: list[tuple[int, keras.Variable]]) -> list["_Group"]:
        """The variables whose updates are scaled, those with one multiplier together, and the slots beside them."""
        groups: dict[Any, _Group] = {}
        for variable, one in zip(self._built_on.items, multipliers, strict=True):
            if _is_number(one, 0) or _is_number(one, 1):
                continue
            may_freeze = isinstance(one, KerasSchedule)
            group = groups.setdefault(id(one) if may_freeze else one, _Group(one, [], []))
            group.variables.append(variable)
            if may_freeze:
                own = {id(slot): slot for key, slot in beside if key in keys(variable)}
                group.slots.extend(own.values())
        return list(groups.values())

    def part_of_rate(self, variable: keras.Variable) -> Any:
        """The multiplier, and those of what stands inside."""
        one = self._multipliers_of[self.place_of(variable)]
        if isinstance(one, KerasSchedule):
            one = ops.cast(ops.convert_to_tensor(value_at(one, ops.convert_to_tensor(self.iterations))), "float32")
        return one * super().part_of_rate(variable)

    def update(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> None:
        """Lets the inner optimizer move the weights, and takes back what is too much."""
        moving = [place for place, variable in enumerate(variables) if self.place_of(variable) not in self._frozen]
        step = ops.copy(ops.convert_to_tensor(self.iterations))
        undos = []
        for group in self._groups.items:
            multiplier = ops.cast(ops.convert_to_tensor(value_at(group.multiplier, step)), "float32")
            if not _each.is_known_to_be(multiplier, 1.0):
                undos.append((group, multiplier, _each.copies(group.variables), _each.copies(group.slots)))
        self.inner_optimizer.apply([gradients[place] for place in moving], [variables[place] for place in moving])
        for group, multiplier, weights, slots in undos:
            _each.go_part_of_the_way(group.variables, weights, multiplier)
            _each.go_part_of_the_way(group.slots, slots, ops.cast(multiplier > 0, "float32"))


@dataclasses.dataclass(frozen=True)
class _Group:
    """Variables with one multiplier, and the slots that are to wait where it is 0."""

    multiplier: Any
    variables: list[keras.Variable]
    slots: list[keras.Variable]


def _is_number(multiplier: Any, number: float) -> bool:
    return not isinstance(multiplier, KerasSchedule) and multiplier == number
