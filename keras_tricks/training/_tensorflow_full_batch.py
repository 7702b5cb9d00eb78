"""Losses and gradients of a model on TensorFlow, as a graph."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def loss_and_gradients(model: keras.Model, loss_of: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, list[Any]]]:
    """A function of a batch, at the weights that the model has; what the model counts and draws moves on."""

    @tf.function(autograph=False)
    def evaluate(data: Any) -> tuple[Any, list[Any]]:
        weights = [variable.value for variable in model.trainable_variables]
        with tf.GradientTape() as tape:
            loss = loss_of(data)
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return evaluate
