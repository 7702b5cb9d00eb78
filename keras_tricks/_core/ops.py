"""`keras.ops`, also where Keras' own cannot go: inside a `tf.data` graph while JAX or torch is the backend.

A trick writes `from keras_tricks._core import ops` and nothing else. Within `tensorflow_graph()` the same names mean
TensorFlow's operations; everywhere else they are `keras.ops`.
"""

import contextlib
import contextvars
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import keras

_namespace: contextvars.ContextVar[ModuleType] = contextvars.ContextVar("_namespace", default=keras.ops)


def __getattr__(name: str) -> Any:
    return getattr(_namespace.get(), name)


def is_foreign_graph_tensor(value: Any) -> bool:
    """Whether `value` is a symbolic TensorFlow tensor that the active backend cannot compute with."""
    if keras.backend.backend() == "tensorflow" or "tensorflow" not in sys.modules:
        return False
    return sys.modules["tensorflow"].is_symbolic_tensor(value)


def in_tensorflow_graph() -> bool:
    """Whether this is within `tensorflow_graph()`."""
    return _namespace.get() is not keras.ops


@contextlib.contextmanager
def tensorflow_graph() -> Iterator[ModuleType]:
    """Within it, this module's operations are TensorFlow's."""
    namespace = importlib.import_module("keras_tricks._core._tensorflow_ops")
    token = _namespace.set(namespace)
    try:
        yield namespace
    finally:
        _namespace.reset(token)
