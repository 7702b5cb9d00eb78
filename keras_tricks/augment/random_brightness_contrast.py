"""RandomBrightnessContrast."""

import math
from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import LEVELS, ColorAugmentation

Span = float | tuple[float, float]


class RandomBrightnessContrast(ColorAugmentation):
    """Shifts the brightness of images and scales their contrast, both at once.

    `level = middle + factor * (level - middle) + 255 * shift`, then clipped, with `middle = 127.5`, and of each image
    `factor ~ U(1 - contrast, 1 + contrast)` and `shift ~ U(-brightness, brightness)`, unless ranges are given.

    The brightness is added, as in Albumentations, whose contrast scales from black and so changes the brightness too;
    here it scales from the middle of the range. `ColorJitter` multiplies the brightness, and scales from the mean.

    Helps when: images differ in exposure.
    Hurts when: brightness carries the class.
    Cost: one pass over the batch.

    Args:
        brightness: Largest shift, to both sides, as a share of the range, in [0, 1]; or a pair in [-1, 1], the range
            of the shifts.
        contrast: Largest change of the factor, in [0, 1]; or a pair, not below 0, the range of the factors.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: if `brightness` or `contrast` is out of its range.

    Example:
        ```python
        changed = kt.augment.RandomBrightnessContrast(brightness=0.2, contrast=0.2, seed=1)(images)
        assert changed.shape == images.shape
        ```

    Reference: [Buslaev et al., 2018](https://arxiv.org/abs/1809.06839)
    """

    def __init__(self, brightness: Span = 0.2, contrast: Span = 0.2, **kwargs: Any):
        super().__init__(**kwargs)
        is_pair = isinstance(brightness, (tuple, list))
        self.brightness = checks.span("brightness", brightness, -1 if is_pair else 0, 1)
        self.contrast = checks.span("contrast", contrast, 0, math.inf if isinstance(contrast, (tuple, list)) else 1)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The factor and the shift of each image."""
        draws = random.uniform(seed, (shape[0], 1, 1, 2))
        factors = self.contrast if isinstance(self.contrast, tuple) else (1.0 - self.contrast, 1.0 + self.contrast)
        return {
            "factor": random.spread(draws[..., :1], factors),
            "shift": LEVELS * random.spread(draws[..., 1:], checks.both_ways(self.brightness)),
        }

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images with another contrast and brightness."""
        offset = LEVELS / 2 * (1.0 - params["factor"]) + params["shift"]
        return _levels.scaled(levels, params["factor"], offset)

    def spare(self, params: Params, touched: Tensor) -> Params:
        """A factor of 1 and a shift of 0."""
        share = ops.cast(touched, "float32")[:, None, None, None]
        return {"factor": 1.0 + share * (params["factor"] - 1.0), "shift": share * params["shift"]}
