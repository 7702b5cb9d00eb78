"""BatchNorm's statistics, measured anew."""

from collections.abc import Iterator
from typing import Any

import keras

from keras_tricks._core import batch_statistics, checks, feeding
from keras_tricks._core.config import Configured


class RefreshBatchNorm(Configured, keras.callbacks.Callback):
    """Measures BatchNorm's statistics anew, for the weights as they are when training ends.

    While a model is trained, each BatchNorm moves its mean and variance towards those of every batch, which other
    weights made. Here some batches go through the weights that are left:

    `mean = mean of the batches' means`,
    `variance = mean of the batches' variances + variance of their means`,

    each batch by its number of samples. The pass is one of training: dropout is at work, each BatchNorm normalises by
    its batch, and in a `kt.Trainer` the batches are augmented as for the next steps. Seeds, weights and frozen layers
    stay as they are. A model without BatchNorm has nothing to be measured, and `dataset` is not looked at then.

    It stands last among the callbacks, so that the weights are the final ones. With an average of the weights,
    `kt.callbacks.EvaluateWithAverage(refresh_batch_norm=dataset)` does this for the average, whenever that is used.

    Helps when: the moving statistics lag behind (a `momentum` near 1 in a short run), batches were small, or the
    weights are not those that were trained: averaged, pruned, put together.
    Hurts when: the few samples given are not like those of training.
    Cost: as many forward passes as there are batches.

    Args:
        dataset: What `fit` takes, of which the inputs are used: arrays `x`, `(x, y)`; a data set of batches that can be
            gone through again. The augmentations of a `kt.Trainer` may need the labels.
        batches: At most how many batches, at least 1; None for all that there are.
        batch_size: Samples of a batch of arrays, which are shuffled, each time alike; that of training is best.
        each_epoch: Whether this is done each epoch as well, before the validation if there is one. What is learned
            does not depend on it.
        verbose: 1 for a progress bar.

    Raises:
        ValueError: if an argument is out of range; in use, if `dataset` gives no batch.

    Example:
        ```python
        model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        x = np.random.default_rng(0).normal(5.0, 2.0, size=(64, 4))
        model.fit(x, np.zeros((64, 1)), callbacks=[kt.callbacks.RefreshBatchNorm(x)], verbose=0)
        assert np.allclose(keras.ops.convert_to_numpy(model.layers[0].moving_mean), x.mean(axis=0), atol=1e-4)
        ```

    Reference: [Wu & Johnson, 2021](https://arxiv.org/abs/2105.07576), "precise BatchNorm";
        [Izmailov et al., 2018](https://arxiv.org/abs/1803.05407), for averaged weights
    """

    def __init__(
        self,
        dataset: Any,
        batches: int | None = 200,
        batch_size: int = 32,
        each_epoch: bool = False,
        verbose: int = 0,
    ):
        super().__init__()
        self.dataset = dataset
        self.batches = checks.optional_count("batches", batches)
        self.batch_size = checks.count("batch_size", batch_size)
        self.each_epoch = checks.one_of("each_epoch", each_epoch, (True, False))
        self.verbose = verbose
        self._estimator: batch_statistics.Estimator | None = None
        self._in_fit = False
        self._is_done = False

    def refresh(self, model: keras.Model) -> None:
        """Does it now."""
        for variable, value in self.estimate(model):
            variable.assign(value)

    def estimate(self, model: keras.Model) -> list[tuple[keras.Variable, Any]]:
        """Pairs of a statistic and the value it should have; `model` stays as it is."""
        if not batch_statistics.layers(model):
            return []
        if self._estimator is None or not self._estimator.fits(model):
            self._estimator = batch_statistics.Estimator(model)
        batches = feeding.some_batches("dataset", self.dataset, self.batch_size, self.batches)
        return self._estimator.estimate(self._shown(batches) if self.verbose else batches)

    def _shown(self, batches: Iterator[Any]) -> Iterator[Any]:
        bar, done = keras.utils.Progbar(self.batches, unit_name="batch of statistics"), 0
        for done, batch in enumerate(batches, 1):
            yield batch
            bar.update(done, finalize=False)
        bar.update(done, finalize=True)

    def set_model(self, model: keras.Model) -> None:
        """A run begins."""
        super().set_model(model)
        self._in_fit = False

    def on_train_begin(self, logs: Any = None) -> None:
        """A call of `fit` begins."""
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The weights are going to change."""
        self._is_done = False

    def on_test_begin(self, logs: Any = None) -> None:
        """Measures before a validation, if it is to be done each epoch."""
        if self._in_fit:
            self._refresh_in_epoch()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Measures where there was no validation, if it is to be done each epoch."""
        self._refresh_in_epoch()

    def on_train_end(self, logs: Any = None) -> None:
        """Measures for the weights that are left."""
        self._in_fit = False
        self.refresh(self.model)

    def _refresh_in_epoch(self) -> None:
        if self.each_epoch and not self._is_done:
            self.refresh(self.model)
            self._is_done = True
