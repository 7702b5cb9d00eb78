"""A batch in pieces on JAX: a loop in the compiled step, so that the memory of a piece is free for the next.

On a processor XLA makes the weight gradients of convolutions inside a loop tens of times slower: there the pieces stand
one after the other in the program, and each is cut out where the gradients before it say, so that it cannot begin
before they are there. (XLA drops an `optimization_barrier` before it puts things in order.)
"""

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
    if full and jax.default_backend() == "cpu":
        for start in range(0, full * size, size):
            part = _cut_after(total, data, start, size)
            logs, state, total = train_on(state, part, size / count, total)
    elif full:
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


def _cut_after(total: list[Any], data: Any, start: int, size: int) -> Any:
    """The samples from `start` on, once `total` is computed; where it is not a number any more, any samples will do."""
    known = sum((jax.numpy.ravel(gradient)[0].astype("float32") for gradient in total), 0.0)
    begin = start - jax.numpy.isnan(known).astype("int32")
    return keras.tree.map_structure(
        lambda whole: None if whole is None else jax.lax.dynamic_slice_in_dim(whole, begin, size), data
    )
