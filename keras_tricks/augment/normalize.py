"""Normalize."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_tricks._core import checks, ops
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import LEVELS, ColorAugmentation


class Normalize(ColorAugmentation):
    """Brings pixels to a mean of about 0 and a standard deviation of about 1; at inference too.

    `pixel = (pixel - mean) / std`, with pixels, `mean` and `std` in units of [0, 1], whatever `value_range` is.

    Helps when: a model was trained so, as those of timm and torchvision; last in a chain.
    Hurts when: the model normalises its input itself.
    Cost: one pass over the batch.

    Args:
        mean: Of each channel, or one for all. ImageNet's by default.
        std: Of each channel, or one for all, above 0.
        **kwargs: `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype, in training and at inference.

    Raises:
        ValueError: for a `std` that is not above 0 or a `rate` below 1; at the first call for images of another number
            of channels than `mean` or `std` has.

    Example:
        ```python
        layer = kt.augment.Normalize(mean=0.5, std=0.5)
        assert np.allclose(keras.ops.convert_to_numpy(layer(images, training=False)), images / 127.5 - 1, atol=1e-5)
        ```
    """

    is_random = False

    def __init__(
        self,
        mean: float | Sequence[float] = (0.485, 0.456, 0.406),
        std: float | Sequence[float] = (0.229, 0.224, 0.225),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if self.rate != 1:
            raise checks.fail("rate", "1: all images are normalised, or none", self.rate)
        self.mean = _per_channel("mean", mean)
        self.std = _per_channel("std", std)
        if np.min(self.std) <= 0:
            raise checks.fail("std", "above 0", std)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Nothing is random."""
        return {}

    def inference_params(self, shape: tuple[Any, ...]) -> Params | None:
        """As in training."""
        return {}

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, normalised, and not clipped."""
        counts = {len(numbers) for numbers in (self.mean, self.std) if isinstance(numbers, tuple)}
        if images.shape[-1] is not None and counts - {images.shape[-1]}:
            raise ValueError(
                f"`mean` and `std` must have a number for each channel. Received: mean={self.mean}, std={self.std}, "
                f"images of shape {tuple(images.shape)}"
            )
        mean, std = (np.asarray(numbers, "float32").reshape(-1) for numbers in (self.mean, self.std))
        scale = 1 / (LEVELS * std)
        levels = self.to_levels(images)
        return _levels.scaled(levels, ops.constant(scale, levels), -ops.constant(mean / std, levels))


def _per_channel(argument: str, value: Any) -> float | tuple[float, ...]:
    if isinstance(value, np.ndarray) and value.ndim < 2:
        value = value.tolist()
    if checks.is_number(value):
        return float(value)
    if not isinstance(value, (tuple, list)) or not value or not all(map(checks.is_number, value)):
        raise checks.fail(argument, "a number, or one for each channel", value)
    return tuple(map(float, value))
