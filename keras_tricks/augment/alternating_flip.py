"""AlternatingFlip."""

import functools
from typing import Any

import numpy as np

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Batch, Params, Tensor
from keras_tricks.augment._flipping import FlippingAugmentation

GRID = 8
LEVELS = 255.0


class AlternatingFlip(FlippingAugmentation):
    """Mirrors each image left-right in every other epoch: half of the images in the even ones, the others in the odd.

    Whether an image is mirrored in the first epoch is decided once, by a hash of the seed and of who the image is; the
    epoch is the number of the call divided by `steps_per_epoch`. So in any two epochs that follow one another an image
    is seen both ways, where independent flips show it the same way twice in half of the cases.

    Who an image is, is told by its own pixels, 64 places of it in levels: shuffling does not matter, equal images are
    flipped alike, and no list of the images is kept. It has to come first therefore, before anything that changes the
    images. In a batch given as a dict, a part "index" with the number of each image is used instead.

    The calls have to be those of one epoch after another: in `Trainer`, in a loop, in `dataset.map(layer)` without
    parallel calls; not in worker processes, nor in `keras_tricks.data.augment`, which number their calls themselves.

    Helps when: training is short, a few to some dozens of epochs; the paper claims the accuracy of random flips in
    fewer epochs, on CIFAR-10 and ImageNet.
    Hurts when: the direction matters: text, digits, traffic signs.
    Cost: one pass over the batch, in the dtype it has.

    Args:
        steps_per_epoch: Batches in an epoch, the last one counted even if it is not full.
        rate: Share of the images that take part, the same ones in all epochs.
        **kwargs: `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given.

    Raises:
        ValueError: if `steps_per_epoch` is not an integer of at least 1; when it is called in a worker process.

    Example:
        ```python
        flip = kt.augment.AlternatingFlip(steps_per_epoch=1, seed=1)
        first, second = (np.asarray(flip(images)) for _ in range(2))
        np.testing.assert_array_equal(first, second[:, :, ::-1])
        ```

    Reference: [Jordan, 2024](https://arxiv.org/abs/2404.00498), section 3.6
    """

    counts_calls = True

    def __init__(self, steps_per_epoch: int, rate: float = 1.0, **kwargs: Any):
        super().__init__(rate=rate, **kwargs)
        self.steps_per_epoch = checks.count("steps_per_epoch", steps_per_epoch)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The first epoch of images that are numbered from 0."""
        return self._flips(shape, seed, ops.arange(shape[0], dtype="int32"), 0)

    def augment(self, batch: Batch, call: Tensor, place: str = "", seed: Tensor | None = None) -> Batch:
        """The batch, mirrored as the identities of its images and the epoch of `call` say."""
        # The key of call 0 in every call: what is drawn for an image stays.
        key = self.stream_key(ops.zeros_like(call), place, seed)
        index = batch.get("index")
        identities = (
            self._identities(batch["images"]) if index is None else ops.reshape(ops.cast(index, "int32"), (-1,))
        )
        shape = self.channels_last_shape(batch["images"])
        return self.transform(batch, self._flips(shape, key, identities, call // self.steps_per_epoch))

    def _flips(self, shape: tuple[Any, ...], key: Tensor, identities: Tensor, epoch: Tensor | int) -> Params:
        decision, part = (random.bits_of(one, identities) for one in random.split(key, 2))
        mirrored = ops.equal((ops.bitwise_and(decision, 1) + epoch) % 2, ops.ones_like(decision))
        share = ops.cast(ops.bitwise_and(ops.right_shift(part, 8), 0xFFFFFF), "float32") * 2.0**-24
        return {
            "horizontal": ops.logical_and(mirrored, share < self.rate),
            "height": shape[1],
            "width": shape[2],
        }

    def _identities(self, images: Tensor) -> Tensor:
        """An int32 for each image, from the levels on a grid of places: the same whatever its type and range."""
        rows = 1 if self.data_format == "channels_last" else 2
        for axis in (rows, rows + 1):
            places = (ops.arange(GRID, dtype="int32") * 2 + 1) * ops.shape(images)[axis] // (2 * GRID)
            images = ops.take(images, places, axis=axis)
        if rows == 2:
            images = ops.transpose(images, (0, 2, 3, 1))
        low, high = self.value_range
        pixels = ops.cast(images, "float32")
        levels = pixels if (low, high) == (0, LEVELS) else (pixels - low) * (LEVELS / (high - low))
        channels = min(self.known_channels(images), 4)
        levels = ops.cast(ops.round(ops.clip(levels, 0.0, LEVELS)), "int32")[..., :channels]
        levels = ops.reshape(levels, (-1, GRID * GRID * channels))
        return ops.cast(ops.sum(levels * ops.constant(_multipliers(channels), levels), axis=1), "int32")


@functools.cache
def _multipliers(channels: int) -> np.ndarray:
    """One for each level of a grid, so small that no sum leaves 32 bits."""
    drawn = [random.words(f"level {number}")[0] for number in range(GRID * GRID * channels)]
    return np.array(drawn, "int32") & 0x7FFF
