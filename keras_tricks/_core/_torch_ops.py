"""`keras.ops` on torch, where the operations that tricks call most go straight to it if they are given its tensors.

Keras' own look through their arguments for symbolic ones first, which takes longer than to add up ten thousand numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch

from keras_tricks._core import _torch_memory

Tensor = Any

KEPT_CONSTANTS = 256
MANY = 2**14  # numbers
LARGE = 512  # numbers that are sooner copied than chosen one by one
PLAIN = (torch.Tensor, torch.nn.Parameter)  # and not what stands for a tensor while functions are traced

_constants: dict[Any, Tensor] = {}


def __getattr__(name: str) -> Any:
    return getattr(keras.ops, name)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _is_of_floats(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _direct(
    general: Callable[..., Any], function: Callable[..., Tensor], fits: Callable[[Any], bool] = _is_tensor
) -> Callable[..., Any]:
    """`function` if all arguments fit, else Keras' own."""

    def operation(*args: Any, **kwargs: Any) -> Any:
        return general(*args, **kwargs) if kwargs or not all(map(fits, args)) else function(*args)

    return operation


abs = _direct(keras.ops.abs, torch.abs)
logical_and = _direct(keras.ops.logical_and, torch.logical_and)
logical_not = _direct(keras.ops.logical_not, torch.logical_not)
logical_or = _direct(keras.ops.logical_or, torch.logical_or)
maximum = _direct(keras.ops.maximum, torch.maximum)
minimum = _direct(keras.ops.minimum, torch.minimum)
ones_like = _direct(keras.ops.ones_like, torch.ones_like)
zeros_like = _direct(keras.ops.zeros_like, torch.zeros_like)

_where = _direct(keras.ops.where, torch.where)

# Of integers Keras makes floats first.
ceil = _direct(keras.ops.ceil, torch.ceil, _is_of_floats)
cos = _direct(keras.ops.cos, torch.cos, _is_of_floats)
exp = _direct(keras.ops.exp, torch.exp, _is_of_floats)
floor = _direct(keras.ops.floor, torch.floor, _is_of_floats)
log = _direct(keras.ops.log, torch.log, _is_of_floats)
round = _direct(keras.ops.round, torch.round, _is_of_floats)
sin = _direct(keras.ops.sin, torch.sin, _is_of_floats)
sqrt = _direct(keras.ops.sqrt, torch.sqrt, _is_of_floats)


def where(condition: Any, one: Any, other: Any) -> Tensor:
    """`keras.ops.where`."""
    if getattr(condition, "dtype", None) != torch.bool:
        return _where(condition, one, other)
    if _are_bytes(one, other):
        return select([condition], one, other)
    if (chosen := _chosen(condition, one, other)) is not None:
        return chosen
    return select([condition], one, other) if _are_many(condition, one, other) else _where(condition, one, other)


def _chosen(condition: Tensor, one: Any, other: Any) -> Tensor | None:
    """The members of either batch that `condition` chooses, where it does so for whole members: a copy is cheaper."""
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return None
    count = len(one) if one.ndim else 0
    alike = one.shape == other.shape and one.dtype == other.dtype
    if not count or not alike or one.numel() < count * LARGE or condition.shape != (count,) + (1,) * (one.ndim - 1):
        return None
    known = host_array(condition)
    if known is None:
        return None
    choices = known.reshape(-1).tolist()
    first, second = host_array(one), host_array(other)
    if first is None or second is None:
        return torch.stack([one[place] if chosen else other[place] for place, chosen in enumerate(choices)])
    result = _torch_memory.empty(one.shape, one)
    for new, place, chosen in zip(result.numpy(), range(count), choices, strict=True):
        new[...] = first[place] if chosen else second[place]
    return result


def select(conditions: Sequence[Tensor], one: Tensor, other: Tensor) -> Tensor:
    """`one` where all `conditions` hold, else `other`: bytes or float32, without a branch for each of them."""
    dtype, bits = one.dtype, torch.uint8 if one.dtype == torch.uint8 else torch.int32
    one, other = one.view(bits), other.view(bits)
    result = one ^ other
    for condition in conditions:
        mask = condition.to(bits).neg_()
        result = result.bitwise_and_(mask) if _fits(mask.shape, result.shape) else result & mask
    result ^= other
    return result.view(dtype)


def _fits(shape: Sequence[int], into: Sequence[int]) -> bool:
    """Whether a tensor of `shape` can be broadcast to the shape `into`."""
    return len(shape) == len(into) and all(side in (1, other) for side, other in zip(shape, into, strict=True))


def where_both(first: Tensor, second: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """See `keras_tricks._core.ops.where_both`."""
    if _are_bytes(one, other):
        return select([first, second], one, other)
    return torch.where(_both(first, second), one, other)


def _both(first: Tensor, second: Tensor) -> Tensor:
    """`torch.logical_and`, which takes several times as long as to do the same with bytes."""
    if not first.dtype == second.dtype == torch.bool or first.device.type != "cpu":
        return torch.logical_and(first, second)
    return (first.view(torch.uint8) & second.view(torch.uint8)).view(torch.bool)


def _are_bytes(one: Any, other: Any) -> bool:
    """Whether to select by bits: on a CPU several times faster, on an accelerator one kernel is better than four."""
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return False
    return one.dtype == other.dtype == torch.uint8 and one.device.type == "cpu"


def _are_many(condition: Tensor, one: Any, other: Any) -> bool:
    """Whether to select by bits: float32 numbers are chosen by a branch for each, often after a wrong guess."""
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return False
    if not one.dtype == other.dtype == torch.float32 or condition.numel() + one.numel() + other.numel() < MANY:
        return False
    return all(host_array(value) is not None for value in (condition, one, other))


def can_cut_windows(images: Tensor) -> bool:
    """See `keras_tricks._core.ops.can_cut_windows`."""
    # A gradient would be of all windows there are.
    return images.device.type in ("cpu", "cuda") and not images.requires_grad


def windows(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """See `keras_tricks._core.ops.windows`."""
    # All windows there are, as a view; of these the rows of pixels are copied line by line.
    count, height, width, channels = images.shape
    if count == 0:
        return images.new_empty((0, *size, channels))
    images = images.contiguous()
    places = count * height * width - (size[0] - 1) * width - (size[1] - 1)
    every = images.as_strided((places, size[0], size[1] * channels), (channels, width * channels, 1))
    first = torch.arange(count, device=images.device) * (height * width)
    chosen = every.index_select(0, first + top * width + left)
    return chosen.reshape(count, *size, channels)


def host_array(tensor: Any) -> np.ndarray | None:
    """See `keras_tricks._core.ops.host_array`."""
    if type(tensor) not in PLAIN or tensor.device.type != "cpu" or tensor.requires_grad:
        return None
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return None
    if getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0:  # it may carry a derivative along
        return None
    try:
        return tensor.numpy()
    except (RuntimeError, TypeError):  # one that stands for many, or none, in a transformed function; bfloat16
        return None


def from_host(array: np.ndarray | np.generic) -> Tensor:
    """See `keras_tricks._core.ops.from_host`."""
    return torch.from_numpy(np.asarray(array))


@torch.compiler.disable
def constant(array: np.ndarray, device: Any) -> Tensor:
    """`array` as a tensor on `device`, sent there once: it must not be written to."""
    key = array.tobytes(), array.dtype.str, array.shape, device
    if (kept := _constants.get(key)) is not None:
        return kept
    # Made in inference mode it could not be used where gradients are computed.
    with torch.inference_mode(False):
        made = keras.ops.convert_to_tensor(array.copy()).to(device)
    # What stands for a tensor while a function is traced, or exported, is of no use afterwards.
    if type(made) is torch.Tensor:
        if len(_constants) >= KEPT_CONSTANTS:
            _constants.pop(next(iter(_constants)), None)
        _constants[key] = made
    return made


def cast(value: Any, dtype: str) -> Tensor:
    """`keras.ops.cast`."""
    if not isinstance(value, torch.Tensor) or not isinstance(dtype, str):
        return keras.ops.cast(value, dtype)
    wanted = getattr(torch, dtype)
    if value.dtype == torch.uint8 and wanted == torch.float32 and host_array(value) is not None:
        return _torch_memory.empty(value.shape, value.new_empty(0, dtype=wanted)).copy_(value)
    return value.to(wanted)


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
