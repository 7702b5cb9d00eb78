"""What only TensorFlow has: gradients that come as rows and their indices, replicas, tapes."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def as_tensor(gradient: Any) -> tf.Tensor:
    """The gradient as an ordinary tensor."""
    return tf.convert_to_tensor(gradient)


def replicas() -> int:
    """How many copies of the model the active strategy trains."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def gradient(function: Callable[[Any], Any], value: Any) -> tf.Tensor:
    """That of `function` at `value`."""
    value = tf.convert_to_tensor(value)
    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return tape.gradient(result, value)
