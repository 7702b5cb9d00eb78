"""Changing the optimizer in the middle of a run."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks, rates
from keras_tricks.optimizers import _each
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor, updates_every_time
from keras_tricks.optimizers._conditional import run_either, run_if
from keras_tricks.optimizers._state import dense

SWATS = "swats"


class SwitchOptimizer(OptimizerWrapper):
    """Trains with one optimizer, and from some update on with another, inside one `fit`.

    The second starts at its own update 0, with fresh slots, where the first has stopped. When? At the update that `at`
    names, or, with "swats", when the rate that SGD would need to make the first one's step has settled: with p its step
    and g the gradient, `rate = -(p . p) / (p . g)`; the running mean of it (`memory`, corrected for its start) becomes
    the second's learning rate, times 1 - its momentum, as soon as it is within `tolerance` of the newest value.

    Helps when: Adam is quick at first, and SGD ends at a model that generalises better. Hurts when: the second needs a
    rate of its own that nobody has looked for. Cost: the slots of both; "swats" takes one more pass over the weights.
    Not for several replicas of TensorFlow. An average goes around, not inside, where it would be that of one's weights.

    Args:
        first: The optimizer that begins: any Keras optimizer, a wrapper, or a name.
        second: The one that follows.
        at: The number of updates that the first one makes, at least 1, or "swats".
        tolerance: For "swats": how close the two rates must be, above 0. The paper's 1e-9 is met late, or not at all,
            where rates are large: float32 keeps seven digits.
        memory: For "swats": the share of the running mean that is kept (the paper's β2), in [0, 1].
        name: The wrapper's name; made from the class by default.

    Attributes:
        has_switched: 1 once the second trains, else 0; a variable.

    Raises:
        ValueError: if an argument is out of range or no optimizer; with "swats" also if the second follows a schedule,
            or the first does not make an update of each batch.

    Example:
        ```python
        optimizer = kt.optimizers.SwitchOptimizer("adam", kt.optimizers.SGD(0.01, momentum=0.9), at=1)
        model.compile(optimizer, "mse")
        model.fit(x_train, np.zeros((8, 10)), batch_size=4, verbose=0)
        assert [int(one.iterations) for one in (optimizer.first, optimizer.second)] == [1, 1]
        ```

    Reference: [Keskar & Socher, 2017](https://arxiv.org/abs/1712.07628)
    """

    def __init__(
        self,
        first: keras.optimizers.Optimizer | str,
        second: keras.optimizers.Optimizer | str,
        at: int | str,
        tolerance: float = 1e-9,
        memory: float = 0.999,
        name: str | None = None,
    ):
        super().__init__(_optimizer("first", first), name=name)
        self.first = self.inner_optimizer
        self.second = _optimizer("second", second)
        if at != SWATS and not (checks.is_integer(at) and int(at) >= 1):
            raise checks.fail("at", f"an update, at least 1, or {SWATS!r}", at)
        self.at: Any = at
        self.tolerance = checks.positive("tolerance", tolerance)
        self.memory = checks.rate("memory", memory)
        if at == SWATS:
            if rates.schedule_of(self.second) is not None:
                raise checks.fail("second", f"an optimizer whose learning rate is a number for at={at!r}", second)
            if not self.updates_every_time:
                raise checks.fail("first", f"an optimizer that makes an update of each batch for at={at!r}", first)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Builds both optimizers."""
        if not self.built:
            self.second.build(list(variables))
        super().build(variables)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes what says which one trains, and the mean of "swats"."""
        self.has_switched = self.add_variable((), "zeros", "int", "only_first_replica", name="has_switched")
        if self.at == SWATS:
            self.mean_rate = self.add_variable((), "zeros", "float32", "only_first_replica", name="mean_rate")
            self.rates_seen = self.add_variable((), "zeros", "int", "only_first_replica", name="rates_seen")

    def update(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> None:
        """Lets the one whose turn it is move the weights."""
        if self.at != SWATS:
            due = ops.convert_to_tensor(self.first.iterations) >= self.at
            self.assign(self.has_switched, ops.cast(due, self.has_switched.dtype))
        run_either(
            ops.equal(ops.convert_to_tensor(self.has_switched), 0),
            lambda: self._first_moves(gradients, variables),
            lambda: self.second.apply(gradients, variables),
            [*variables, *self.variables],
        )

    def _first_moves(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> None:
        if self.at != SWATS:
            self.first.apply(gradients, variables)
            return
        present = [place for place, gradient in enumerate(gradients) if gradient is not None]
        moved = [variables[place] for place in present]
        before = _each.copies(moved)
        self.first.apply(gradients, variables)
        steps = _each.sums(_each.tensors(moved), before, -1.0)
        slope = sum(
            ops.sum(ops.cast(step, "float32") * ops.cast(gradient, "float32"))
            for step, gradient in zip(steps, dense(gradients[place] for place in present), strict=True)
        ) / (self.loss_scale_factor or 1.0)
        self._look_at(-(_each.norm(steps) ** 2) / ops.where(ops.equal(slope, 0), -1.0, slope), slope)

    def _look_at(self, rate: Tensor, slope: Tensor) -> None:
        """Takes in the rate that SGD would need, where the step went downhill, and hands over if it has settled."""
        downhill = slope < 0
        seen = ops.convert_to_tensor(self.rates_seen) + ops.cast(downhill, self.rates_seen.dtype)
        mean = ops.convert_to_tensor(self.mean_rate)
        mean = ops.where(downhill, self.memory * mean + (1 - self.memory) * rate, mean)
        self.assign(self.mean_rate, mean)
        self.assign(self.rates_seen, seen)
        corrected = mean / (1 - self.memory ** ops.cast(ops.maximum(seen, 1), "float32"))
        settled = ops.logical_and(seen > 1, ops.abs(corrected - rate) < self.tolerance)
        settled = ops.logical_and(settled, downhill)

        def hand_over() -> None:
            second = rates.innermost(self.second)
            momentum = ops.convert_to_tensor(getattr(second, "momentum", 0.0))
            second.learning_rate.assign(corrected * (1 - ops.cast(momentum, "float32")))
            self.assign(self.has_switched, ops.ones_like(ops.convert_to_tensor(self.has_switched)))

        run_if(settled, hand_over, [self.has_switched, rates.innermost(self.second).learning_rate])

    def active(self) -> keras.optimizers.Optimizer:
        """The one that makes the next update."""
        if not self.built:
            return self.first
        switched = int(ops.convert_to_numpy(ops.convert_to_tensor(self.has_switched)))
        due = self.at != SWATS and int(ops.convert_to_numpy(ops.convert_to_tensor(self.first.iterations))) >= self.at
        return self.second if switched or due else self.first

    @property
    def learning_rate(self) -> Any:
        """That of the optimizer whose turn it is."""
        if "second" not in vars(self) or not self.built:
            return self.inner_optimizer.learning_rate
        switched = ops.convert_to_tensor(self.has_switched) > 0
        if self.at != SWATS:
            switched = ops.convert_to_tensor(self.first.iterations) >= self.at
        first, second = (ops.convert_to_tensor(one.learning_rate) for one in (self.first, self.second))
        return ops.where(switched, second, first)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.active().learning_rate = value

    @property
    def iterations(self) -> Any:
        """The updates of both together."""
        first = self.inner_optimizer.iterations
        return ops.convert_to_tensor(first) + ops.convert_to_tensor(self.second.iterations) if self.built else first

    @property
    def updates_every_time(self) -> bool:
        """Whether both make an update of each batch."""
        return super().updates_every_time and updates_every_time(self.second)

    @property
    def variables(self) -> list[keras.Variable]:
        """The wrapper's variables, then those of both optimizers."""
        return self.own_variables + self.first.variables + self.second.variables

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        """What the one that trained last does to the weights at the end of `fit`."""
        self.active().finalize_variable_values(var_list)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Tells both."""
        for one in (self.first, self.second):
            one.exclude_from_weight_decay(var_list=var_list, var_names=var_names)


def _optimizer(argument: str, value: Any) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.get(value) if isinstance(value, str) else value
    if not isinstance(optimizer, keras.optimizers.Optimizer) or isinstance(
        optimizer, keras.optimizers.LossScaleOptimizer
    ):
        raise checks.fail(argument, "a Keras optimizer without loss scaling, which goes around", value)
    return optimizer
