"""A batch in pieces on JAX: a loop in the compiled step, so that the memory of a piece is free for the next."""

from collections.abc import Callable
from typing import Any

import jax
import keras
from keras import ops

from keras_tricks.training import _pieces

# Of no type: mypy 2.4 breaks down over this one.
scan: Any = jax.lax.scan


def train_in_pieces(
    trainer: keras.Model, step: Callable[[Any, Any], tuple[Any, Any]], state: Any, data: Any, size: int
) -> tuple[Any, Any]:
    """One update from one batch, in pieces of `size` samples, as a function of the `state` of all variables."""
    count = _pieces.samples(data)
    full = count // size

    def train_on(state: Any, part: Any, share: float, total: Any) -> tuple[Any, Any, Any]:
        with _pieces.gradients_kept(trainer, share) as keeper:
            logs, state = step(state, part)
        return logs, state, _pieces.added(total, keeper.gradients)

    def stacked(whole: Any) -> Any:
        return None if whole is None else ops.reshape(whole[: full * size], (full, size, *whole.shape[1:]))

    def in_the_loop(carried: tuple[Any, Any], part: Any) -> tuple[tuple[Any, Any], Any]:
        logs, state, total = train_on(carried[0], part, size / count, carried[1])
        return (state, total), logs

    logs = None
    total = [ops.zeros_like(weight, _pieces.wide(weight.dtype.name)) for weight in state[0]]
    if full:
        pieces = keras.tree.map_structure(stacked, data)
        (state, total), all_logs = scan(in_the_loop, (state, total), pieces)
        logs = {name: values[-1] for name, values in all_logs.items()}
    if count > full * size:
        rest = _pieces.piece(data, full * size, None)
        logs, state, total = train_on(state, rest, (count - full * size) / count, total)
    trainable, non_trainable, optimizer, metrics = state
    total = _pieces.in_type_of(trainer.trainable_variables, total)
    trainable, optimizer = trainer.optimizer.stateless_apply(optimizer, total, trainable)
    return logs, (trainable, non_trainable, optimizer, metrics)
