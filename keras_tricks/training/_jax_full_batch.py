"""Losses and gradients of a model on JAX, compiled."""

from collections.abc import Callable
from typing import Any

import jax
import keras


def loss_and_gradients(model: keras.Model, loss_of: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, list[Any]]]:
    """A function of a batch, at the weights that the model has; what the model counts and draws moves on."""

    def loss_at(weights: Any, others: Any, data: Any) -> tuple[Any, Any]:
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        mapping = list(zip(variables, [*weights, *others], strict=True))
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            loss = loss_of(data)
        return loss, [scope.get_current_value(variable) for variable in model.non_trainable_variables]

    compiled = jax.jit(jax.value_and_grad(loss_at, has_aux=True))

    def evaluate(data: Any) -> tuple[Any, list[Any]]:
        weights = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        (loss, others), gradients = compiled(weights, others, data)
        for variable, value in zip(model.non_trainable_variables, others, strict=True):
            variable.assign(value)
        return loss, gradients

    return evaluate
