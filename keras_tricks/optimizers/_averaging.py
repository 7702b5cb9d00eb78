"""What optimizers that keep an average of the weights share: keeping it, and changing it in and out of the model."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core import checks
from keras_tricks.optimizers import _each
from keras_tricks.optimizers._base import OptimizerWrapper
from keras_tricks.optimizers._state import Tensor, Unowned, to_host


class AveragingWrapper(OptimizerWrapper):
    """Keeps an average of the weights, which a trick defines by `share`.

    After update number s, counted from `start`, `average += share(s) * (weights - average)`, for s = 0, every,
    2 * every, ... A share of 1 is a copy, and the first must be one.

    Args:
        inner_optimizer: The optimizer that is wrapped.
        every: One update in so many is taken into the average.
        start: Updates before the first one that is taken.
        statistics_shapes: Filled in when saved: the shapes of the BatchNorm statistics that are averaged too, so that
            a loaded optimizer has a place for their averages before it meets the model.
        **kwargs: `name`: see `OptimizerWrapper`.
    """

    keeps_weights = True

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        every: int = 1,
        start: int = 0,
        statistics_shapes: Sequence[Sequence[int]] = (),
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        self.every = checks.count("every", every)
        self.start = checks.count("start", start, minimum=0)
        self._shapes = Unowned([list(shape) for shape in statistics_shapes])
        self._followed = Unowned()
        self._find_statistics: Callable[[], Sequence[keras.Variable]] | None = None
        self._raw, self._raw_beside = Unowned(), Unowned()

    @property
    def statistics_shapes(self) -> list[list[int]]:
        """The shapes of the statistics that are averaged beside the weights."""
        return self._shapes.items

    def share(self, step: Tensor) -> Tensor:
        """The share of the new weights in the average, float32, for update number `step` since `start`, an integer."""
        raise NotImplementedError

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the averages, and their counters of updates."""
        self.updates = self.add_variable((), "zeros", "int", "only_first_replica", name="updates")
        self.statistics_updates = self.add_variable((), "zeros", "int", "only_first_replica", name="statistics_updates")
        slots = list(zip(variables, self.add_slots(variables, "average"), strict=True))
        self._weights = Unowned(variable for variable, slot in slots if slot is not None)
        self._averages = Unowned(slot for _, slot in slots if slot is not None)
        if self._find_statistics is not None:
            self.follow(self._find_statistics())
        self._add_statistics()

    def _add_statistics(self) -> None:
        self._statistics = Unowned(
            self.add_variable(shape, dtype="float32", aggregation="only_first_replica", name=f"statistics_{index}")
            for index, shape in enumerate(self.statistics_shapes)
        )

    def follow(self, variables: Sequence[keras.Variable]) -> bool:
        """Averages `variables` as well: what training moves and gradients do not. Returns whether that is news."""
        self._find_statistics = None
        if [id(variable) for variable in variables] == [id(variable) for variable in self._followed.items]:
            return False
        shapes = [list(variable.shape) for variable in variables]
        if self.statistics_shapes and self.statistics_shapes != shapes:
            raise ValueError(
                f"Optimizer '{self.name}' averages statistics of another model: their shapes are "
                f"{self.statistics_shapes}. Received: shapes {shapes}"
            )
        self._followed = Unowned(variables)
        if not self.statistics_shapes:
            self._shapes = Unowned(shapes)
            if self.built:
                self._add_statistics()
        return True

    def follow_when_built(self, find: Callable[[], Sequence[keras.Variable]]) -> None:
        """As `follow(find())`, once there are variables: Keras builds a model in its first step on TensorFlow."""
        self._find_statistics = find

    def after_update(self, variables: list[keras.Variable]) -> None:
        """Moves the average towards the new weights, if they are to be taken."""
        step = ops.convert_to_tensor(self.updates) - self.start
        self._move(self._averages.items, self._weights.items, step, self.share(ops.maximum(step, 0)))
        self.assign(self.updates, ops.convert_to_tensor(self.updates) + 1)
        if keras.backend.backend() != "jax":
            self.average_statistics()

    def average_statistics(self) -> None:
        """Moves the average of the statistics, if the weights were updated since the last call.

        Called after each update. On JAX that is up to whoever runs the step (see `_core.averaging.after_jax_step`).
        """
        if not self._followed.items:
            return
        updates, done = ops.convert_to_tensor(self.updates), ops.convert_to_tensor(self.statistics_updates)
        step = updates - 1 - self.start
        share = self.share(ops.maximum(step, 0))
        share = ops.where(ops.equal(done, 0), ops.ones_like(share), share)
        share = ops.where(ops.equal(done, updates), ops.zeros_like(share), share)
        self._move(self._statistics.items, self._followed.items, step, share)
        self.assign(self.statistics_updates, ops.where(self._is_taken(step), updates, done))

    def _move(self, averages: list[keras.Variable], values: list[keras.Variable], step: Tensor, share: Tensor) -> None:
        if self.every == 1 and not self.start:
            _each.interpolate(averages, values, share)
        else:
            _each.interpolate_if(averages, values, share, self._is_taken(step))

    def _is_taken(self, step: Tensor) -> Tensor:
        return ops.logical_and(step >= 0, ops.equal(step % self.every, 0))

    @property
    def average(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Pairs of each averaged variable of the model and its average (before one was taken: itself)."""
        if not self.built:
            return []
        weights, statistics = self._weights.items, self._followed.items
        averages = self._averages.items if _number(self.updates) > self.start else weights
        averages_of_statistics = (
            self._statistics.items if statistics and _number(self.statistics_updates) else statistics
        )
        return list(zip([*weights, *statistics], [*averages, *averages_of_statistics], strict=True))

    @property
    def swapped(self) -> bool:
        """Whether the model holds the average, and its raw weights are kept here."""
        return bool(self._raw.items)

    def swap_in(self, beside: Sequence[keras.Variable] = ()) -> None:
        """Puts the average into the model, and keeps the raw weights, and those `beside` that have no average."""
        if self.swapped:
            return
        pairs = self.average
        averaged = {id(variable) for variable, _ in pairs}
        self._raw = Unowned(to_host(variable) for variable, _ in pairs)
        self._raw_beside = Unowned((variable, to_host(variable)) for variable in beside if id(variable) not in averaged)
        self._raw_updates = _number(self.updates) if self.built else 0
        for variable, average in pairs:
            variable.assign(to_host(average))

    def give_back(self) -> None:
        """Puts the raw weights back into the model, unless it was trained on since."""
        if self.swapped and self._raw_updates == _number(self.updates):
            averaged = [variable for variable, _ in self.average]
            for variable, raw in [*zip(averaged, self._raw.items, strict=False), *self._raw_beside.items]:
                variable.assign(raw)
        self._raw, self._raw_beside = Unowned(), Unowned()

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        """Gives the raw weights back when `fit` ends, before any callback's `on_train_end`."""
        self.give_back()
        super().finalize_variable_values(var_list)

    def save_own_variables(self, store: Any) -> None:
        """A model saved while it holds the average carries its raw weights along, to be trained on."""
        super().save_own_variables(store)
        for index, raw in enumerate(self._raw.items):
            store[f"raw_{index}"] = raw

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        super().load_own_variables(store)
        names = list(store.keys())
        count = sum(name.startswith("raw_") for name in names)
        # What does not fit is not loaded, with a warning of Keras: then there is nothing to go on from either.
        if not self.built or len(names) - count != len(self.own_variables):
            return
        self._raw = Unowned(np.array(store[f"raw_{index}"]) for index in range(count))
        self._raw_updates = _number(self.updates)


def _number(variable: keras.Variable) -> int:
    return int(to_host(variable))
