"""A batch in pieces on JAX: a loop in the compiled step, so that the memory of a piece is free for the next."""

from collections.abc import Callable
from typing import Any

import jax
import keras

from keras_tricks.training import _pieces


def train_in_pieces(
    trainer: keras.Model, step: Callable[[Any, Any], tuple[Any, Any]], state: Any, data: Any, size: int
) -> tuple[Any, Any]:
    """One update from one batch, in pieces of `size` samples, as a function of the `state` of all variables."""
    count = _pieces.samples(data)
    full = count // size

    def train_on(state: Any, part: Any) -> tuple[Any, Any, list[Any]]:
        with _pieces.gradients_kept(trainer) as keeper:
            logs, state = step(state, part)
        return logs, state, keeper.gradients

    def in_the_loop(carried: tuple[Any, Any], part: Any) -> tuple[tuple[Any, Any], Any]:
        state, total = carried
        logs, state, gradients = train_on(state, part)
        return (state, _pieces.added(total, gradients, size / count)), logs

    total, logs = None, None
    if full:
        pieces = jax.tree.map(lambda whole: whole[: full * size].reshape(full, size, *whole.shape[1:]), data)
        zeros = [jax.numpy.zeros_like(weight) for weight in state[0]]
        (state, total), all_logs = jax.lax.scan(in_the_loop, (state, zeros), pieces)
        logs = jax.tree.map(lambda values: values[-1], all_logs)
    if count > full * size:
        logs, state, gradients = train_on(state, _pieces.piece(data, full * size, None))
        total = _pieces.added(total, gradients, (count - full * size) / count)
    trainable, non_trainable, optimizer, metrics = state
    trainable, optimizer = trainer.optimizer.stateless_apply(optimizer, total, trainable)
    return logs, (trainable, non_trainable, optimizer, metrics)
