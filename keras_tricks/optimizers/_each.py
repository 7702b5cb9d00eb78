"""Arithmetic on lists of variables, the same for every one: what an optimizer's update consists of.

On torch each function is a few kernels for the whole list, without a temporary where that can be: one kernel for each
of many small tensors is what an update costs there. XLA fuses the loops by itself. Factors are numbers, or float32
scalars; numbers beside a variable of 16 bits may be float32.

`moved_by_momentum` and `moved_by_moments` are whole updates, where torch has one kernel for them: they say whether they
were made.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import host

Tensor = Any
Variables = Sequence[keras.Variable]


def _list_wise(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as it stands, and on torch the one of the same name in `_torch.py`."""

    def chosen(*arguments: Any) -> Any:
        if keras.backend.backend() != "torch" or arguments[0] == []:  # torch has nothing for a list of nothing
            return function(*arguments)
        return getattr(importlib.import_module("keras_tricks.optimizers._torch"), function.__name__)(*arguments)

    chosen.__doc__ = function.__doc__
    return chosen


def _value(variable: keras.Variable, like: Tensor) -> Tensor:
    return ops.cast(ops.convert_to_tensor(variable), like.dtype)


@_list_wise
def scale(variables: Variables, factor: Any) -> None:
    """`variable *= factor`."""
    for variable in variables:
        value = ops.convert_to_tensor(variable)
        variable.assign(value * ops.cast(factor, value.dtype))


@_list_wise
def add(variables: Variables, values: Sequence[Tensor], factor: Any = 1.0) -> None:
    """`variable += factor * value`."""
    for variable, value in zip(variables, tensors(values), strict=True):
        variable.assign(_value(variable, value) + ops.cast(factor, value.dtype) * value)


@_list_wise
def interpolate(variables: Variables, targets: Sequence[Tensor], share: Any) -> None:
    """`variable += share * (target - variable)`: exact where the two are equal."""
    for variable, value in zip(variables, _interpolated(tensors(variables), tensors(targets), share), strict=True):
        variable.assign(value)


def _interpolated(values: Sequence[Tensor], targets: Sequence[Tensor], share: Any) -> list[Tensor]:
    return [
        value + ops.cast(share, value.dtype) * (ops.cast(target, value.dtype) - value)
        for value, target in zip(values, targets, strict=True)
    ]


@_list_wise
def interpolate_if(variables: Variables, targets: Sequence[Tensor], share: Any, condition: Tensor) -> None:
    """As `interpolate` where the scalar `condition` holds; where it does not, next to nothing is done."""
    known = host.value(condition)
    if known is not None:  # outside of compiled code, where JAX would compile the branches at each call
        if known:
            interpolate(variables, targets, share)
        return
    if keras.backend.backend() == "tensorflow":
        if importlib.import_module("keras_tricks.optimizers._tensorflow").replicas() == 1:
            ops.cond(condition, lambda: interpolate(variables, targets, share), lambda: None)
        else:  # there no branch may assign
            interpolate(variables, targets, ops.where(condition, share, ops.zeros_like(share)))
        return
    # JAX's branches cannot assign.
    values, targets = tensors(variables), tensors(targets)
    moved = ops.cond(condition, lambda: _interpolated(values, targets, share), lambda: values)
    for variable, value in zip(variables, moved, strict=True):
        variable.assign(value)


@_list_wise
def interpolate_squares(variables: Variables, values: Sequence[Tensor], share: Any) -> None:
    """`variable += share * (value ** 2 - variable)`."""
    interpolate(variables, [value * value for value in values], share)


@_list_wise
def add_quotients(variables: Variables, numerators: Variables, denominators: Sequence[Tensor], factor: Any) -> None:
    """`variable += factor * numerator / denominator`."""
    add(variables, [n / d for n, d in zip(tensors(numerators), denominators, strict=True)], factor)


@_list_wise
def roots(variables: Variables, factor: Any, offset: Any) -> list[Tensor]:
    """`factor * sqrt(variable) + offset`."""
    values = tensors(variables)
    return [ops.sqrt(value) * ops.cast(factor, value.dtype) + ops.cast(offset, value.dtype) for value in values]


@_list_wise
def sums(values: Sequence[Tensor], others: Sequence[Tensor], factor: Any) -> list[Tensor]:
    """`value + factor * other`."""
    pairs = zip(tensors(values), tensors(others), strict=True)
    return [value + ops.cast(factor, value.dtype) * ops.cast(other, value.dtype) for value, other in pairs]


@_list_wise
def copies(variables: Variables) -> list[Tensor]:
    """The values as they are now, whatever is assigned later."""
    return [ops.copy(ops.convert_to_tensor(variable)) for variable in variables]


@_list_wise
def assign(variables: Variables, values: Sequence[Tensor]) -> None:
    """`variable = value`."""
    for variable, value in zip(variables, tensors(values), strict=True):
        variable.assign(ops.copy(value))


@_list_wise
def go_part_of_the_way(variables: Variables, starts: Sequence[Tensor], share: Any) -> None:
    """`variable = start + share * (variable - start)`: exactly `start` at 0, and exactly as it is at 1."""
    for variable, start in zip(variables, starts, strict=True):
        value = ops.convert_to_tensor(variable)
        factor = ops.cast(share, value.dtype)
        variable.assign(ops.where(ops.equal(factor, 0), start, value + (1 - factor) * (start - value)))


@_list_wise
def is_known_to_be(value: Tensor, number: float) -> bool:
    """Whether a scalar is `number`, where that can be told without waiting for it."""
    return False


@_list_wise
def norm(values: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of all values together, float32."""
    return ops.sqrt(sum(ops.sum(ops.square(ops.cast(value, "float32"))) for value in tensors(values)))


@_list_wise
def norms(values: Sequence[Tensor]) -> list[Tensor]:
    """The Euclidean norm of each, in its own dtype."""
    return [ops.sqrt(ops.sum(ops.square(value))) for value in tensors(values)]


@_list_wise
def products(values: Sequence[Tensor], factors: Any) -> list[Tensor]:
    """`factor * value`, with one factor for all or a list of them."""
    each = factors if isinstance(factors, list) else [factors] * len(values)
    pairs = zip(tensors(values), each, strict=True)
    return [ops.cast(factor, value.dtype) * value for value, factor in pairs]


@_list_wise
def quotients(numerators: Sequence[Tensor], denominators: Sequence[Tensor]) -> list[Tensor]:
    """`numerator / denominator`."""
    return [above / below for above, below in zip(tensors(numerators), tensors(denominators), strict=True)]


@_list_wise
def moved_by_momentum(
    variables: Variables,
    gradients: Sequence[Tensor],
    velocities: Variables,
    learning_rate: Tensor,
    momentum: Tensor,
    nesterov: bool,
) -> bool:
    """SGD's update with momentum."""
    return False


@_list_wise
def moved_by_moments(
    variables: Variables,
    gradients: Sequence[Tensor],
    means: Variables,
    squares: Variables,
    learning_rate: Tensor,
    betas: tuple[Tensor, Tensor],
    epsilon: Any,
    step: Tensor,
) -> bool:
    """Adam's update number `step`, from 1, without decay."""
    return False


def tensors(variables: Sequence[Any]) -> list[Tensor]:
    """The values of variables; tensors as they are."""
    return [ops.convert_to_tensor(variable) for variable in variables]
