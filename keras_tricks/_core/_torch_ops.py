"""`keras.ops` on torch, where the operations that tricks call most go straight to it if they are given its tensors.

Keras' own look through their arguments for symbolic ones first, which takes longer than to add up ten thousand numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch

Tensor = Any


def __getattr__(name: str) -> Any:
    return getattr(keras.ops, name)


def _direct(general: Callable[..., Any], function: Callable[..., Tensor]) -> Callable[..., Any]:
    """`function` if all arguments are tensors of torch, else Keras' own."""

    def operation(*args: Any, **kwargs: Any) -> Any:
        if kwargs or not all(isinstance(value, torch.Tensor) for value in args):
            return general(*args, **kwargs)
        return function(*args)

    return operation


abs = _direct(keras.ops.abs, torch.abs)
logical_and = _direct(keras.ops.logical_and, torch.logical_and)
logical_not = _direct(keras.ops.logical_not, torch.logical_not)
logical_or = _direct(keras.ops.logical_or, torch.logical_or)
maximum = _direct(keras.ops.maximum, torch.maximum)
minimum = _direct(keras.ops.minimum, torch.minimum)
ones_like = _direct(keras.ops.ones_like, torch.ones_like)
where = _direct(keras.ops.where, torch.where)
zeros_like = _direct(keras.ops.zeros_like, torch.zeros_like)


def _direct_for_floats(general: Callable[..., Any], function: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """`function` of one tensor of torch of floats, else Keras' own, which knows what becomes of integers."""

    def operation(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return general(value)
        return function(value)

    return operation


ceil = _direct_for_floats(keras.ops.ceil, torch.ceil)
cos = _direct_for_floats(keras.ops.cos, torch.cos)
exp = _direct_for_floats(keras.ops.exp, torch.exp)
floor = _direct_for_floats(keras.ops.floor, torch.floor)
log = _direct_for_floats(keras.ops.log, torch.log)
round = _direct_for_floats(keras.ops.round, torch.round)
sin = _direct_for_floats(keras.ops.sin, torch.sin)
sqrt = _direct_for_floats(keras.ops.sqrt, torch.sqrt)


def cast(value: Any, dtype: str) -> Tensor:
    """`keras.ops.cast`."""
    if not isinstance(value, torch.Tensor) or not isinstance(dtype, str):
        return keras.ops.cast(value, dtype)
    return value.to(getattr(torch, dtype))


def shape(value: Any) -> tuple[Any, ...]:
    """`keras.ops.shape`."""
    return tuple(value.shape) if isinstance(value, torch.Tensor) else keras.ops.shape(value)


def reshape(value: Any, shape: Sequence[Any]) -> Tensor:
    """`keras.ops.reshape`."""
    return value.reshape(shape) if isinstance(value, torch.Tensor) else keras.ops.reshape(value, shape)


def broadcast_to(value: Any, shape: Sequence[Any]) -> Tensor:
    """`keras.ops.broadcast_to`."""
    return value.broadcast_to(shape) if isinstance(value, torch.Tensor) else keras.ops.broadcast_to(value, shape)


def transpose(value: Any, axes: Sequence[int]) -> Tensor:
    """`keras.ops.transpose`."""
    return value.permute(tuple(axes)) if isinstance(value, torch.Tensor) else keras.ops.transpose(value, axes)


def stack(values: Sequence[Any], axis: int = 0) -> Tensor:
    """`keras.ops.stack`."""
    alike = all(isinstance(value, torch.Tensor) and value.dtype == values[0].dtype for value in values)
    return torch.stack(list(values), axis) if alike else keras.ops.stack(values, axis)


def concatenate(values: Sequence[Any], axis: int = 0) -> Tensor:
    """`keras.ops.concatenate`."""
    alike = all(isinstance(value, torch.Tensor) and value.dtype == values[0].dtype for value in values)
    return torch.cat(list(values), axis) if alike else keras.ops.concatenate(values, axis)


def _direct_reduction(general: Callable[..., Any], function: Callable[..., Tensor]) -> Callable[..., Any]:
    """`function` along named axes of a tensor of torch: also if there is no image at all, which Keras' own refuses."""

    def operation(value: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is None or not isinstance(value, torch.Tensor):
            return general(value, axis=axis, keepdims=keepdims)
        return function(value, axis, keepdims)

    return operation


max = _direct_reduction(keras.ops.max, torch.amax)
min = _direct_reduction(keras.ops.min, torch.amin)
