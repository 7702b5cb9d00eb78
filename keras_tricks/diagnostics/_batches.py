"""Batches, round after round, of whatever `fit` takes."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_tricks._core import feeding

Batch = tuple[Any, Any, Any]


def batches(data: Any, batch_size: int) -> Iterator[Batch]:
    """Batches `(x, y, sample_weight)` of NumPy arrays without an end: the data are gone through again and again.

    Arrays are shuffled, each round in its own order, always the same; data sets come as they do.
    """
    is_of_arrays = feeding.is_of_arrays(data)
    rounds = _rounds_of_arrays(feeding.arrays("train_data", data), batch_size) if is_of_arrays else _rounds_of(data)
    for batch in rounds:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(keras.tree.map_structure(feeding.to_numpy, batch))
        yield x, y, weight


def _rounds_of_arrays(arrays: tuple[Any, ...], batch_size: int) -> Iterator[Any]:
    count = feeding.sample_count(arrays)
    batch_size = min(batch_size, count)
    for number in range(2**31):
        order = np.random.default_rng(number).permutation(count)
        for start in range(0, count - batch_size + 1, batch_size):
            yield feeding.chosen(arrays, order[start : start + batch_size])


def _rounds_of(data: Any) -> Iterator[Any]:
    while True:
        is_empty = True
        for batch in feeding.one_round("train_data", data):
            is_empty = False
            yield batch
        if is_empty:
            raise ValueError(f"`train_data` ended before the test did, or has no batch. Received: train_data={data!r}")
