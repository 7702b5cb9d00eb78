"""The loss of a model over all of its data, as a function of one vector of its weights."""

import importlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_tricks._core import feeding
from keras_tricks.training import _loss

Tensor = Any
Loss = Callable[..., Tensor]


class FullBatch:
    """The objective, and the best that it was found to be.

    Args:
        model: The model, whose trainable weights are set at each evaluation.
        data: Arrays `(x, y)` or `(x, y, sample_weight)`.
        batch_size: How many samples go through the model at once: the objective is the mean over all.
        loss: None for the compiled one.
        training: Whether the model is called as in training.

    Attributes:
        evaluations: How often loss and gradient were computed.
        best: The lowest finite objective, and its vector.
        tried: The objectives of the evaluations, to be emptied by whoever looks at them.
    """

    def __init__(self, model: keras.Model, data: Any, batch_size: int | None, loss: Loss | None, training: bool):
        self.model, self.data, self.loss, self.training = model, data, loss, training
        self.count = feeding.sample_count(data)
        self.batch_size = batch_size or self.count
        self.evaluations = 0
        self.tried: list[float] = []
        self.best: tuple[float, np.ndarray] | None = None
        self._whole = None if self.batch_size < self.count else _tensors(data)
        self._last: tuple[np.ndarray, float, np.ndarray] | None = None
        backend = importlib.import_module(f"keras_tricks.training._{keras.backend.backend()}_full_batch")
        self._loss_and_gradients = backend.loss_and_gradients(model, self._loss_of)

    @property
    def vector(self) -> np.ndarray:
        """The model's trainable weights, one after another, in float64."""
        weights = [feeding.to_numpy(keras.ops.convert_to_tensor(weight)) for weight in self.model.trainable_variables]
        return np.concatenate([np.ravel(weight) for weight in weights]).astype("float64")

    @vector.setter
    def vector(self, vector: np.ndarray) -> None:
        start = 0
        for weight in self.model.trainable_variables:
            end = start + int(np.prod(weight.shape))
            weight.assign(vector[start:end].reshape(weight.shape))
            start = end

    def __call__(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """The objective and its gradient; computed once where the same vector comes twice in a row."""
        if self._last is None or not np.array_equal(vector, self._last[0]):
            self._last = (vector.copy(), *self.evaluate(vector))
        return self._last[1:]

    def evaluate(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """The objective and its gradient."""
        self.vector = vector
        objective, gradient = 0.0, np.zeros(vector.shape)
        for start in range(0, self.count, self.batch_size):
            end = min(start + self.batch_size, self.count)
            whole = self._whole
            batch = _tensors(feeding.chosen(self.data, slice(start, end))) if whole is None else whole
            loss, gradients = self._loss_and_gradients(batch)
            objective += (end - start) / self.count * float(loss)
            gradients = np.concatenate([np.ravel(feeding.to_numpy(part)) for part in gradients])
            gradient += (end - start) / self.count * gradients
        self.tried.append(objective)
        self.evaluations += 1
        if np.isfinite(objective) and (self.best is None or objective < self.best[0]):
            self.best = objective, vector.copy()
        return objective, gradient

    def take_best(self) -> None:
        """Leaves the model with the weights of the lowest objective."""
        if self.best is not None:
            self.vector = self.best[1]

    def _loss_of(self, data: Any) -> Tensor:
        if self.training and hasattr(self.model, "augment_data"):
            data = self.model.augment_data(data)
        if self.loss is None:
            return _loss.compiled_loss(self.model, data, self.training)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        loss = self.loss(y, self.model(x, training=self.training), sample_weight=sample_weight)
        return loss + sum(keras.ops.sum(penalty) for penalty in self.model.losses)


def _tensors(data: Any) -> Any:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, data)
