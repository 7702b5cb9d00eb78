"""A batch in pieces on torch, one after another."""

from collections.abc import Callable
from typing import Any

import keras
import torch

from keras_tricks.training import _pieces


def train_in_pieces(trainer: keras.Model, step: Callable[[Any], Any], data: Any, size: int) -> Any:
    """One update from one batch, in pieces of `size` samples."""
    count, total, logs = _pieces.samples(data), None, None
    for start in range(0, count, size):
        end = min(start + size, count)
        with _pieces.gradients_kept(trainer) as keeper:
            logs = step(_pieces.piece(data, start, end))
        total = _pieces.added(total, keeper.gradients, (end - start) / count)
    with torch.no_grad():
        trainer.optimizer.apply(total, trainer.trainable_weights)
    return logs
