"""Two passes over a batch on TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_tricks.training import _pieces, _sharpness


def train_in_two_passes(trainer: keras.Model, step: Callable[[Any], Any], data: Any) -> Any:
    """One update from one batch."""
    state = [(variable, ops.copy(variable)) for variable in trainer.non_trainable_variables]
    with _pieces.gradients_kept(trainer) as keeper:
        logs = step(data)
    weights = trainer.trainable_weights
    if not weights:
        return logs
    # Those of an embedding come as rows, the same one several times.
    first = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in keeper.gradients]
    places = _sharpness.moved(weights, first)

    def second() -> list[Any]:
        values = [tf.convert_to_tensor(weights[place].value) for place in places]
        tops, norm = _sharpness.raised(trainer.sharpness, values, [first[place] for place in places])
        mapping = dict(zip(places, tops, strict=True))
        values = [(weight, mapping.get(place, weight.value)) for place, weight in enumerate(weights)]
        with keras.StatelessScope([*state, *values], collect_losses=True), tf.GradientTape() as tape:
            tape.watch(tops)
            loss = _sharpness.scaled_loss(trainer, data)
        gradients = tape.gradient(loss, tops, unconnected_gradients="zero")
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        if _sharpness.skips_overflow(trainer.optimizer):
            gradients = [gradient + tf.cast(0 * norm, gradient.dtype) for gradient in gradients]
        return gradients

    found = [first[place] for place in places]
    gradients = second() if trainer.sharpness.every == 1 else tf.cond(_sharpness.is_due(trainer), second, lambda: found)
    for place, gradient in zip(places, gradients, strict=True):
        first[place] = gradient
    trainer.optimizer.apply_gradients(zip(first, weights, strict=True))
    return logs
