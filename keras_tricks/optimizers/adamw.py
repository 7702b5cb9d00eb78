"""Adam with decoupled weight decay."""

from typing import Any

import keras

from keras_tricks._core import ops as core_ops
from keras_tricks.optimizers import _each
from keras_tricks.optimizers._moments import Moments
from keras_tricks.optimizers._optimizer import Exclusion, Tensor
from keras_tricks.optimizers.bias_and_norm import bias_and_norm


class AdamW(Moments):
    """Adam, whose weight decay does not pass through its moments, and whose numbers may all be schedules.

    With m and v the running means of the gradient and its square (`beta_1`, `beta_2`), and t the number of updates,
    `weight -= learning_rate * (m / (1 - beta_1 ** t)) / (sqrt(v / (1 - beta_2 ** t)) + epsilon)`, and the decay beside.

    `epsilon` stands outside the root of the corrected v, as in the paper and in torch; Keras adds it before the
    correction, so that its 1e-7 acts up to thirty times larger in the first updates.

    Helps when: transformers are trained, or a rate has to be found quickly. Hurts when: memory is short.
    Cost: two copies of the weights for the means.

    Args:
        learning_rate: A number not below 0, or a schedule.
        beta_1: The share of the mean of gradients that is kept, in [0, 1), or a schedule; with a schedule the
            correction takes the `beta_1` of the update, as torch does under its one-cycle schedule.
        beta_2: The share of the mean of their squares that is kept, in [0, 1), or a schedule.
        epsilon: What keeps the quotient finite: a number above 0, or a schedule.
        weight_decay: The strength of the decay: a number not below 0, or a schedule.
        decay: "rate" (times the learning rate: torch's and Keras' AdamW), "paper" (times the shape of the schedule
            only) or "coupled" (L2, what plain Adam does): see `Optimizer`.
        no_decay: The variables that are spared: a function from a variable to a bool, or patterns that are searched for
            in its `path`; None for none of them.
        reference_rate: For `decay="paper"`; by default the `peak` of the schedule, or the number itself.
        **kwargs: `clipnorm`, `global_clipnorm`, `gradient_accumulation_steps`, ...: see `Optimizer`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        schedule = kt.schedules.Warmup(kt.schedules.Cosine(1e-3, total_steps=900), warmup_steps=100)
        model.compile(kt.optimizers.AdamW(schedule, weight_decay=0.05), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [Loshchilov & Hutter, 2017](https://arxiv.org/abs/1711.05101)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        weight_decay: Any = 0.01,
        decay: str = "rate",
        no_decay: Exclusion = bias_and_norm,
        reference_rate: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, weight_decay, decay, no_decay, reference_rate, **kwargs)
        self._set_moments(beta_1, beta_2, epsilon)

    def update(self, gradients: list[Tensor], variables: list[keras.Variable], learning_rate: Tensor) -> None:
        """Moves the means, and the weights by their quotient."""
        means, squares, betas, step = self._moments(variables)
        if _each.moved_by_moments(variables, gradients, means, squares, learning_rate, betas, self.epsilon, step):
            return
        roots, correction = self._move_moments(gradients, variables)
        _each.add_quotients(variables, means, roots, core_ops.once(-learning_rate / correction))
