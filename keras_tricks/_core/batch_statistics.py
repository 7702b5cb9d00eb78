"""BatchNorm's statistics for a model as it is: measured on data, and not as they moved while it was trained.

Each batch goes through the model in training mode, in which every BatchNorm writes down the mean and the variance of
the batch. Together they give the mean of the means, and the variance of the whole: the mean of the variances plus the
variance of the means.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core import feeding

Tensor = Any
Found = dict[str, list[list[Tensor]]]


def layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Every BatchNorm that moves its statistics in training, wherever in the model it is."""
    return [
        layer
        for layer in _within(model, set())
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and layer.built
    ]


def _within(value: Any, seen: set[int]) -> Iterator[keras.layers.Layer]:
    """The layers in `value`: Keras has no public way to those that are attributes of layers, or in lists of theirs."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, set)):
        for part in value:
            yield from _within(part, seen)
    elif isinstance(value, keras.layers.Layer) and id(value) not in seen:
        seen.add(id(value))
        yield value
        yield from _within(vars(value), seen)


def variables(model: keras.Model) -> list[keras.Variable]:
    """The statistics that an `Estimator` gives new values to."""
    return [variable for layer in layers(model) for variable in _of(layer)]


class Estimator:
    """Measures the statistics of `model`, and leaves it as it was; what is compiled for that is kept.

    Args:
        model: A model that is built. If it augments its batches in the training step, they are augmented here.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.layers = layers(model)
        self._found: Found = {}
        self._backend = importlib.import_module(f"keras_tricks._core._{keras.backend.backend()}_forward")
        self._forward: Callable[[Any, Any], tuple[Found, Any]] = self._backend.forward(model, self._measured)

    def fits(self, model: keras.Model) -> bool:
        """Whether it is made for `model`, of which layers may have been frozen since."""
        return model is self.model and [*map(id, layers(model))] == [*map(id, self.layers)]

    def estimate(self, batches: Iterable[Any]) -> list[tuple[keras.Variable, np.ndarray]]:
        """Pairs of a statistic and its new value."""
        totals = [_Total() for _ in self.layers]
        state, is_empty = None, True
        with _as_found(self.model), self._backend.random_numbers_kept(), contextlib.ExitStack() as stack:
            for index, layer in enumerate(self.layers):
                stack.enter_context(self._measuring(str(index), layer))
            for batch in batches:
                data, samples = self._data(batch)
                found, state = self._forward(state, data)
                for place, measured in found.items():
                    for mean, variance in measured:
                        totals[int(place)].add(samples, feeding.to_numpy(mean), feeding.to_numpy(variance))
                is_empty = False
        if is_empty:
            raise ValueError("`dataset` must have a batch. Received: one that gave none, or that can be read only once")
        return [
            pair
            for layer, total in zip(self.layers, totals, strict=True)
            if total.samples
            for pair in zip(_of(layer), total.statistics(layer.epsilon), strict=False)
        ]

    def _data(self, batch: Any) -> tuple[Any, int]:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        augments = hasattr(self.model, "augment_data")
        data = keras.tree.map_structure(_tensor, (x, y, sample_weight) if augments else (x, None, None))
        return data, int(keras.tree.flatten(x)[0].shape[0])

    def _measured(self, data: Any) -> Found:
        """What each layer found in a batch: the mean and the variance of each of its calls."""
        self._found = {}
        if hasattr(self.model, "augment_data"):
            data = self.model.augment_data(data)
        self.model(data[0], training=True)
        return self._found

    @contextlib.contextmanager
    def _measuring(self, index: str, layer: keras.layers.Layer) -> Iterator[None]:
        """Within it the statistics of `layer` are, after each of its calls in training mode, those of the batch."""
        call, momentum = layer.call, layer.momentum

        @functools.wraps(call)
        def measured(inputs: Tensor, training: bool | None = None, **kwargs: Any) -> Tensor:
            if not training:
                return call(inputs, training=training, **kwargs)
            for variable in _of(layer):
                variable.assign(ops.zeros(variable.shape, variable.dtype))  # 0 times what is not finite is not 0
            outputs = call(inputs, training=training, **kwargs)
            numbers = [ops.copy(ops.convert_to_tensor(variable)) for variable in _of(layer)[:2]]
            self._found.setdefault(index, []).append(numbers)
            return outputs

        layer.momentum = 0.0
        vars(layer)["call"] = measured  # past Keras' tracking of attributes
        try:
            yield
        finally:
            del vars(layer)["call"]
            layer.momentum = momentum


class _Total:
    """Mean and variance of all samples, put together from those of batches, in float64."""

    def __init__(self) -> None:
        self.samples = 0
        self.mean: Any = 0.0
        self.squares: Any = 0.0  # the sum of squared distances to the mean

    def add(self, samples: int, mean: np.ndarray, variance: np.ndarray) -> None:
        mean, variance = mean.astype("float64"), variance.astype("float64")
        distance, before = mean - self.mean, self.samples
        self.samples += samples
        self.mean = self.mean + distance * (samples / self.samples)
        self.squares = self.squares + variance * samples + distance**2 * (before * samples / self.samples)

    def statistics(self, epsilon: float) -> list[np.ndarray]:
        variance = self.squares / self.samples
        return [self.mean, variance, np.sqrt(variance + epsilon)]


def _of(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The mean and the variance; with renormalisation Keras keeps the deviation as well."""
    kept = [layer.moving_mean, layer.moving_variance, getattr(layer, "moving_stddev", None)]
    return [variable for variable in kept if variable is not None]


def _tensor(part: Any) -> Tensor:
    return None if part is None else ops.convert_to_tensor(feeding.to_numpy(part))


@contextlib.contextmanager
def _as_found(model: keras.Model) -> Iterator[None]:
    """Afterwards the statistics, and the seeds that the passes have moved on, are as before."""
    kept = [(variable, np.array(ops.convert_to_numpy(variable.value))) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)
