"""A batch in pieces on TensorFlow: a loop in the graph, for batches whose size is known when they come."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_tricks.training import _pieces


def train_in_pieces(trainer: keras.Model, step: Callable[[Any], Any], data: Any, size: int) -> Any:
    """One update from one batch, in pieces of `size` samples."""
    if not trainer.model.built:
        _build(trainer, data)
    weights = trainer.trainable_weights
    if not weights:
        return step(data)
    count = tf.shape(next(part for part in tf.nest.flatten(data) if part is not None))[0]
    full = count // size
    without_gradient: set[int] = set(range(len(weights)))

    def train_on(part: Any, samples: Any, total: list[Any]) -> list[Any]:
        with _pieces.gradients_kept(trainer, samples / count) as keeper:
            step(part)
        found = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in keeper.gradients]
        without_gradient.difference_update(place for place, gradient in enumerate(found) if gradient is not None)
        return _pieces.added(total, found)

    def in_the_loop(number: Any, total: list[Any]) -> tuple[Any, list[Any]]:
        # Of a size that is known: XLA wants that.
        part = tf.nest.map_structure(
            lambda whole: None if whole is None else _lines(whole, number * size, size),
            data,
        )
        return number + 1, train_on(part, size, total)

    zeros = [tf.zeros(weight.shape, _pieces.wide(weight.dtype)) for weight in weights]
    # Side by side, the pieces would need the memory of all of them.
    loop = tf.while_loop(lambda number, total: number < full, in_the_loop, (0, zeros), parallel_iterations=1)
    total = loop[1]
    rest = _pieces.piece(data, full * size, None)
    total = tf.cond(count > full * size, lambda: train_on(rest, count - full * size, total), lambda: total)
    total = [None if place in without_gradient else gradient for place, gradient in enumerate(total)]
    trainer.optimizer.apply_gradients(zip(_pieces.in_type_of(weights, total), weights, strict=True))
    return trainer.get_metrics_result()


def _build(trainer: keras.Model, data: Any) -> None:
    images = data[0]
    if not hasattr(images, "shape"):
        raise ValueError(
            "`micro_batch_size` needs a model that is built, where it has several inputs. "
            f"Received: model={trainer.model}"
        )
    trainer.model.build((None, *images.shape[1:]))


def _lines(whole: Any, start: Any, size: int) -> Any:
    # XLA compiles the loop for batches as well that are smaller than a piece, and never go through it.
    length = tf.minimum(size, tf.shape(whole)[0])
    others = whole.shape.rank - 1
    return tf.slice(whole, [start] + [0] * others, [length] + [-1] * others)
