"""Gradient centralization."""

from typing import Any

import keras
from keras import ops

from keras_tricks.optimizers import _patterns
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor


class GradientCentralization(OptimizerWrapper):
    """Takes the mean out of each output unit's gradient.

    `gradient -= mean(gradient)`, over all axes but the last, which numbers the output units; only for variables of two
    dimensions and more. So the sum of a unit's weights stays what it was (weight decay apart). Of depthwise
    and transposed convolutions, and of attention's projections, the last axis is not, or not alone, the output's:
    `exclude` them, if that matters.

    Helps when: convolutions without weight standardisation are trained from scratch, says the paper.
    Hurts when: a unit must learn to answer to the mean of its inputs. Cost: one reduction and one pass over the
    gradients.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        exclude: The variables that are spared: a function from a variable to a bool, or patterns that are searched for
            in its `path`; None for none. Variables of one dimension always are.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if an argument is out of range, `inner_optimizer` is not an optimizer, or, when it is built, no
            pattern matches a variable.

    Example:
        ```python
        model.compile(kt.optimizers.GradientCentralization("adamw", exclude="dense"), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [Yong et al., 2020](https://arxiv.org/abs/2004.01461)
    """

    def __init__(
        self, inner_optimizer: keras.optimizers.Optimizer | str, exclude: _patterns.Choice = None, **kwargs: Any
    ):
        super().__init__(inner_optimizer, **kwargs)
        self.exclude = _patterns.choice("exclude", exclude)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Looks for the patterns."""
        _patterns.check_choice("exclude", self.exclude, variables)

    def before_update(self, gradients: list[Tensor], variables: list[keras.Variable]) -> list[Tensor]:
        """The gradients without their means."""
        return [
            gradient if _patterns.is_chosen(self.exclude, variable) else centralized(gradient)
            for gradient, variable in zip(gradients, variables, strict=True)
        ]


def centralized(gradient: Tensor) -> Tensor:
    """`gradient` without the mean of each output unit."""
    axes = tuple(range(len(gradient.shape) - 1))
    return gradient - ops.mean(gradient, axis=axes, keepdims=True) if axes else gradient
