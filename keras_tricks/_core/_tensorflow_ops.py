"""The part of `keras.ops` that runs inside a `tf.data` graph while another backend is active, in TensorFlow's words."""

import functools
import weakref
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

Tensor = Any

abs = tf.abs
broadcast_to = tf.broadcast_to
ceil = tf.math.ceil
cos = tf.cos
cumsum = tf.cumsum
einsum = tf.einsum
equal = tf.equal
exp = tf.exp
expand_dims = tf.expand_dims
floor = tf.floor
log = tf.math.log
logical_and = tf.logical_and
logical_not = tf.logical_not
logical_or = tf.logical_or
matmul = tf.matmul
maximum = tf.maximum
minimum = tf.minimum
not_equal = tf.not_equal
ones_like = tf.ones_like
repeat = tf.repeat
reshape = tf.reshape
round = tf.round
sigmoid = tf.sigmoid
sin = tf.sin
square = tf.square
tan = tf.tan
sqrt = tf.sqrt
stack = tf.stack
tile = tf.tile
where = tf.where
zeros = tf.zeros
zeros_like = tf.zeros_like


def convert_to_tensor(value: Any, dtype: str | None = None) -> Tensor:
    """`keras.ops.convert_to_tensor`."""
    return cast(tf.convert_to_tensor(value), dtype) if dtype else tf.convert_to_tensor(value)


def cast(value: Any, dtype: str) -> Tensor:
    """`keras.ops.cast`."""
    return tf.cast(value, dtype)


def shape(value: Tensor) -> tuple[Any, ...]:
    """Python integers where the shape is known, scalar tensors where it is not."""
    static, dynamic = value.shape.as_list(), tf.shape(value)
    return tuple(dynamic[axis] if size is None else size for axis, size in enumerate(static))


def arange(start: Any, stop: Any = None, dtype: str | None = None) -> Tensor:
    """`keras.ops.arange`."""
    return tf.cast(tf.range(start) if stop is None else tf.range(start, stop), dtype or "int32")


def right_shift(value: Tensor, count: int) -> Tensor:
    """`keras.ops.right_shift`: arithmetic, for signed integers."""
    return tf.bitwise.right_shift(value, tf.constant(count, value.dtype))


def view(value: Tensor, dtype: str) -> Tensor:
    """`keras.ops.view` as a shorter type, of a value with a last axis of 1."""
    return tf.bitcast(value[..., 0], dtype)


def clip(value: Tensor, low: Any, high: Any) -> Tensor:
    """`keras.ops.clip`."""
    return tf.clip_by_value(value, low, high)


def take(value: Tensor, indices: Tensor, axis: int) -> Tensor:
    """`keras.ops.take` with indices in range."""
    return tf.gather(value, indices, axis=axis)


def flip(value: Tensor, axis: int | Sequence[int]) -> Tensor:
    """`keras.ops.flip`."""
    return tf.reverse(value, [axis] if isinstance(axis, int) else axis)


def transpose(value: Tensor, axes: Sequence[int]) -> Tensor:
    """`keras.ops.transpose`."""
    return tf.transpose(value, axes)


def concatenate(values: Sequence[Tensor], axis: int) -> Tensor:
    """`keras.ops.concatenate`."""
    return tf.concat(values, axis)


def sum(value: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`keras.ops.sum`."""
    return tf.reduce_sum(value, axis, keepdims)


def mean(value: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`keras.ops.mean`."""
    return tf.reduce_mean(value, axis, keepdims)


def max(value: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`keras.ops.max`."""
    return tf.reduce_max(value, axis, keepdims)


def min(value: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`keras.ops.min`."""
    return tf.reduce_min(value, axis, keepdims)


def any(value: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`keras.ops.any`."""
    return tf.reduce_any(value, axis, keepdims)


def pad(value: Tensor, widths: Any, mode: str = "constant", constant_values: float = 0) -> Tensor:
    """`keras.ops.pad`; "edge" is not among the modes."""
    return tf.pad(value, widths, mode, constant_values)


def windows(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """See `keras_tricks._core.ops.windows`."""
    # Taken pixel by pixel they cost XLA a fifth more time, and the operations one by one more than twice as much. With
    # the lines first XLA would make them in another order, and turn them.
    columns = tf.gather(images, left[:, None] + tf.range(size[1])[None, :], axis=2, batch_dims=1)
    return tf.gather(columns, top[:, None] + tf.range(size[0])[None, :], axis=1, batch_dims=1)


def scatter_update(value: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """`keras.ops.scatter_update`."""
    return tf.tensor_scatter_nd_update(value, indices, updates)


def segment_sum(value: Tensor, segments: Tensor, num_segments: Any) -> Tensor:
    """`keras.ops.segment_sum`."""
    return tf.math.unsorted_segment_sum(value, segments, num_segments)


def argsort(value: Tensor) -> Tensor:
    """`keras.ops.argsort` over the last axis, stable."""
    return tf.argsort(value, stable=True)


def switch(index: Tensor, branches: Sequence[Any]) -> Any:
    """`keras.ops.switch`, of branches without operands."""
    return tf.switch_case(index, list(branches))


def apart(value: Tensor, limit: int) -> Tensor:
    """A large value as it is, its first number not above `limit`, made before what is made of it: see `ops.once`."""
    first = value[:1]  # no row at all of an empty batch
    again = functools.partial(tf.tensor_scatter_nd_update, value, tf.range(tf.shape(first)[0])[:, None], first)
    if tf.config.list_physical_devices("GPU"):  # it would wait for the choice
        return again()
    number = tf.cast(tf.reshape(first, (-1,))[:1], "int32")
    return tf.cond(tf.reduce_any(number > limit), again, lambda: value)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Whole images, resized bilinearly, float32. Of bytes TensorFlow's own loop takes longer than with the cast."""
    # `tf.image.resize` asks for more before it comes to this, which takes as long as a few small images do.
    return tf.raw_ops.ResizeBilinear(images=tf.cast(images, "float32"), size=size, half_pixel_centers=True)


_calls: weakref.WeakKeyDictionary[Any, tf.Variable] = weakref.WeakKeyDictionary()


def next_call(layer: Any) -> Tensor:
    """The number of this call of `layer` in data pipelines: 0, 1, 2, ... as they run, in this order if sequential."""
    if layer not in _calls:
        with tf.init_scope():
            _calls[layer] = tf.Variable(0, dtype="int32", trainable=False)
    return _calls[layer].assign_add(1) - 1
