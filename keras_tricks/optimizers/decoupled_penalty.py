"""Penalties on the weights, outside of the gradient."""

import math
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.moving import schedule_or_number, value_at
from keras_tricks.optimizers import _each, _gradients, _patterns, _units
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor
from keras_tricks.optimizers._conditional import run_if
from keras_tricks.optimizers.bias_and_norm import bias_and_norm

ORTHOGONAL = "orthogonal"


class DecoupledPenalty(OptimizerWrapper):
    """Shrinks the weights along the gradient of a penalty, after each update and beside it.

    `weight -= learning_rate * strength * d penalty / d weight`, with the learning rate of that weight, which wrappers
    inside may have scaled, to 0 where it is frozen: what decoupled weight decay is to L2, for any penalty.
    It does not pass through the momentum, Adam does not rescale it, and it is not in the loss.

    With "orthogonal" the penalty is `sum((W^T W)^2) / 4` over pairs of different output units (the last axis; for
    depthwise and transposed convolutions and attention see `AdaptiveClipping`), whose gradient is
    `W (W^T W * (1 - I))`: units are pushed apart, their norms are left alone. With
    `keras.regularizers.L2(0.5)` it is the decay of AdamW; with `L1(1.0)` weights are driven to 0 and cross it by at
    most `learning_rate * strength`.

    Helps when: weights are to be sparse (L1) or units to differ (orthogonality) under an adaptive optimizer.
    Hurts when: a strength is copied from a penalty in the loss: it means something else there.
    Cost: one pass over the weights (with L1 on torch, on a processor, more than Adam's update); "orthogonal" a product
    of each matrix with itself.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        penalty: A Keras regularizer such as `keras.regularizers.L1(1.0)`, or "orthogonal".
        strength: A number not below 0, or a schedule over the updates.
        pattern: The variables that are penalised: patterns that are searched for in a variable's `path`, or a function
            from a variable to a bool; None for all but biases, gains and shifts. "orthogonal" leaves biases, gains and
            shifts alone in any case.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if an argument is out of range, `inner_optimizer` is not an optimizer, or, when it is built, no
            pattern matches a variable.

    Example:
        ```python
        optimizer = kt.optimizers.DecoupledPenalty("adam", keras.regularizers.L1(1.0), strength=1e-3)
        model.compile(optimizer, "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [Loshchilov & Hutter, 2017](https://arxiv.org/abs/1711.05101) for the idea;
        [Brock et al., 2018](https://arxiv.org/abs/1809.11096), equation 3, for the orthogonality
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        penalty: keras.regularizers.Regularizer | str,
        strength: Any = 1e-4,
        pattern: Any = None,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        if penalty != ORTHOGONAL and not isinstance(penalty, keras.regularizers.Regularizer):
            raise checks.fail("penalty", f"a Keras regularizer, or {ORTHOGONAL!r}", penalty)
        self.penalty: Any = penalty
        self.strength = schedule_or_number("strength", strength)
        self.pattern = _patterns.choice("pattern", pattern)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Looks for the patterns, and what is whose unit."""
        _patterns.check_choice("pattern", self.pattern, variables)
        self._units = [_units.axes_of_units(variable, {}) for variable in variables]
        self._is_chosen = [self._is_penalised(variable) for variable in variables]

    def update(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> None:
        """Moves the weights, then by the penalty, at the rate of the same update."""
        iterations = ops.copy(ops.convert_to_tensor(self.iterations))
        rate = ops.copy(ops.convert_to_tensor(self.learning_rate)) * value_at(self.strength, iterations)
        chosen = [
            v for v, g in zip(variables, gradients, strict=True) if g is not None and self._is_chosen[self.place_of(v)]
        ]
        parts = [(variable, self.part_of_rate(variable)) for variable in chosen]
        parts = [(v, ops.copy(part) if ops.is_tensor(part) else part) for v, part in parts if not _is(part, 0)]
        chosen = [variable for variable, _ in parts]
        self.inner_optimizer.apply(gradients, variables)

        def penalise() -> None:
            slopes = [self._slope(variable) for variable in chosen]
            slopes = [
                slope if _is(part, 1) else slope * ops.cast(part, slope.dtype)
                for slope, (_, part) in zip(slopes, parts, strict=True)
            ]
            _each.add(chosen, slopes, -rate)

        if self.updates_every_time:
            penalise()
        else:
            run_if(ops.not_equal(ops.convert_to_tensor(self.iterations), iterations), penalise, chosen)

    def _is_penalised(self, variable: keras.Variable) -> bool:
        if self.penalty == ORTHOGONAL and not self._units[self.place_of(variable)]:
            return False
        return not bias_and_norm(variable) if self.pattern is None else _patterns.is_chosen(self.pattern, variable)

    def _slope(self, variable: keras.Variable) -> Tensor:
        value = ops.convert_to_tensor(variable)
        if self.penalty == ORTHOGONAL:
            return orthogonality_slope(value, self._units[self.place_of(variable)])
        return _gradients.gradient(self.penalty, value)


def _is(part: Any, number: float) -> bool:
    return not ops.is_tensor(part) and bool(part == number)


def orthogonality_slope(value: Tensor, units: tuple[int, ...]) -> Tensor:
    """`W (W^T W * (1 - I))` for the matrix W whose columns are the output units, which the axes `units` number."""
    order = [*(axis for axis in range(len(value.shape)) if axis not in units), *units]
    turned = ops.transpose(value, order)
    matrix = ops.reshape(turned, (-1, math.prod(value.shape[axis] for axis in units)))
    products = ops.matmul(ops.transpose(matrix), matrix)
    slope = ops.matmul(matrix, products * (1 - ops.eye(matrix.shape[1], dtype=value.dtype)))
    return ops.transpose(ops.reshape(slope, turned.shape), sorted(range(len(order)), key=order.__getitem__))
