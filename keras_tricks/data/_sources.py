"""Where growing batches come from: `groups` of as many small batches as are due."""

import dataclasses
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks, feeding

DEFAULT_BATCH_SIZE = 32  # as in `fit`


class Source:
    """Base of the sources. What is told of epochs and readers matters to those that keep count.

    Attributes:
        batch_size: Samples of a small batch.
        batches: The small batches of an epoch, the last, shorter one among them.
    """

    batch_size: int
    batches: int

    def group(self, index: int, count: int, epoch: int) -> Any:
        """The `index`-th group of `count` small batches in `epoch`, as one batch."""
        raise NotImplementedError(f"{type(self).__name__} must write `group`")

    def begin_epoch(self) -> None:
        """An epoch begins."""

    def end_epoch(self) -> None:
        """An epoch has ended."""

    def open(self, count: int) -> None:
        """A reader starts, in groups of `count` small batches."""


class Arrays(Source):
    """Arrays, shuffled anew in each epoch."""

    def __init__(self, data: Any, batch_size: int | None, shuffle: bool, seed: int | None):
        self.arrays = feeding.arrays("dataset", data)
        self.samples = feeding.sample_count(self.arrays)
        self.batch_size = min(DEFAULT_BATCH_SIZE if batch_size is None else batch_size, self.samples)
        self.batches = -(-self.samples // self.batch_size)
        # Where there is no seed, `keras.utils.set_random_seed` decides.
        self.seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
        self.shuffle = shuffle
        self._order: tuple[int, np.ndarray] | None = None

    def group(self, index: int, count: int, epoch: int) -> tuple[Any, ...]:
        """The `index`-th group of `count` small batches in `epoch`, as one batch."""
        size = count * self.batch_size
        places: Any = slice(index * size, (index + 1) * size)
        return feeding.chosen(self.arrays, self._epoch_order(epoch)[places] if self.shuffle else places)

    def _epoch_order(self, epoch: int) -> np.ndarray:
        kept = self._order
        if kept is None or kept[0] != epoch:
            kept = self._order = (epoch, np.random.default_rng((self.seed, epoch)).permutation(self.samples))
        return kept[1]


class PyBatches(Source):
    """The batches of a `keras.utils.PyDataset`, neighbours joined."""

    def __init__(self, dataset: keras.utils.PyDataset):
        if dataset.num_batches is None:
            raise checks.fail("dataset", "of a known length", dataset)
        self.dataset = dataset
        self.batches = int(dataset.num_batches)
        _check_not_empty(self.batches, dataset)
        self.batch_size = _samples(dataset[0])

    def group(self, index: int, count: int, epoch: int) -> Any:
        """The `index`-th group of `count` batches, as one batch."""
        places = range(index * count, min((index + 1) * count, self.batches))
        return joined([self.dataset[place] for place in places])

    def begin_epoch(self) -> None:
        """The data set's own."""
        self.dataset.on_epoch_begin()

    def end_epoch(self) -> None:
        """The data set's own: many shuffle there."""
        self.dataset.on_epoch_end()


class Stream(Source):
    """A `tf.data.Dataset`, a torch `DataLoader`, or anything else that is iterated, neighbours joined.

    It can be read in its own order only, once in each epoch. Readers that Keras on TensorFlow starts before an epoch
    ends, and never uses, must not take anything away: they are given what was given last.
    """

    def __init__(self, dataset: Any, batch_size: int | None):
        self.dataset = dataset
        self.holds_samples = batch_size is not None
        length = _length(dataset)
        _check_not_empty(length, dataset)
        first = next(iter(feeding.one_round("dataset", dataset, self.holds_samples)))
        self.batch_size = batch_size if batch_size is not None else _samples(first)
        self.batches = -(-length // self.batch_size) if self.holds_samples else length
        self._reading: _Reading | None = None
        self._is_due, self._within = False, False
        self._last: Any = None

    def begin_epoch(self) -> None:
        """The next reader that starts goes through the data from the front."""
        self._is_due, self._within = True, True

    def end_epoch(self) -> None:
        """What is asked for now is not for training."""
        self._within = False

    def open(self, count: int) -> None:
        """A reader starts, in groups of `count` batches."""
        if self._is_due:
            self._restart(count)

    def group(self, index: int, count: int, epoch: int) -> Any:
        """The next group, whatever its `index`, as one batch."""
        if self._reading is None or (index == 0 and self._is_asked_by_hand()):
            self._restart(count)
        reading = self._reading
        if reading is None or (self._is_due and self._last is not None):
            return self._last
        with reading.lock:
            size = reading.count * (self.batch_size if self.holds_samples else 1)
            parts = list(itertools.islice(reading.iterator, size))
            if parts:
                self._last = (stacked if self.holds_samples else joined)(parts)
                reading.given += 1
            elif reading.given < -(-self.batches // reading.count):
                raise ValueError(
                    f"`dataset` must be as long as it says, {self.batches} small batches. It ended in group "
                    f"{reading.given + 1} of {reading.count} of them. Received: dataset={self.dataset!r}"
                )
            return self._last

    def _is_asked_by_hand(self) -> bool:
        # Readers left over from an epoch are threads of TensorFlow's.
        return not self._within and threading.current_thread() is threading.main_thread()

    def _restart(self, count: int) -> None:
        self._reading = _Reading(iter(feeding.one_round("dataset", self.dataset, self.holds_samples)), count)
        self._is_due = False


@dataclasses.dataclass
class _Reading:
    """One round through a data set.

    Its lock is its own: a thread that is left over from a `fit` that was broken off may hold it for ever. (TensorFlow's
    iterators wait, when they are collected, for the thread that reads from them, and that thread may be the one that
    collects them.)
    """

    iterator: Iterator[Any]
    count: int
    given: int = 0
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


def joined(batches: list[Any]) -> Any:
    """Batches as one."""
    return _combined(batches, np.concatenate)


def stacked(samples: list[Any]) -> Any:
    """Samples as a batch."""
    return _combined(samples, np.stack)


def _combined(parts: list[Any], combine: Any) -> Any:
    # A `DataLoader` gives lists of what a data set gives as tuples.
    as_tuples = [tuple(part) if isinstance(part, (list, tuple)) else part for part in parts]
    return keras.tree.map_structure(lambda *arrays: combine(list(map(feeding.to_numpy, arrays))), *as_tuples)


def _samples(batch: Any) -> int:
    shapes = [np.shape(feeding.to_numpy(part)) for part in keras.tree.flatten(batch)]
    if not shapes or not all(shapes) or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            "`batch_size` is needed for a data set of single samples. "
            f"Received: a first batch with parts of shapes {shapes}"
        )
    return shapes[0][0]


def _length(dataset: Any) -> int:
    try:
        length = int(dataset.cardinality()) if hasattr(dataset, "cardinality") else len(dataset)
    except TypeError:
        length = -1
    if length < 0:
        raise ValueError(
            "`dataset` must know its length: for a `tf.data.Dataset`, say it with "
            f"`dataset.apply(tf.data.experimental.assert_cardinality(...))`. Received: dataset={dataset!r}"
        )
    return length


def _check_not_empty(length: int, dataset: Any) -> None:
    if not length:
        raise ValueError(f"`dataset` must not be empty. Received: dataset={dataset!r}, without a batch")
