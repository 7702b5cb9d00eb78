"""Clipping by the norm of all gradients together."""

from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks.optimizers import _each
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor


class GlobalNormClipping(OptimizerWrapper):
    """Scales all gradients down together where their common norm is above a limit, and says what it was.

    With n the Euclidean norm over all variables: `gradient *= min(1, norm / n)`. This is what papers and torch mean by
    clipping "the gradient norm"; Keras' `clipnorm` is another thing, a norm for each variable. The norm that was seen
    last, before clipping, can be read as `optimizer.last_norm`, to choose the limit by.

    Helps when: single batches have gradients far larger than most (recurrent networks, transformers).
    Hurts when: the limit is so low that it acts at each update: then it only changes the learning rate.
    Cost: one reduction and one pass over the gradients. A gradient that is not finite stays so.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        norm: The limit, above 0.
        **kwargs: `name`: see `OptimizerWrapper`.

    Attributes:
        last_norm: The norm of the last batch's gradients before clipping, a float32 variable; 0 before the first.

    Raises:
        ValueError: if `norm` is not above 0, or `inner_optimizer` is not an optimizer.

    Example:
        ```python
        model.compile(kt.optimizers.GlobalNormClipping("adam", norm=1.0), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        assert float(model.optimizer.last_norm) > 0
        ```

    Reference: [Pascanu et al., 2013](https://arxiv.org/abs/1211.5063)
    """

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer | str, norm: float = 1.0, **kwargs: Any):
        super().__init__(inner_optimizer, **kwargs)
        self.norm = checks.positive("norm", norm)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the place for the norm."""
        self.last_norm = self.add_variable((), "zeros", "float32", "only_first_replica", name="last_norm")

    def before_update(self, gradients: list[Tensor], variables: list[keras.Variable]) -> list[Tensor]:
        """The gradients, clipped."""
        seen = _each.norm(gradients)
        self.assign(self.last_norm, seen)
        # Not `min(1, norm / seen)`: an infinite gradient would become one of NaN and zeros.
        return _each.products(gradients, ops.where(seen > self.norm, self.norm / seen, ops.ones_like(seen)))
