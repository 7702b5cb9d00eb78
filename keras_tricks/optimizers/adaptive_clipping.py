"""Adaptive gradient clipping."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks.optimizers import _patterns, _units
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor

SMALLEST_NORM = 1e-6  # of a gradient: below it there is nothing to clip


class AdaptiveClipping(OptimizerWrapper):
    """Bounds each output unit's gradient by a share of the norm of its weights.

    With n the norm of a unit's gradient and `limit = clipping * max(norm of its weights, epsilon)`:
    `gradient *= limit / n` where n is above `limit`. Biases, gains and shifts have one norm. Output units are numbered
    by the last axis of a kernel; of depthwise and transposed convolutions, and of attention's queries, keys and values,
    by others: these are known by the names that Keras gives them. For layers with names of your own say `unit_axes`.

    Helps when: a network without normalisation is trained with large batches, says the paper, at 0.01 for batches of
    4,096 and more for smaller ones. Hurts when: a layer starts at 0, since it may then move by `clipping * epsilon`
    only; the paper leaves out the linear layer at the head: see `exclude`. Cost: two reductions and one pass over the
    gradients: on torch one and a half times what Adam's update costs, a third of one at most elsewhere.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        clipping: The share (λ), above 0.
        epsilon: The least norm that weights are taken to have, above 0: those at 0 could never move.
        exclude: The variables that are spared, usually the head: a function from a variable to a bool, or patterns that
            are searched for in its `path`; None for none.
        unit_axes: None, or a dict from patterns, which are searched for in a variable's `path`, to the axes that number
            its output units: -1 for the last, [-2, -1] for a depthwise kernel. The first pattern that matches counts.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if an argument is out of range, `inner_optimizer` is not an optimizer, or, when it is built, a
            pattern of `unit_axes`, or each one of `exclude`, matches no variable.

    Example:
        ```python
        model.compile(kt.optimizers.AdaptiveClipping("sgd", clipping=0.02, exclude="dense"), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [Brock et al., 2021](https://arxiv.org/abs/2102.06171)
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        clipping: float = 0.01,
        epsilon: float = 1e-3,
        exclude: _patterns.Choice = None,
        unit_axes: Mapping[str, int | Sequence[int]] | None = None,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        self.clipping = checks.positive("clipping", clipping)
        self.epsilon = checks.positive("epsilon", epsilon)
        self.exclude = _patterns.choice("exclude", exclude)
        self.unit_axes = _units.unit_axes("unit_axes", unit_axes)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Looks for the patterns, and what is whose unit."""
        _patterns.check_choice("exclude", self.exclude, variables)
        _units.check_unit_axes("unit_axes", self.unit_axes, variables)
        self._is_spared = [_patterns.is_chosen(self.exclude, variable) for variable in variables]
        self._within = [_units.axes_within(variable, self.unit_axes) for variable in variables]

    def before_update(self, gradients: list[Tensor], variables: list[keras.Variable]) -> list[Tensor]:
        """The gradients, clipped."""
        return [
            gradient if self._is_spared[self.place_of(variable)] else self._clipped(gradient, variable)
            for gradient, variable in zip(gradients, variables, strict=True)
        ]

    def _clipped(self, gradient: Tensor, variable: keras.Variable) -> Tensor:
        axes = self._within[self.place_of(variable)]
        limit = self.clipping * ops.maximum(_norms(ops.convert_to_tensor(variable), axes), self.epsilon)
        factor = limit / ops.maximum(_norms(gradient, axes), SMALLEST_NORM)
        return gradient * ops.cast(ops.minimum(factor, 1.0), gradient.dtype)


def _norms(value: Tensor, axes: tuple[int, ...] | None) -> Tensor:
    value = ops.cast(value, "float32")
    if axes == ():  # torch would add up all of it
        return ops.absolute(value)
    return ops.sqrt(ops.sum(ops.square(value), axis=axes, keepdims=axes is not None))
