"""TensorFlow's compiler. What it compiles inside a `tf.data` graph is one operation of that graph."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Tensor = Any
Batch = dict[str, Any]


def function(function: Callable[..., Batch]) -> Callable[..., Batch]:
    """`function`, compiled."""
    return tf.function(function, jit_compile=True, autograph=False)


def function_of_a_kind(function: Callable[..., Batch]) -> Callable[..., Batch]:
    """`function`, compiled for arguments of one kind: nobody looks for another one then, which takes half a call."""
    concrete: Callable[..., Batch] | None = None

    def call(*args: Any) -> Batch:
        nonlocal concrete
        tensors = [tf.convert_to_tensor(part) for part in keras.tree.flatten(args) if part is not None]
        if concrete is None:
            is_missing = keras.tree.map_structure(lambda part: part is None, args)

            def flat(*tensors: Tensor) -> Batch:
                left = iter(tensors)
                return function(*keras.tree.map_structure(lambda missing: None if missing else next(left), is_missing))

            concrete = tf.function(flat, jit_compile=True, autograph=False).get_concrete_function(*tensors)
        return concrete(*tensors)

    return call


def is_known(batch: Batch) -> bool:
    """Whether all of the batch is numbers of a graph, and but for its first axis of a known size."""
    parts = [part for part in tf.nest.flatten(batch) if part is not None]
    return all(tf.is_symbolic_tensor(part) and _is_numeric(part) and _has_known_size(part) for part in parts)


def has_numbers(part: Tensor) -> bool:
    """Whether the values of a tensor are there, and numbers."""
    return tf.executing_eagerly() and isinstance(part, (tf.Tensor, tf.Variable)) and _is_numeric(part)


def is_outside() -> bool:
    """Whether what runs here is not compiled: outside of functions, and in those that `tf.data` makes.

    Of other functions nobody can tell.
    """
    graph = tf.compat.v1.get_default_graph()
    return tf.executing_eagerly() or getattr(graph, "name", "").startswith("Dataset_")


def is_traced(part: Any) -> bool:
    """Whether this belongs to a function that is being compiled."""
    return tf.is_symbolic_tensor(part)


def _is_numeric(part: Tensor) -> bool:
    return part.dtype.is_floating or part.dtype.is_integer or part.dtype.is_bool


def _has_known_size(part: Tensor) -> bool:
    return bool(part.shape.rank) and None not in part.shape[1:]
