"""What gradient descent and its kin share: a velocity for each variable, or none."""

from typing import Any

import keras

from keras_tricks._core import checks
from keras_tricks.optimizers._number import Number
from keras_tricks.optimizers._optimizer import Optimizer


class Momentum(Optimizer):
    """Base of the optimizers that keep a velocity for each variable."""

    momentum_slots = ("velocity",)
    momentum = Number(below=1.0)

    def _set_momentum(self, momentum: Any, nesterov: bool) -> None:
        self.momentum = momentum
        self.nesterov = checks.one_of("nesterov", nesterov, (True, False))
        if self.nesterov and self._is_without():
            raise checks.fail("nesterov", "False where momentum is 0", nesterov)

    def _is_without(self) -> bool:
        return bool(type(self).momentum.is_off(self))

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the velocities, if there is a momentum."""
        self.velocities = [] if self._is_without() else self.add_slots(variables, "velocity")
