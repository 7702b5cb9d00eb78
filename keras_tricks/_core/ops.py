"""`keras.ops`, also where Keras' own cannot go: inside a `tf.data` graph while JAX or torch is the backend.

A trick writes `from keras_tricks._core import ops` and nothing else. Within `tensorflow_graph()` the same names mean
TensorFlow's operations, within `numpy_arrays()` NumPy's; everywhere else they are `keras.ops`.

On torch, `keras.ops` sends each plain number that it is given to the accelerator, and waits for it to arrive. Here are
therefore the operations that a trick calls with numbers, and `constant` for arrays. With Python's own operators
(`+ - * / % < <= ==`) numbers cost nothing.
"""

import contextlib
import contextvars
import importlib
import math
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import keras
import numpy as np

Tensor = Any

LARGE = 2**16  # numbers
UNKNOWN_SIZE = 64  # what a size that is not known before counts as
# Whether the first pixel of an image is above it, as none is, a compiler cannot know.
NO_LEVEL = 300_000

_ops_of_backend: ModuleType | None = None
_chosen: contextvars.ContextVar[ModuleType | None] = contextvars.ContextVar("_chosen", default=None)


def __getattr__(name: str) -> Any:
    return getattr(_namespace(), name)


def _namespace() -> ModuleType:
    return _chosen.get() or _of_backend()


def _of_backend() -> ModuleType:
    # No `functools.cache`: torch's compiler warns of one at each call.
    global _ops_of_backend
    if _ops_of_backend is None:
        is_torch = keras.backend.backend() == "torch"
        _ops_of_backend = importlib.import_module("keras_tricks._core._torch_ops") if is_torch else keras.ops
    return _ops_of_backend


def constant(array: np.ndarray, like: Tensor) -> Tensor:
    """`array` where the tensor (or number) `like` is; on torch it is sent there once."""
    if in_numpy_arrays():
        return array
    if in_tensorflow_graph() or keras.backend.backend() != "torch" or isinstance(like, int):
        return _namespace().convert_to_tensor(array)
    return _of_backend().constant(array, like.device)


def host_array(tensor: Tensor) -> np.ndarray | None:
    """The numbers of a tensor of torch in the host's memory, as an array of NumPy that shares it; else None.

    One by one, NumPy's operations on few numbers take a fraction of the time that torch's do.
    """
    return _of_backend().host_array(tensor) if is_torch(tensor) else None


def host_arrays(*tensors: Tensor) -> list[np.ndarray] | None:
    """`host_array` of each, if there is one of all."""
    arrays = [array for tensor in tensors if (array := host_array(tensor)) is not None]
    return arrays if len(arrays) == len(tensors) else None


def from_host(array: np.ndarray | np.generic) -> Tensor:
    """What `host_array` turned into an array as a tensor again."""
    return _of_backend().from_host(array)


def constant_like(like: Tensor, value: float) -> Tensor:
    """`value` in the type of `like`, to be broadcast against it."""
    return cast(_namespace().zeros_like(like[:1, :1, :1, :1], "float32") + value, like.dtype)


def number(value: Any) -> Any:
    """A size as a number to calculate with: float32 of a scalar tensor, a plain number as it is."""
    return value if isinstance(value, (int, float)) else cast(value, "float32")


def bitwise_and(value: Tensor, other: Any) -> Tensor:
    """`keras.ops.bitwise_and`."""
    return value & other


def bitwise_xor(value: Tensor, other: Any) -> Tensor:
    """`keras.ops.bitwise_xor`."""
    return value ^ other


def right_shift(value: Tensor, count: int) -> Tensor:
    """`keras.ops.right_shift`."""
    if is_tensorflow():
        return _namespace().right_shift(value, count)
    return value >> count


def clip(value: Tensor, low: Any, high: Any) -> Tensor:
    """`keras.ops.clip`; both limits numbers, or both tensors."""
    return value.clip(low, high) if _has_methods(value) else _namespace().clip(value, low, high)


def take(value: Tensor, indices: Tensor, axis: int) -> Tensor:
    """`keras.ops.take` along a named axis, with indices in range."""
    if not is_torch(value):
        if keras.backend.backend() == "jax" and _chosen.get() is None:
            return importlib.import_module("keras_tricks._core._jax_ops").take(value, indices, axis)
        return _namespace().take(value, indices, axis=axis)
    # Keras' own looks for negative indices first: two more passes.
    axis %= value.ndim
    taken = value.index_select(axis, indices.reshape(-1))
    return taken.reshape(*value.shape[:axis], *indices.shape, *value.shape[axis + 1 :])


def shape(value: Tensor) -> tuple[Any, ...]:
    """`keras.ops.shape`; where all sizes are known, without an operation of TensorFlow's that asks for them."""
    sizes = value.shape
    known = () if getattr(sizes, "rank", 0) is None else tuple(sizes)
    return known if known and all(isinstance(size, int) for size in known) else _namespace().shape(value)


def cast(value: Any, dtype: str) -> Tensor:
    """`keras.ops.cast`."""
    return _namespace().cast(value, dtype)


def max(value: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`keras.ops.max`, also of a batch without images."""
    return _of_empty_batches().max(value, axis=axis, keepdims=keepdims)


def min(value: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """`keras.ops.min`, also of a batch without images."""
    return _of_empty_batches().min(value, axis=axis, keepdims=keepdims)


def _of_empty_batches() -> ModuleType:
    # On TensorFlow Keras' own refuse an empty tensor, whatever the axis.
    if keras.backend.backend() == "tensorflow":
        return importlib.import_module("keras_tricks._core._tensorflow_ops")
    return _namespace()


def count(indices: Tensor, size: Any) -> Tensor:
    """How often each of 0 ... size - 1 is among the int32 `indices`, `(size,)` int32."""
    if not is_torch(indices):
        return _namespace().segment_sum(_namespace().ones_like(indices), indices, num_segments=size)
    if indices.is_cuda:  # there its own count would make the host wait
        counts = indices.new_zeros(size)
        return counts.scatter_add(0, cast(indices, "int64"), indices.new_ones(1).expand_as(indices))
    return cast(indices.bincount(minlength=size), "int32")


def replace_rows(value: Tensor, rows: Tensor, new: Tensor) -> Tensor:
    """`value` with `new` at the entries `rows`, no two alike, of its first axis."""
    if is_torch(value):
        return value.index_copy(0, cast(rows, "int64"), new)
    return _namespace().scatter_update(value, rows[:, None], new)


def once(value: Tensor) -> Tensor:
    """`value`, which XLA computes once: a table or a number would else be computed anew for each pixel that uses it.

    It fuses what makes the value into what uses it, unless something stands between that cannot be fused. For a large
    value that is a choice nobody knows before it runs; for a small one, one row that is written again, which is slower
    where much is made, by one core.
    """
    if not is_traced(value):
        return value
    sizes = (size if isinstance(size, int) else UNKNOWN_SIZE for size in _namespace().shape(value))
    if math.prod(sizes) >= LARGE:
        backend = "tensorflow" if is_tensorflow() else "jax"
        return importlib.import_module(f"keras_tricks._core._{backend}_ops").apart(value, NO_LEVEL)
    if in_tensorflow_graph():
        return value
    if len(value.shape) == 0:
        return once(_namespace().stack([value, value]))[0]
    if value.shape[0] == 0:
        return value
    first = value[:1]  # no row at all of an empty batch whose size is not known before
    rows = _namespace().arange(_namespace().shape(first)[0], dtype="int32")
    return replace_rows(value, rows, first)


def as_table(value: Tensor) -> Tensor:
    """`value`, which entries are about to be taken from, computed once: there XLA sees through `once`.

    It is written row by row, by one core: for few rows.
    """
    if is_torch(value) or in_tensorflow_graph():
        return value
    return replace_rows(value, _namespace().arange(_namespace().shape(value)[0], dtype="int32"), value)


def where_both(first: Tensor, second: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """`one` where `first` and `second` hold, else `other`, which has the shape of the result.

    Fast where `first` is the same along the last axis, as that rows of lines are in a box, and `second` along another.
    """
    if is_torch(other):
        return _of_backend().where_both(first, second, one, other)
    if "uint8" not in str(other.dtype) or in_tensorflow_graph():
        return _namespace().where(_namespace().logical_and(first, second), one, other)
    # XLA branches for whole lines then, and selects within them by bits, many bytes at a time. It does not, and takes
    # four times as long, with "exclusive or", one operation less; nor if it sees a line of zeros and a negation.
    bits = once(cast(second, "uint8") * 255)
    rest = once(~bits) if one.shape[1] == 1 else ~bits
    first = once(cast(first, "uint8")) > 0
    return _namespace().where(first, (one & bits) | (other & rest), other)


def can_cut_windows(value: Tensor) -> bool:
    """Whether there are `windows` of tensors such as `value`."""
    if is_torch(value):
        return _of_backend().can_cut_windows(value)
    return not is_tensorflow() or None not in value.shape[1:3]


def windows(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """The window of `size` of each image that begins at `top` and `left`, (batch,) int32 each; it must fit."""
    if is_torch(images):
        return _of_backend().windows(images, top, left, size)
    backend = "tensorflow" if is_tensorflow() else "jax"
    return importlib.import_module(f"keras_tricks._core._{backend}_ops").windows(images, top, left, size)


def is_tensorflow() -> bool:
    """Whether tensors here are TensorFlow's, whatever the backend."""
    return in_tensorflow_graph() or keras.backend.backend() == "tensorflow"


def is_torch(value: Any) -> bool:
    """Whether `value` is a tensor of torch, whose operations run one by one."""
    return hasattr(value, "index_select")


def _has_methods(value: Any) -> bool:
    """Whether `value` is an array of NumPy, JAX or torch, whose own methods take plain numbers."""
    return hasattr(value, "clip") and hasattr(value, "dtype")


def is_traced(value: Any) -> bool:
    """Whether `value` belongs to a function that JAX or TensorFlow is about to compile, or may be."""
    if is_torch(value) or isinstance(value, np.ndarray):
        return False
    backend = "tensorflow" if is_tensorflow() else keras.backend.backend()
    return backend != "torch" and importlib.import_module(f"keras_tricks._core._{backend}_compiled").is_traced(value)


def is_foreign_graph_tensor(value: Any) -> bool:
    """Whether `value` is a symbolic TensorFlow tensor that the active backend cannot compute with."""
    return keras.backend.backend() != "tensorflow" and in_pipeline(value)


def in_tensorflow_graph() -> bool:
    """Whether this is within `tensorflow_graph()`."""
    namespace = _chosen.get()
    return namespace is not None and namespace.__name__.endswith("_tensorflow_ops")


def in_numpy_arrays() -> bool:
    """Whether this is within `numpy_arrays()`."""
    namespace = _chosen.get()
    return namespace is not None and namespace.__name__.endswith("_numpy_ops")


def in_pipeline(value: Any) -> bool:
    """Whether `value` is a symbolic TensorFlow tensor, whatever the backend: in `tf.data` as a rule."""
    return "tensorflow" in sys.modules and sys.modules["tensorflow"].is_symbolic_tensor(value)


def tensorflow_graph() -> contextlib.AbstractContextManager[ModuleType]:
    """Within it, this module's operations are TensorFlow's."""
    return _within("_tensorflow_ops")


def numpy_arrays() -> contextlib.AbstractContextManager[ModuleType]:
    """Within it, this module's operations are NumPy's: for arrays that are known before anything runs.

    Compilers gather by constants several times as fast as by numbers that are computed first.
    """
    return _within("_numpy_ops")


@contextlib.contextmanager
def _within(name: str) -> Iterator[ModuleType]:
    namespace = importlib.import_module(f"keras_tricks._core.{name}")
    token = _chosen.set(namespace)
    try:
        yield namespace
    finally:
        _chosen.reset(token)
