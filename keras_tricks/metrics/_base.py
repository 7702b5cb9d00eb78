"""How the metrics work that are the mean of a value for each sample."""

from typing import Any

import keras

from keras_tricks._core import targets

Tensor = Any


class MeanOverSamples(keras.metrics.MeanMetricWrapper):
    """Base of metrics that are a weighted mean: a metric writes `values(y_true, y_pred)`, one value for each sample.

    Sample weights and masks count as in Keras' own. The sums are kept in float32 at least: in bfloat16 a count stops
    at 256.
    """

    higher_is_better = True

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(fn=self._values, name=name, dtype=dtype)
        # What Keras' callbacks read for mode="auto".
        self._direction = "up" if self.higher_is_better else "down"

    @property
    def dtype(self) -> str:
        """The dtype of the sums and the result: float32 or longer."""
        return targets.at_least_float32(super().dtype)

    def values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value for each sample."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Name and dtype: the function is the class's own."""
        return keras.metrics.Mean.get_config(self)

    def _values(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return self.values(targets.as_array(y_true), targets.as_array(y_pred))
