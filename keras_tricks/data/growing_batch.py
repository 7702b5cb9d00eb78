"""GrowingBatch."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_tricks._core import checks, feeding
from keras_tricks.data._live import LiveCount
from keras_tricks.data._sources import Arrays, PyBatches, Source, Stream

# What `factor ** stage` may be short of a whole number by rounding.
HAIR = 1e-9


class GrowingBatch(keras.utils.PyDataset):
    """Batches that grow at given epochs, instead of a learning rate that falls; one `fit` goes through it all.

    From epoch `boundaries[k - 1]` on, `floor(factor ** k)` small batches come as one, as far as `maximum` allows. The
    last, shorter batch of an epoch is kept. `fit`'s progress bar shows each epoch's own number of steps.

    Arrays are shuffled anew in each epoch. Of a data set the neighbouring batches are joined, in its order: a
    `tf.data.Dataset` or `DataLoader` shuffles itself, and is gone through from the front in each epoch.

    The epoch is counted by passes: a `fit` begins at `initial_epoch`. Where that is not known before, as with
    `keras.callbacks.BackupAndRestore`, or where the same object is evaluated during its own `fit`, pass
    `callbacks=[growing.callback()]`. `steps_per_epoch` is not for it, nor are a PyDataset's `workers` used.

    Where the activations of a batch do not fit into memory, `keras_tricks.Trainer(model, micro_batch_size=...)` does
    the same update in pieces.

    Helps when: a run has a step decay and the accelerator has room: the same curve over the epochs in fewer, larger
    updates, which the paper shows up to a batch of a tenth of the data set.
    Hurts when: the batch is as large as the model bears already: every further factor needs a smaller rate again.
    Cost: none; fewer updates for each epoch.

    Args:
        dataset: Arrays `(x, y)` or `(x, y, sample_weight)`, a `keras.utils.PyDataset`, a `tf.data.Dataset`, a torch
            `DataLoader`, or anything else of a known length that is iterated by batches.
        batch_size: Samples of a small batch of arrays, 32 by default. For a data set of single samples, how many make
            a small batch; leave it out for one of batches.
        boundaries: Epochs from which on batches are larger, increasing, each at least 1.
        factor: How many times larger, above 1.
        maximum: The largest batch, in samples, at least one small batch; None is no limit.
        shuffle: Whether arrays are shuffled.
        seed: Of the order of arrays, an integer in [0, 2**31); None draws one.
        initial_epoch: The epoch at which a `fit` begins, as `fit`'s own.

    Raises:
        ValueError: for an argument out of its range, an empty data set or one of unknown length.

    Example:
        ```python
        growing = kt.data.GrowingBatch((images, labels), batch_size=2, boundaries=[1, 2], factor=2)
        assert [growing.batch_size_at(epoch) for epoch in range(3)] == [2, 4, 8]
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(growing, epochs=3, verbose=0)
        assert int(model.optimizer.iterations) == 4 + 2 + 1
        ```

    Reference: [Smith et al., 2017](https://arxiv.org/abs/1711.00489)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        boundaries: Sequence[int] = (),
        factor: float = 5.0,
        maximum: int | None = None,
        shuffle: bool = True,
        seed: int | None = None,
        initial_epoch: int = 0,
    ):
        super().__init__()
        self.boundaries = checks.increasing("boundaries", boundaries)
        if not checks.is_number(factor) or not 1 < factor < math.inf:
            raise checks.fail("factor", "above 1", factor)
        self.factor = float(factor)
        self.initial_epoch = checks.count("initial_epoch", initial_epoch, minimum=0)
        batch_size = checks.optional_count("batch_size", batch_size)
        seed = checks.seed("seed", seed)
        if feeding.is_of_arrays(dataset):
            self._source: Source = Arrays(dataset, batch_size, shuffle, seed)
        elif not isinstance(dataset, keras.utils.PyDataset):
            self._source = Stream(dataset, batch_size)
        elif batch_size is None:
            self._source = PyBatches(dataset)
        else:
            raise checks.fail("batch_size", "None for a PyDataset, which comes in batches", batch_size)
        self.batch_size = self._source.batch_size
        self.maximum = checks.optional_count("maximum", maximum)
        if maximum is not None and maximum < self.batch_size:
            raise checks.fail("maximum", f"at least the small batch of {self.batch_size}", maximum)
        self.epoch = self.initial_epoch
        self._told: int | None = None
        # How often an epoch was said to have ended since its last batch; None before that.
        self._ends: int | None = None

    def batch_size_at(self, epoch: int) -> int:
        """Samples of a batch in `epoch`; the last one of an epoch may have fewer."""
        return self._joined_at(epoch) * self.batch_size

    def batches_at(self, epoch: int) -> int:
        """Batches, and so updates, of `epoch`."""
        return -(-self._source.batches // self._joined_at(epoch))

    def callback(self) -> keras.callbacks.Callback:
        """A callback for `fit` that says which epoch it is, instead of counting passes."""
        return _TellEpoch(self)

    @property
    def num_batches(self) -> Any:
        """The batches of the epoch that it is whenever this number is looked at."""
        self._source.open(self._joined_at(self.epoch))
        return LiveCount(self.__len__, self._see_the_end)

    def __len__(self) -> int:
        return self.batches_at(self.epoch)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < self.batches_at(0):
            raise IndexError(f"batch {index} of {len(self)}")
        # A reader left over from an epoch of smaller batches may ask for one that is no more.
        return self._source.group(min(index, len(self) - 1), self._joined_at(self.epoch), self.epoch)

    def on_epoch_begin(self) -> None:
        """Called by `fit`: before each epoch, and before a look at a batch or two that comes before the first."""
        # A new `fit` says once more that an epoch has ended, before its first one; an epoch that was broken off, or
        # only looked at, has not come to its end.
        follows = self._ends == 1
        if self._told is not None:
            self.epoch = self._told
        else:
            self.epoch = self.epoch + 1 if follows else self.initial_epoch
        self._told = self._ends = None
        self._source.begin_epoch()

    def on_epoch_end(self) -> None:
        """Called by `fit`: after each epoch, and once before the first."""
        if self._ends is not None:
            self._ends += 1
        self._source.end_epoch()

    def tell(self, epoch: int) -> None:
        """The epoch that begins now is `epoch`, whatever passes there were."""
        self._told = epoch

    def _see_the_end(self) -> None:
        if self._ends is None:
            self._ends = 0

    def _joined_at(self, epoch: int) -> int:
        """How many small batches are one."""
        stage = sum(epoch >= boundary for boundary in self.boundaries)
        return growth(self.factor, stage, self.batch_size, self.maximum)


class _TellEpoch(keras.callbacks.Callback):
    def __init__(self, growing: GrowingBatch):
        super().__init__()
        self.growing = growing

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.growing.tell(epoch)


def growth(factor: float, stage: int, batch_size: int, maximum: int | None) -> int:
    """How many small batches make one after `stage` boundaries."""
    most = math.inf if maximum is None else maximum // batch_size
    # Beyond any data set, and still a float.
    exponent = min(stage * math.log(factor), math.log(2.0**62))
    return int(min(math.floor(math.exp(exponent) * (1 + HAIR) + HAIR), most))
