"""Stochastic gradient descent with momentum."""

from typing import Any

import keras

from keras_tricks.optimizers import _each
from keras_tricks.optimizers._momentum import Momentum
from keras_tricks.optimizers._optimizer import Exclusion, Tensor
from keras_tricks.optimizers.bias_and_norm import bias_and_norm


class SGD(Momentum):
    """Gradient descent with momentum, whose rate, momentum and decay may be schedules.

    `velocity = momentum * velocity + gradient`, then `weight -= learning_rate * velocity`; with `nesterov`,
    `weight -= learning_rate * (gradient + momentum * velocity)`.

    This is torch's form: the rate stands outside the velocity, so a change of it acts at once. Keras keeps it inside,
    `velocity = momentum * velocity - learning_rate * gradient`; after a step from 0.1 to 0.01 the velocity is ten times
    too large there for 1 / (1 - momentum) updates, which the paper corrects. At a constant rate both are the same.

    Helps when: images are classified: with a cosine or one-cycle schedule it is what most published results used.
    Hurts when: gradients differ in size between layers, as in transformers: take AdamW.
    Cost: one copy of the weights for the velocity.

    Args:
        learning_rate: A number not below 0, or a schedule.
        momentum: The share of the velocity that is kept, in [0, 1), or a schedule, such as `OneCycle(...).momentum()`;
            0 for none.
        nesterov: Whether to look ahead.
        weight_decay: The strength of the decay: a number not below 0, or a schedule.
        decay: "coupled" (L2 through the momentum: what "weight decay 1e-4" means in papers on ResNets, and in torch's
            SGD), "rate" or "paper" (SGDW): see `Optimizer`.
        no_decay: The variables that are spared: a function from a variable to a bool, or patterns that are searched for
            in its `path`; None for none of them.
        reference_rate: For `decay="paper"`; by default the `peak` of the schedule, or the number itself.
        **kwargs: `clipnorm`, `global_clipnorm`, `gradient_accumulation_steps`, ...: see `Optimizer`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        one_cycle = kt.schedules.OneCycle(0.4, total_steps=100)
        model.compile(kt.optimizers.SGD(one_cycle, momentum=one_cycle.momentum(), weight_decay=5e-4), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        assert float(model.optimizer.momentum) < 0.95  # it falls while the rate rises
        ```

    Reference: [Sutskever et al., 2013](https://proceedings.mlr.press/v28/sutskever13.html);
        [Goyal et al., 2017](https://arxiv.org/abs/1706.02677), section 2.2, for the correction
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: Any = 0.0,
        nesterov: bool = False,
        weight_decay: Any = 0.0,
        decay: str = "coupled",
        no_decay: Exclusion = bias_and_norm,
        reference_rate: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, weight_decay, decay, no_decay, reference_rate, **kwargs)
        self._set_momentum(momentum, nesterov)

    def update(self, gradients: list[Tensor], variables: list[keras.Variable], learning_rate: Tensor) -> None:
        """Moves the velocities, and the weights by them."""
        if not self.velocities:
            _each.add(variables, gradients, -learning_rate)
            return
        momentum, velocities = keras.ops.convert_to_tensor(self.momentum), self.beside(self.velocities, variables)
        if _each.moved_by_momentum(variables, gradients, velocities, learning_rate, momentum, self.nesterov):
            return
        _each.scale(velocities, momentum)
        _each.add(velocities, gradients)
        if self.nesterov:
            _each.add(variables, gradients, -learning_rate)
            learning_rate = learning_rate * momentum
        _each.add(variables, velocities, -learning_rate)
