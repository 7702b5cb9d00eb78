"""Gradient centralization."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks.optimizers import _patterns, _units
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor


class GradientCentralization(OptimizerWrapper):
    """Takes the mean out of each output unit's gradient.

    `gradient -= mean(gradient)`, over the axes along which a unit's own weights lie; biases, gains and shifts are left
    alone. So the sum of a unit's weights stays what it was (weight decay apart). Output units are numbered by the last
    axis of a kernel; of depthwise and transposed convolutions, and of attention's queries, keys and values, by others:
    these are known by the names that Keras gives them. For layers with names of your own say `unit_axes`.

    Helps when: convolutions without weight standardisation are trained from scratch, says the paper.
    Hurts when: a unit must learn to answer to the mean of its inputs. Cost: one reduction and one pass over the
    gradients.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        exclude: The variables that are spared: a function from a variable to a bool, or patterns that are searched for
            in its `path`; None for none. Biases, gains and shifts always are.
        unit_axes: None, or a dict from patterns, which are searched for in a variable's `path`, to the axes that number
            its output units: -1 for the last, [-2, -1] for a depthwise kernel. The first pattern that matches counts.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if an argument is out of range, `inner_optimizer` is not an optimizer, or, when it is built, a
            pattern of `unit_axes`, or each one of `exclude`, matches no variable.

    Example:
        ```python
        model.compile(kt.optimizers.GradientCentralization("adamw", exclude="dense"), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [Yong et al., 2020](https://arxiv.org/abs/2004.01461)
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        exclude: _patterns.Choice = None,
        unit_axes: Mapping[str, int | Sequence[int]] | None = None,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        self.exclude = _patterns.choice("exclude", exclude)
        self.unit_axes = _units.unit_axes("unit_axes", unit_axes)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Looks for the patterns, and what is whose unit."""
        _patterns.check_choice("exclude", self.exclude, variables)
        _units.check_unit_axes("unit_axes", self.unit_axes, variables)
        self._within = [
            None if _patterns.is_chosen(self.exclude, variable) else _units.axes_within(variable, self.unit_axes)
            for variable in variables
        ]

    def before_update(self, gradients: list[Tensor], variables: list[keras.Variable]) -> list[Tensor]:
        """The gradients without their means."""
        return [
            _centralized(gradient, self._within[self.place_of(variable)])
            for gradient, variable in zip(gradients, variables, strict=True)
        ]


def _centralized(gradient: Tensor, axes: tuple[int, ...] | None) -> Tensor:
    return gradient - ops.mean(gradient, axis=axes, keepdims=True) if axes else gradient
