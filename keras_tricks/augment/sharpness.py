"""Sharpness."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class Sharpness(ColorAugmentation):
    """Sharpens or softens images, as Pillow does.

    `level = smooth + factor * (level - smooth)`, with `factor ~ U(factor)` per image and `smooth` the mean over 3x3
    pixels, the middle one counted five times; the outermost pixels stay as they are.

    Helps when: images differ in focus or in how they were scaled; it is one of the operations of most policies.
    Hurts when: fine texture carries the class, far from 1.
    Cost: one 3x3 filter.

    Args:
        factor: Not below 0; a pair is a range. 0 is the smooth image, 1 leaves the image, above 1 is sharper.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: if a factor is below 0.

    Example:
        ```python
        sharper = kt.augment.Sharpness(factor=(1, 3), seed=1)(images)
        assert sharper.shape == images.shape
        ```

    Reference: [Cubuk et al., 2018](https://arxiv.org/abs/1805.09501)
    """

    drawn_from = ("factor",)

    def __init__(self, factor: float | tuple[float, float] = (0.5, 1.5), **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = checks.span("factor", factor, 0)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The factor of each image."""
        return {"factor": random.within(seed, (shape[0], 1, 1, 1), self.factor)}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images, sharper or softer."""
        return _levels.sharpen(levels, params["factor"])

    def spare(self, params: Params, touched: Tensor) -> Params:
        """A factor of 1."""
        factor = params["factor"]
        return {"factor": ops.where(touched[:, None, None, None], factor, ops.ones_like(factor))}
