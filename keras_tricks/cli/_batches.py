"""The training images in random order, as a function of the seed and the step alone."""

import keras
import numpy as np


class ShuffledBatches(keras.utils.PyDataset):
    """The batches of all epochs from `first_epoch` on, for one `fit` with `steps_per_epoch`.

    Batch i of epoch e depends on nothing but the seed, e and i. So a resumed run meets the batches that an
    uninterrupted one does, however far ahead a backend reads. The images that do not fill a batch are left out, other
    ones in each epoch.

    Args:
        images: `(count, ...)`.
        labels: `(count,)`.
        batch_size: Images in a batch; all of them if there are fewer.
        seed: Of the order.
        first_epoch: The epoch of batch 0.
        total_epochs: The epoch after the last.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
        total_epochs: int = 1,
    ):
        super().__init__()
        self.images = images
        self.labels = labels
        self.batch_size = min(batch_size, len(images))
        self.seed = seed
        self.first_epoch = first_epoch
        self.total_epochs = total_epochs
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """The batches of one epoch."""
        return len(self.images) // self.batch_size

    @property
    def num_batches(self) -> int:
        """The batches of all epochs."""
        return self.steps_per_epoch * (self.total_epochs - self.first_epoch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(index, self.steps_per_epoch)
        order = self._epoch_order(self.first_epoch + epoch)
        chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
        return self.images[chosen], self.labels[chosen]

    def _epoch_order(self, epoch: int) -> np.ndarray:
        kept = self._order
        if kept is None or kept[0] != epoch:
            kept = self._order = (epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self.images)))
        return kept[1]
