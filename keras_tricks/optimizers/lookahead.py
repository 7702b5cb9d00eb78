"""Lookahead."""

from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks.optimizers import _each, _slots
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor
from keras_tricks.optimizers._conditional import run_if
from keras_tricks.optimizers._state import Unowned

MOMENTA = ("keep", "reset", "pull")


class Lookahead(OptimizerWrapper):
    """Lets the optimizer run ahead for some updates, and goes a part of the way after it.

    After each `sync_period` updates: `slow += slow_step_size * (weights - slow)`, then `weights = slow`. The slow
    weights start from the weights before the first update.

    Helps when: the inner optimizer oscillates: high rates, small batches, says the paper.
    Hurts when: the rate already falls to 0 at the end: then there is little to smooth. With a cosine of SGD's rate we
    saw no gain: 98.9 % on the digits, plain 98.9 %; on CIFAR-10, twelve epochs, 56.9 % and 58.1 %
    (`tools/experiments/averages.py`, three seeds). Cost: one copy of the weights; at most updates nothing else. Not for
    several replicas of TensorFlow.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        sync_period: Updates between two steps of the slow weights (k), at least 1; 5 to 10 in the paper.
        slow_step_size: The part of the way (α), in [0, 1]; 1 changes nothing.
        momentum: What becomes of the inner optimizer's momentum when the weights go back: "keep" it, "reset" it to 0,
            or "pull" it back as the weights are (towards a slow copy of its own).
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if an argument is out of range, `inner_optimizer` is not an optimizer, or has no momentum to
            reset or pull (when it is built).

    Example:
        ```python
        model.compile(kt.optimizers.Lookahead("adam", sync_period=2), "mse")
        model.fit(x_train, np.zeros((8, 10)), batch_size=4, verbose=0)
        ```

    Reference: [Zhang et al., 2019](https://arxiv.org/abs/1907.08610)
    """

    keeps_weights = True

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        sync_period: int = 6,
        slow_step_size: float = 0.5,
        momentum: str = "keep",
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        self.sync_period = checks.count("sync_period", sync_period)
        self.slow_step_size = checks.rate("slow_step_size", slow_step_size)
        self.momentum = checks.one_of("momentum", momentum, MOMENTA)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the slow weights, and the slow momentum if it is pulled."""
        self.has_started = self.add_variable((), "zeros", "int", "only_first_replica", name="has_started")
        pairs = list(zip(variables, self.add_slots(variables, "slow"), strict=True))
        self._fast = Unowned(variable for variable, slow in pairs if slow is not None)
        self._slow = Unowned(slow for _, slow in pairs if slow is not None)
        self._momenta = Unowned() if self.momentum == "keep" else Unowned(self._found_momenta())
        self._slow_momenta = Unowned(self.add_slots(self._momenta.items, "slow") if self.momentum == "pull" else ())

    def _found_momenta(self) -> list[keras.Variable]:
        momenta = _slots.momenta(self.inner_optimizer)
        if not momenta:
            raise checks.fail("momentum", '"keep" around an optimizer without a momentum', self.momentum)
        return momenta

    def update(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> None:
        """Starts from the weights as they are before the first update."""
        is_first = ops.equal(ops.convert_to_tensor(self.has_started), 0)
        run_if(is_first, self._start, [self.has_started, *self._slow.items], read=self._fast.items)
        self.inner_optimizer.apply(gradients, variables)

    def _start(self) -> None:
        _each.assign(self._slow.items, self._fast.items)
        self.assign(self.has_started, ops.ones_like(ops.convert_to_tensor(self.has_started)))

    def after_update(self, variables: list[keras.Variable]) -> None:
        """Moves the slow weights when it is time, and the weights to them."""
        touched = [*self._fast.items, *self._slow.items, *self._momenta.items, *self._slow_momenta.items]
        updates = ops.convert_to_tensor(self.iterations)
        run_if(ops.equal(updates % self.sync_period, 0), self._synchronize, touched)

    def _synchronize(self) -> None:
        _each.interpolate(self._slow.items, self._fast.items, self.slow_step_size)
        _each.assign(self._fast.items, self._slow.items)
        if self.momentum == "reset":
            _each.scale(self._momenta.items, 0.0)
        if self.momentum == "pull":
            _each.interpolate(self._slow_momenta.items, self._momenta.items, self.slow_step_size)
            _each.assign(self._momenta.items, self._slow_momenta.items)
