"""Accuracy against integer and soft targets alike."""

from typing import Any

from keras import ops

from keras_tricks._core import targets
from keras_tricks._core.config import Configured
from keras_tricks.metrics._base import MeanOverSamples, Tensor


class Accuracy(Configured, MeanOverSamples):
    """The share of predictions whose largest entry is that of the target, for class ids and for soft rows.

    `mean(argmax(y_pred) == y_true)`, and for rows `mean(argmax(y_pred) == argmax(y_true))`: the same metric, in the
    same compiled model, follows training on mixed labels and validation on integers. A row of zeros (a class id that
    was out of range) is never met. On mixed labels it is a lower bound of what the model knows: the second class of a
    mixed image does not count.

    Args:
        name: The metric's name in the logs.
        dtype: The dtype of the sums, float32 at least.

    Input shape: predictions `(..., classes)`, probabilities or logits of 2 classes or more; targets `(...)` or
        `(..., 1)` of integers, or `(..., classes)`.

    Raises:
        ValueError: for floating-point targets without a class axis; for targets whose shape does not match the
            predictions.

    Example:
        ```python
        accuracy = kt.metrics.Accuracy()
        probabilities = np.array([[0.9, 0.1], [0.4, 0.6]], "float32")
        accuracy.update_state(np.array([0, 0]), probabilities)
        assert float(accuracy.result()) == 0.5
        accuracy.update_state(np.array([[0.7, 0.3], [0.2, 0.8]]), probabilities)
        assert float(accuracy.result()) == 0.75
        ```
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """1 for each prediction that meets its target, 0 for the others."""
        ids = targets.class_ids(y_true, y_pred)
        if ids is None:
            largest = ops.cast(ops.argmax(y_true, axis=-1), "int32")
            ids = ops.where(ops.any(ops.cast(y_true, "bool"), axis=-1), largest, -1)
        return ops.cast(ops.equal(ids, ops.cast(ops.argmax(y_pred, axis=-1), ids.dtype)), self.dtype)
