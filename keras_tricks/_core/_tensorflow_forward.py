"""A pass through a model in training mode on TensorFlow: in a graph."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def forward(model: keras.Model, measured: Callable[[Any], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """`run(state, data)` gives `measured(data)` and no state: the variables hold it."""
    step = tf.function(measured, autograph=False, reduce_retracing=True)
    return lambda state, data: (step(data), state)


def random_numbers_kept() -> contextlib.AbstractContextManager[None]:
    """Here a model draws from seeds of its own."""
    return contextlib.nullcontext()
