"""A batch in pieces on torch, one after another."""

from collections.abc import Callable
from typing import Any

import keras
import torch

from keras_tricks.training import _pieces


def train_in_pieces(trainer: keras.Model, step: Callable[[Any], Any], data: Any, size: int) -> Any:
    """One update from one batch, in pieces of `size` samples."""
    weights = trainer.trainable_weights
    count, logs = _pieces.samples(data), None
    total: list[Any] = [None] * len(weights)
    for start in range(0, count, size):
        end = min(start + size, count)
        with _pieces.gradients_kept(trainer, (end - start) / count) as keeper:
            logs = step(_pieces.piece(data, start, end))
        total = _pieces.added(total, keeper.gradients or [None] * len(weights))
    if weights:
        with torch.no_grad():
            trainer.optimizer.apply(_pieces.in_type_of(weights, total), weights)
    return logs
