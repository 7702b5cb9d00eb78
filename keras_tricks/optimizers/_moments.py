"""What Adam and its kin share: the running means of the gradient and of its square."""

from typing import Any

import keras
from keras import ops

from keras_tricks._core import ops as core_ops
from keras_tricks.optimizers import _each
from keras_tricks.optimizers._number import Number, Setting
from keras_tricks.optimizers._optimizer import Optimizer, Tensor


class Moments(Optimizer):
    """Base of the optimizers that keep two running means for each variable."""

    momentum_slots = ("mean",)
    beta_1 = Number(below=1.0)
    beta_2 = Number(below=1.0)
    epsilon = Setting()

    def _set_moments(self, beta_1: Any, beta_2: Any, epsilon: Any) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the two running means."""
        self.means = self.add_slots(variables, "mean")
        self.mean_squares = self.add_slots(variables, "mean_square")

    def _moments(
        self, variables: list[keras.Variable]
    ) -> tuple[list[keras.Variable], list[keras.Variable], tuple[Tensor, Tensor], Tensor]:
        """The means that belong to `variables`, the betas, and the number of this update, from 1."""
        betas = ops.convert_to_tensor(self.beta_1), ops.convert_to_tensor(self.beta_2)
        step = ops.cast(ops.convert_to_tensor(self.iterations) + 1, "float32")
        return self.beside(self.means, variables), self.beside(self.mean_squares, variables), betas, step

    def _move_moments(self, gradients: list[Tensor], variables: list[keras.Variable]) -> tuple[list[Tensor], Tensor]:
        """Moves the means; the corrected roots of the squares', and what the others' correction divides by."""
        means, squares, (beta_1, beta_2), step = self._moments(variables)
        roots_factor = core_ops.once(ops.rsqrt(one_less_power(beta_2, step)))
        _each.interpolate(means, gradients, 1.0 - beta_1)
        _each.interpolate_squares(squares, gradients, 1.0 - beta_2)
        return _each.roots(squares, roots_factor, self.epsilon), one_less_power(beta_1, step)


def one_less_power(base: Tensor, exponent: Tensor) -> Tensor:
    """`1 - base ** exponent`, also where that is small: float32 would lose its digits in the power."""
    return -ops.expm1(exponent * ops.log(base))
