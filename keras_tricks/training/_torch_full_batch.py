"""Losses and gradients of a model on torch."""

from collections.abc import Callable
from typing import Any

import keras
import torch


def loss_and_gradients(model: keras.Model, loss_of: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, list[Any]]]:
    """A function of a batch, at the weights that the model has; what the model counts and draws moves on."""

    def evaluate(data: Any) -> tuple[Any, list[Any]]:
        loss = loss_of(data)
        weights = [variable.value for variable in model.trainable_variables]
        return loss.detach(), list(torch.autograd.grad(loss, weights, materialize_grads=True))

    return evaluate
