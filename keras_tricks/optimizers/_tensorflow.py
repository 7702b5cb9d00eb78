"""What only TensorFlow has: gradients of an embedding that come as rows and their indices."""

from typing import Any

import tensorflow as tf


def as_tensor(gradient: Any) -> tf.Tensor:
    """The gradient as an ordinary tensor."""
    return tf.convert_to_tensor(gradient)
