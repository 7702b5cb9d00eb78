"""Two passes over a batch on JAX."""

from collections.abc import Callable
from typing import Any

import jax
import keras

from keras_tricks.training import _pieces, _sharpness


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
        arguments = {"training": True, "optimizer_variables": optimizer}
        rest = non_trainable, metrics, x, y, sample_weight
        return trainer.compute_loss_and_updates(weights, *rest, **arguments)[0]

    def second() -> Any:
        weights = list(trainable)
        found = [weights[place] for place in places], [first[place] for place in places]
        tops, norm = _sharpness.raised(trainer.sharpness, *found)
        for place, top in zip(places, tops, strict=True):
            weights[place] = top
        gradients = jax.grad(loss_at)(weights)
        if _sharpness.skips_overflow(trainer.optimizer):
            gradients = [gradient + (0 * norm).astype(gradient.dtype) for gradient in gradients]
        return [gradients[place] if place in places else kept for place, kept in enumerate(first)]

    if trainer.sharpness.every == 1:
        gradients = second()
    else:
        with keras.StatelessScope(state_mapping=list(zip(trainer.optimizer.variables, optimizer, strict=True))):
            is_due = _sharpness.is_due(trainer)
        gradients = jax.lax.cond(is_due, second, lambda: first)
    trainable, optimizer = trainer.optimizer.stateless_apply(optimizer, gradients, trainable)
    return logs, (trainable, non_trainable_after, optimizer, metrics_after)
