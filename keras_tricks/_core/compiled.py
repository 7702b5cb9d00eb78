"""Calls of an augmentation from outside any compiled code, each compiled as a whole where the backend has a compiler.

One by one its operations would take about ten times as long on JAX and TensorFlow; and JAX compiles every single one
of them, again for each new shape.
"""

import collections
import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np

from keras_tricks._core import ops
from keras_tricks._core.stream import given_states

Tensor = Any
Batch = dict[str, Any]
Function = Callable[[Batch, Tensor, list[Tensor]], Batch]

# How many batches of a kind are made one operation after another first. TensorFlow's compiler takes seconds for what
# its operations do in milliseconds.
CALLS_BEFORE = {"jax": 0, "tensorflow": 3}


# Layers that are alike share what was compiled: this many functions are kept, the last ones used.
KEPT = 128
# What differs between layers that are alike: the states of their streams are arguments of what is compiled.
NOT_COMPARED = ("name", "stream", "seed")


class _Calls:
    """The batches of one kind that layers of one kind were given."""

    def __init__(self) -> None:
        self.count = 0
        self.function: Function | None = None


_calls: collections.OrderedDict[Any, _Calls] = collections.OrderedDict()


def run(layer: Any, batch: Batch, call: Tensor) -> Batch:
    """`layer.run_once(batch, call)`, compiled if it can be: not if what it depends on is not known by its value."""
    if ops.in_pipeline(batch["images"]):
        compiler = importlib.import_module("keras_tricks._core._tensorflow_compiled")
        is_compiled = compiler.is_known(batch) and not layer.is_one_operation(batch)
        return (compiler.function(layer.run_once) if is_compiled else layer.run_once)(batch, call)
    backend = keras.backend.backend()
    if backend not in CALLS_BEFORE or (backend == "tensorflow" and layer.is_one_operation(batch)):
        return layer.run_once(batch, call)
    compiler = importlib.import_module(f"keras_tricks._core._{backend}_compiled")
    parts = [part for part in keras.tree.flatten((batch, call)) if part is not None]
    if not all(_has_numbers(part) or compiler.has_numbers(part) for part in parts):
        return layer.run_once(batch, call)
    try:
        calls = _calls_of(layer, batch, call)
    except UnknownValueError:
        return layer.run_once(batch, call)
    calls.count += 1
    if calls.count <= CALLS_BEFORE[backend]:
        return layer.run_once(batch, call)
    if calls.function is None:
        calls.function = _compile(layer, compiler)
    return calls.function(batch, call, [keras.ops.convert_to_tensor(stream.state) for stream in layer.streams()])


def is_outside() -> bool:
    """Whether what runs here is sure not to be part of a function of TensorFlow's that others may compile, or save."""
    if not ops.is_tensorflow():
        return True
    return importlib.import_module("keras_tricks._core._tensorflow_compiled").is_outside()


def in_graph(function: Callable[..., Batch], batch: Batch, *tensors: Tensor) -> Batch:
    """`function(batch, *tensors)`; in a graph of TensorFlow, which Keras leaves uncompiled on a processor, compiled.

    Its operations one by one take several times as long, and keep those of the step waiting.
    """
    if keras.backend.backend() == "tensorflow":
        compiler = importlib.import_module("keras_tricks._core._tensorflow_compiled")
        if compiler.is_known(batch):
            return compiler.function(function)(batch, *tensors)
    return function(batch, *tensors)


def _calls_of(layer: Any, batch: Batch, call: Tensor) -> _Calls:
    key = layer.signature(), _kind((batch, call))
    calls = _calls[key] = _calls.pop(key, _Calls())
    while len(_calls) > KEPT:
        _calls.popitem(last=False)
    return calls


def _kind(part: Any) -> Any:
    """The form of a structure, with the shapes and types of what is in it."""
    if isinstance(part, dict):
        return type(part), *((name, _kind(value)) for name, value in part.items())
    if isinstance(part, (list, tuple)):
        return type(part), *map(_kind, part)
    return getattr(part, "shape", None), str(getattr(part, "dtype", None))


def _compile(layer: Any, compiler: ModuleType) -> Function:
    passed: set[str] = set()

    def changed_parts(batch: Batch, call: Tensor, states: list[Tensor]) -> Batch:
        with given_states(layer.streams(), states):
            changed = layer.run_once(batch, call)
        passed.update(name for name in changed if changed[name] is batch.get(name))
        return {name: part for name, part in changed.items() if name not in passed}

    step = compiler.function_of_a_kind(changed_parts)
    return lambda batch, call, states: batch | step(batch, call, states)


class UnknownValueError(Exception):
    """Something that a layer depends on cannot be compared by its value."""


def attributes(layer: Any) -> Any:
    """The attributes of a layer that not every layer has, in a form to compare and to look up by.

    Raises:
        UnknownValueError: for a value that may change and remain the same object, like a variable.
    """
    names = vars(layer).keys() - _names_in_every_layer() - set(NOT_COMPARED)
    # TensorFlow keeps its books of what a layer holds under names of this form.
    own = sorted(name for name in names if not name.startswith("_self_"))
    return tuple((name, _frozen(getattr(layer, name))) for name in own)


@functools.cache
def _names_in_every_layer() -> frozenset[str]:
    return frozenset(vars(keras.layers.Layer()))


def _frozen(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str, bytes, type, np.generic)):
        return type(value), value
    if isinstance(value, (tuple, list)):
        return type(value), *map(_frozen, value)
    if isinstance(value, dict):
        return type(value), *((_frozen(key), _frozen(entry)) for key, entry in value.items())
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.shape, str(value.dtype), value.tobytes()
    if hasattr(value, "signature"):
        return value.signature()
    raise UnknownValueError


def _has_numbers(part: Any) -> bool:
    if not isinstance(part, (np.ndarray, np.generic)):
        return False
    return bool(np.issubdtype(part.dtype, np.number) or part.dtype == np.bool_)
