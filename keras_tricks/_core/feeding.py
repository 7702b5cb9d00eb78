"""What `fit` takes as data: arrays, or data sets that are gone through batch by batch."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks


def is_of_arrays(data: Any) -> bool:
    """Whether these are arrays in memory, of which batches are cut."""
    return isinstance(data, (tuple, dict)) or hasattr(data, "shape")


def arrays(argument: str, data: Any) -> tuple[Any, ...]:
    """`data` as a tuple of NumPy arrays (or nests of them) with equally many samples; refused under that name."""
    parts = list(data) if isinstance(data, tuple) else [data]
    while parts and parts[-1] is None:
        parts.pop()
    found: tuple[Any, ...] = tuple(keras.tree.map_structure(to_numpy, part) for part in parts)
    shapes = [np.shape(array) for array in keras.tree.flatten(found)]
    if not all(shapes):
        raise checks.fail(argument, "arrays of samples, or a data set of batches", data)
    counts = {shape[0] for shape in shapes}
    if len(counts) > 1:
        raise ValueError(f"`{argument}` must have as many samples everywhere. Received: {sorted(counts)}")
    if counts in (set(), {0}):
        raise ValueError(f"`{argument}` must not be empty. Received: {len(found)} arrays without a sample")
    return found


def sample_count(found: tuple[Any, ...]) -> int:
    """The samples of what `arrays` found."""
    return len(keras.tree.flatten(found)[0])


def chosen(found: tuple[Any, ...], places: Any) -> tuple[Any, ...]:
    """The samples at `places`."""
    return keras.tree.map_structure(lambda array: array[places], found)


def one_round(argument: str, data: Any, of_samples: bool = False) -> Iterator[Any]:
    """The batches of a data set, once; or its samples.

    A list of arrays is refused where batches are wanted: `[x, y]` would be two batches of inputs.
    """
    if not of_samples and isinstance(data, list) and any(len(getattr(part, "shape", ())) for part in data):
        shapes = [getattr(part, "shape", type(part).__name__) for part in data[:3]]
        raise ValueError(
            f"`{argument}` must be a tuple (x, y) of arrays, or a list of batches that are tuples. "
            f"Received: a list of {len(data)}, of shapes {shapes}"
        )
    if isinstance(data, keras.utils.PyDataset):
        return (data[index] for index in (itertools.count() if data.num_batches is None else range(data.num_batches)))
    try:
        return iter(data)
    except TypeError:
        raise checks.fail(argument, "arrays or a data set of batches", data) from None


def to_numpy(values: Any) -> Any:
    """A tensor of any framework, wherever it is, as an array; None stays."""
    if isinstance(values, (np.ndarray, np.generic)) or values is None:
        return values
    detached = values.detach().cpu() if hasattr(values, "detach") else values
    return np.asarray(detached)


def some_batches(argument: str, data: Any, batch_size: int, count: int | None) -> Iterator[Any]:
    """At most `count` batches of `data`, None for one round. Arrays are shuffled, always alike, and cut evenly."""
    if not is_of_arrays(data):
        return itertools.islice(one_round(argument, data), count)
    found = arrays(argument, data)
    samples = sample_count(found)
    places = np.array_split(np.random.default_rng(0).permutation(samples), -(-samples // batch_size))
    return (chosen(found, place) for place in places[:count])
