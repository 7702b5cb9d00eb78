"""The ways in which a function of tensors runs: eagerly, compiled, in a data pipeline.

Nothing of ours depends on TensorFlow's AutoGraph, which takes seconds to convert a layer. So these do without it; the
contract of augmentations maps every layer over a pipeline as users do, with it.
"""

import importlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_tricks._core import ops

BACKEND = keras.backend.backend()


def to_numpy(tensor: Any) -> np.ndarray:
    """The values of a tensor of any framework; bfloat16 as float32."""
    if hasattr(tensor, "numpy") and type(tensor).__module__.startswith("tensorflow"):
        return tensor.numpy()
    if "bfloat16" in str(getattr(tensor, "dtype", "")):
        tensor = keras.ops.cast(tensor, "float32")
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def eagerly(function: Callable[[Any], Any], argument: np.ndarray) -> Any:
    """`function` of a tensor of the active backend."""
    return function(keras.ops.convert_to_tensor(argument))


def compiled(function: Callable[[Any], Any], argument: np.ndarray) -> Any:
    """`function` under `jax.jit` or TensorFlow's XLA; torch runs eagerly."""
    if BACKEND == "jax":
        return importlib.import_module("jax").jit(function)(keras.ops.convert_to_tensor(argument))
    if BACKEND == "tensorflow":
        tf = importlib.import_module("tensorflow")
        return tf.function(function, jit_compile=True, autograph=False)(tf.constant(argument))
    return eagerly(function, argument)


def first_call(layer: Any, batch: Any) -> Any:
    """What a fresh `layer` makes of its first batch; on JAX compiled as a whole.

    JAX otherwise compiles every operation, one after another, for each shape that it has not met: seconds.
    """
    if BACKEND != "jax":
        return layer(batch)
    return importlib.import_module("jax").jit(layer.numbered)(batch, 0)


def in_pipeline(function: Callable[[Any], Any], argument: np.ndarray) -> Any:
    """`function` inside a `tf.data` map, under any backend."""
    tf = importlib.import_module("tensorflow")

    def mapped(tensor: Any) -> Any:
        if BACKEND == "tensorflow":
            return function(tensor)
        with ops.tensorflow_graph():
            return function(tensor)

    as_written = tf.autograph.experimental.do_not_convert(mapped)
    return next(iter(tf.data.Dataset.from_tensors(argument).map(as_written)))
