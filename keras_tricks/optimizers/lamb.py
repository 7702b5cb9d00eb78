"""LAMB."""

from typing import Any

import keras

from keras_tricks._core import ops as core_ops
from keras_tricks.optimizers import _each
from keras_tricks.optimizers._moments import Moments
from keras_tricks.optimizers._number import OptionalSetting
from keras_tricks.optimizers._optimizer import Exclusion, Optimizer, Tensor
from keras_tricks.optimizers._trust import trusted
from keras_tricks.optimizers.bias_and_norm import bias_and_norm


class LAMB(Moments):
    """Adam, whose step for each variable is as long as a share of that variable.

    With m and v the running means of the gradient and its square, corrected for their start, and w the variable:
    `step = m / (sqrt(v) + epsilon) + weight_decay * w`, then `w -= learning_rate * |w| / |step| * step`. The decay is
    inside the ratio, as in the paper (Keras' own has it outside). Where a norm is 0, the ratio is 1. Variables that
    `no_decay` spares, biases, gains and shifts by default, take Adam's step as it is.

    Helps when: batches are very large (thousands of samples), and in recipes that were tuned for it.
    Hurts when: batches are small: then AdamW does as well. Cost: two copies of the weights for the means, and two
    norms for each variable.

    Args:
        learning_rate: A number not below 0, or a schedule.
        beta_1: The share of the mean of gradients that is kept, in [0, 1), or a schedule.
        beta_2: The share of the mean of their squares that is kept, in [0, 1), or a schedule.
        epsilon: What keeps the quotient finite: a number above 0, or a schedule.
        weight_decay: The strength of the decay: a number not below 0, or a schedule.
        trust_clip: None, or the largest ratio: a number above 0 (1 in some recipes), or a schedule.
        decay: "ratio" (inside the ratio: the paper's), or "coupled", "rate", "paper": see `Optimizer`.
        no_decay: The variables that are spared of decay and ratio: a function from a variable to a bool, or patterns
            that are searched for in its `path`; None for none of them.
        reference_rate: For `decay="paper"`: see `Optimizer`.
        **kwargs: `clipnorm`, `global_clipnorm`, `gradient_accumulation_steps`, ...: see `Optimizer`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        model.compile(kt.optimizers.LAMB(5e-3, weight_decay=0.02, global_clipnorm=1.0), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [You et al., 2019](https://arxiv.org/abs/1904.00962)
    """

    decays = ("ratio", *Optimizer.decays)
    trust_clip = OptionalSetting()

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-6,
        weight_decay: Any = 0.0,
        trust_clip: Any = None,
        decay: str = "ratio",
        no_decay: Exclusion = bias_and_norm,
        reference_rate: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, weight_decay, decay, no_decay, reference_rate, **kwargs)
        self._set_moments(beta_1, beta_2, epsilon)
        self.trust_clip = trust_clip

    def update(self, gradients: list[Tensor], variables: list[keras.Variable], learning_rate: Tensor) -> None:
        """Moves the means, and the weights by their quotient."""
        roots, correction = self._move_moments(gradients, variables)
        corrected = _each.products(self.beside(self.means, variables), core_ops.once(1.0 / correction))
        steps = trusted(self, _each.quotients(corrected, roots), variables, 1.0, self.trust_clip)
        _each.add(variables, steps, -learning_rate)
