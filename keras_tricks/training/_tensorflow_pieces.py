"""A batch in pieces on TensorFlow: a loop in the graph, for batches whose size is known when they come."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_tricks.training import _pieces


def train_in_pieces(trainer: keras.Model, step: Callable[[Any], Any], data: Any, size: int) -> Any:
    """One update from one batch, in pieces of `size` samples."""
    weights = trainer.trainable_weights
    count = tf.shape(next(part for part in tf.nest.flatten(data) if part is not None))[0]
    full = count // size
    without_gradient: set[int] = set()

    def train_on(part: Any, share: Any, total: list[Any]) -> list[Any]:
        with _pieces.gradients_kept(trainer) as keeper:
            step(part)
        without_gradient.update(place for place, gradient in enumerate(keeper.gradients) if gradient is None)
        found = [total[place] if g is None else tf.convert_to_tensor(g) for place, g in enumerate(keeper.gradients)]
        return _pieces.added(total, found, share)

    def in_the_loop(number: Any, total: list[Any]) -> tuple[Any, list[Any]]:
        # Of a size that is known: XLA wants that.
        part = tf.nest.map_structure(
            lambda whole: None if whole is None else _lines(whole, number * size, size),
            data,
        )
        return number + 1, train_on(part, size / count, total)

    zeros = [tf.zeros(weight.shape, weight.dtype) for weight in weights]
    _, total = tf.while_loop(lambda number, total: number < full, in_the_loop, (0, zeros))
    rest = _pieces.piece(data, full * size, None)
    total = tf.cond(count > full * size, lambda: train_on(rest, (count - full * size) / count, total), lambda: total)
    gradients = [None if place in without_gradient else gradient for place, gradient in enumerate(total)]
    trainer.optimizer.apply_gradients(zip(gradients, weights, strict=True))
    return trainer.get_metrics_result()


def _lines(whole: Any, start: Any, size: int) -> Any:
    # XLA compiles the loop for batches as well that are smaller than a piece, and never go through it.
    length = tf.minimum(size, tf.shape(whole)[0])
    others = whole.shape.rank - 1
    return tf.slice(whole, [start] + [0] * others, [length] + [-1] * others)
