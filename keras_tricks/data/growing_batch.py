"""GrowingBatch."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from keras_tricks._core import checks, feeding
from keras_tricks.data._live import LiveCount
from keras_tricks.data._sources import Arrays, PyBatches, Stream

# What `factor ** stage` may be short of a whole number by rounding.
HAIR = 1e-9


class GrowingBatch(keras.utils.PyDataset):
    """Batches that grow at given epochs, instead of a learning rate that falls; one `fit` goes through it all.

    From epoch `boundaries[k - 1]` on, `floor(factor ** k)` small batches come as one, as far as `maximum` allows. The
    last, shorter batch of an epoch is kept. `fit`'s progress bar shows each epoch's own number of steps.

    Arrays are shuffled anew in each epoch. Of a data set the neighbouring batches are joined, in its order: a
    `tf.data.Dataset` or `DataLoader` shuffles itself, and is gone through from the front in each epoch.

    The epoch is counted by passes: a `fit` begins at `initial_epoch`. Where that is not so, pass
    `callbacks=[growing.callback()]`: with `keras.callbacks.BackupAndRestore`, and under a TensorFlow strategy of few
    batches, where Keras' look at the first ones may be all of them. `steps_per_epoch` is not for it.

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
            self._source: Any = Arrays(dataset, batch_size, shuffle, seed)
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
        self._is_told = self._is_within = self._is_finished = self._is_new_loop = False
        self._furthest = -1

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
        if not self._is_within:
            self._is_new_loop = True
        self._source.open(self._joined_at(self.epoch))
        return LiveCount(self.__len__)

    def __len__(self) -> int:
        return self.batches_at(self.epoch)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < self.batches_at(0):
            raise IndexError(f"batch {index} of {len(self)}")
        self._furthest = max(self._furthest, index)
        # A reader left over from an epoch of smaller batches may ask for one that is no more.
        return self._source.group(min(index, len(self) - 1), self._joined_at(self.epoch), self.epoch)

    def on_epoch_begin(self) -> None:
        """Called by `fit`."""
        if self._is_finished and not self._is_told:
            self.epoch += 1
        self._is_within, self._is_finished, self._furthest = True, False, -1
        self._source.begin_epoch()

    def on_epoch_end(self) -> None:
        """Called by `fit`: after each epoch, and once before the first, maybe after a look at a batch or two."""
        # Between the epochs of a loop nobody asks for their number, but on TensorFlow, where a reader that is never
        # used does so when it comes to it. There, in turn, nobody looks at batches before the first epoch.
        is_before_first = self._is_new_loop and keras.backend.backend() != "tensorflow"
        self._is_finished = self._is_within and not is_before_first and self._furthest >= len(self) - 1
        self._is_new_loop = False
        if not self._is_finished and not self._is_told:
            self.epoch = self.initial_epoch
        self._is_within = False
        self._source.end_epoch()

    def tell(self, epoch: int | None) -> None:
        """It is `epoch`, whatever passes there were; None: passes count again."""
        self._is_told = epoch is not None
        self.epoch = self.initial_epoch if epoch is None else epoch

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

    def on_train_end(self, logs: Any = None) -> None:
        self.growing.tell(None)


def growth(factor: float, stage: int, batch_size: int, maximum: int | None) -> int:
    """How many small batches make one after `stage` boundaries."""
    most = math.inf if maximum is None else maximum // batch_size
    # Beyond any data set, and still a float.
    exponent = min(stage * math.log(factor), math.log(2.0**62))
    return int(min(math.floor(math.exp(exponent) * (1 + HAIR) + HAIR), most))
