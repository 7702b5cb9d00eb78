"""Two passes over a batch on JAX."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import keras

from keras_tricks.training import _pieces, _sharpness

Function = Callable[[Any, Iterator[Any]], tuple[Any, Any]]


def train_in_two_passes(
    trainer: keras.Model, step: Callable[[Any, Any], tuple[Any, Any]], state: Any, data: Any
) -> tuple[Any, Any]:
    """One update from one batch, as a function of the `state` of all variables."""
    trainable, non_trainable, optimizer, metrics = state
    with _pieces.gradients_kept(trainer) as keeper:
        logs, (_, non_trainable_after, _, metrics_after) = step(state, data)
    first = keeper.gradients
    places = _sharpness.moved(trainer.trainable_variables, first)

    def loss_at(weights: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        rest = non_trainable, metrics, x, y, sample_weight
        return trainer.compute_loss_and_updates(weights, *rest, training=True, optimizer_variables=optimizer)[0]

    def second() -> list[Any]:
        weights, gradients = list(trainable), list(first)
        slopes = [first[place] for place in places]
        tops, norm = _sharpness.raised(trainer.sharpness, [trainable[place] for place in places], slopes)
        for place, top in zip(places, tops, strict=True):
            weights[place] = top
        found = jax.grad(loss_at)(weights)
        for place in places:
            gradients[place] = found[place]
        if _sharpness.skips_overflow(trainer.optimizer):
            gradients = [gradient + (0 * norm).astype(gradient.dtype) for gradient in gradients]
        return gradients

    is_due = _is_due(trainer, optimizer)
    if isinstance(is_due, bool):
        gradients = second() if is_due else first
    else:
        gradients = jax.lax.cond(is_due, second, lambda: first)
    trainable, optimizer = trainer.optimizer.stateless_apply(optimizer, gradients, trainable)
    return logs, (trainable, non_trainable_after, optimizer, metrics_after)


def chooses_on_host(trainer: keras.Model) -> bool:
    """Whether a step with two passes and one with a single pass are compiled, and one of them is called.

    On a processor XLA makes convolutions inside a condition up to forty times slower. To know which to call the host
    waits for the step before: on an accelerator, where it would stand still, the condition is part of the step.
    """
    return trainer.sharpness is not None and trainer.sharpness.every > 1 and jax.default_backend() == "cpu"


def chosen_on_host(trainer: keras.Model, make: Callable[[], None]) -> Function:
    """The train function that has each batch go through a step of one pass or of two; `make` has Keras make one."""
    functions = {takes_two: _made(trainer, make, takes_two) for takes_two in (True, False)}

    def function(state: Any, batches: Iterator[Any]) -> tuple[Any, Any]:
        logs: Any = None
        for batch in batches:
            logs, state = functions[bool(_asked(trainer, state[2]))](state, iter([batch]))
        return logs, state

    return function


def _made(trainer: keras.Model, make: Callable[[], None], takes_two: bool) -> Function:
    train_step, known = trainer.train_step, vars(trainer)
    before = known.get("train_step")

    # A function of its own: JAX compiles one, and not its second use, by what it did at its first.
    def step(state: Any, data: Any) -> tuple[Any, Any]:
        known["takes_two_passes"] = takes_two
        try:
            return train_step(state, data)
        finally:
            del known["takes_two_passes"]

    known["train_step"] = step
    try:
        make()
    finally:
        del known["train_step"]
        if before is not None:
            known["train_step"] = before
    return trainer.train_function


def _is_due(trainer: keras.Model, optimizer: Any) -> Any:
    if trainer.sharpness.every == 1:
        return True
    chosen = trainer.__dict__.get("takes_two_passes")
    return _asked(trainer, optimizer) if chosen is None else chosen


def _asked(trainer: keras.Model, optimizer: Any) -> Any:
    with keras.StatelessScope(state_mapping=list(zip(trainer.optimizer.variables, optimizer, strict=True))):
        return _sharpness.is_due(trainer)
