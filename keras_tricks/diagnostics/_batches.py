"""Batches, round after round, of whatever `fit` takes."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks

Batch = tuple[Any, Any, Any]


def batches(data: Any, batch_size: int) -> Iterator[Batch]:
    """Batches `(x, y, sample_weight)` of NumPy arrays without an end: the data are gone through again and again.

    Arrays are shuffled, each round in its own order, always the same; data sets come as they do.
    """
    is_of_arrays = isinstance(data, (tuple, dict)) or hasattr(data, "shape")
    rounds = _rounds_of_arrays(_arrays(data), batch_size) if is_of_arrays else _rounds_of(data)
    for batch in rounds:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(keras.tree.map_structure(_to_numpy, batch))
        yield x, y, weight


def _arrays(data: Any) -> tuple[Any, ...]:
    parts = data if isinstance(data, tuple) else (data,)
    arrays: tuple[Any, ...] = tuple(keras.tree.map_structure(_to_numpy, part) for part in parts if part is not None)
    shapes = [np.shape(array) for array in keras.tree.flatten(arrays)]
    if not all(shapes):
        raise checks.fail("train_data", "arrays of samples, or a data set of batches", data)
    counts = {shape[0] for shape in shapes}
    if len(counts) > 1:
        raise ValueError(f"`train_data` must have as many samples everywhere. Received: {sorted(counts)}")
    if counts in (set(), {0}):
        raise ValueError(f"`train_data` must not be empty. Received: {len(arrays)} arrays without a sample")
    return arrays


def _rounds_of_arrays(arrays: tuple[Any, ...], batch_size: int) -> Iterator[Any]:
    count = len(keras.tree.flatten(arrays)[0])
    batch_size = min(batch_size, count)
    for number in range(2**31):
        order = np.random.default_rng(number).permutation(count)
        for start in range(0, count - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield keras.tree.map_structure(lambda array: array[chosen], arrays)  # noqa: B023 - used at once


def _rounds_of(data: Any) -> Iterator[Any]:
    while True:
        is_empty = True
        for batch in _one_round(data):
            is_empty = False
            yield batch
        if is_empty:
            raise ValueError(f"`train_data` ended before the test did, or has no batch. Received: train_data={data!r}")


def _one_round(data: Any) -> Iterator[Any]:
    if isinstance(data, keras.utils.PyDataset):
        return (data[index] for index in (itertools.count() if data.num_batches is None else range(data.num_batches)))
    try:
        return iter(data)
    except TypeError:
        raise checks.fail("train_data", "arrays or a data set of batches", data) from None


def _to_numpy(values: Any) -> Any:
    if isinstance(values, (np.ndarray, np.generic)) or values is None:
        return values
    detached = values.detach().cpu() if hasattr(values, "detach") else values
    return np.asarray(detached)
