"""LARS."""

from typing import Any

import keras
from keras import ops

from keras_tricks.optimizers import _each
from keras_tricks.optimizers._momentum import Momentum
from keras_tricks.optimizers._number import Setting
from keras_tricks.optimizers._optimizer import Exclusion, Optimizer, Tensor
from keras_tricks.optimizers._trust import trusted
from keras_tricks.optimizers.bias_and_norm import bias_and_norm


class LARS(Momentum):
    """Gradient descent with momentum, whose step for each variable is as long as a share of that variable.

    With w a variable and `g = gradient + weight_decay * w`: `velocity = momentum * velocity + learning_rate *
    trust_coefficient * |w| / (|g| + epsilon) * g`, then `w -= velocity`. The rate is inside the velocity, as in the
    paper; the decay is a part of g, and so of its norm, as in optax (the paper divides by `|gradient| + weight_decay *
    |w|`). Where a norm is 0, the ratio is 1. Variables that `no_decay` spares, biases, gains and shifts by default,
    have no decay, and a ratio of 1.

    Helps when: batches are very large (thousands of images). Hurts when: they are not, or the rate of SGD is kept: with
    a trust coefficient of 0.001, rates of 1 to 30 are usual. Cost: one copy of the weights for the velocity, and two
    norms for each variable.

    Args:
        learning_rate: A number not below 0, or a schedule.
        momentum: The share of the velocity that is kept, in [0, 1), or a schedule; 0 for none.
        weight_decay: The strength of the decay: a number not below 0, or a schedule.
        trust_coefficient: The share of a variable's norm that its step has at a rate of 1 (η): a number above 0, or a
            schedule.
        epsilon: What keeps the ratio finite: a number not below 0, or a schedule.
        nesterov: Whether to look ahead.
        decay: "ratio" (inside the ratio), or "coupled", "rate", "paper": see `Optimizer`.
        no_decay: The variables that are spared of decay and ratio: a function from a variable to a bool, or patterns
            that are searched for in its `path`; None for none of them.
        reference_rate: For `decay="paper"`: see `Optimizer`.
        **kwargs: `clipnorm`, `global_clipnorm`, `gradient_accumulation_steps`, ...: see `Optimizer`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        schedule = kt.schedules.Warmup(kt.schedules.Polynomial(10.0, total_steps=900), warmup_steps=100)
        model.compile(kt.optimizers.LARS(schedule, weight_decay=1e-4), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [You et al., 2017](https://arxiv.org/abs/1708.03888)
    """

    decays = ("ratio", *Optimizer.decays)
    trust_coefficient = Setting()
    epsilon = Setting(above=False)

    def __init__(
        self,
        learning_rate: Any = 1.0,
        momentum: Any = 0.9,
        weight_decay: Any = 0.0,
        trust_coefficient: Any = 0.001,
        epsilon: Any = 1e-8,
        nesterov: bool = False,
        decay: str = "ratio",
        no_decay: Exclusion = bias_and_norm,
        reference_rate: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, weight_decay, decay, no_decay, reference_rate, **kwargs)
        self._set_momentum(momentum, nesterov)
        self.trust_coefficient = trust_coefficient
        self.epsilon = epsilon

    def update(self, gradients: list[Tensor], variables: list[keras.Variable], learning_rate: Tensor) -> None:
        """Moves the velocities, and the weights by them."""
        steps = trusted(self, gradients, variables, self.trust_coefficient, epsilon=self.epsilon)
        steps = _each.products(steps, learning_rate)
        if not self.velocities:
            _each.add(variables, steps, -1.0)
            return
        momentum, velocities = ops.convert_to_tensor(self.momentum), self.beside(self.velocities, variables)
        _each.scale(velocities, momentum)
        _each.add(velocities, steps)
        if self.nesterov:
            _each.add(variables, steps, -1.0)
            _each.add(variables, velocities, -momentum)
        else:
            _each.add(variables, velocities, -1.0)
