"""GaussianBlur."""

import math
from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._blur import blur
from keras_tricks.augment._color import ColorAugmentation

# Standard deviations of the widest bell that the kernel holds: beyond lie 3 in 1000 of its weight.
REACH = 3


class GaussianBlur(ColorAugmentation):
    """Blurs images with a Gaussian bell.

    Each pixel becomes the mean of those around it, weighted by `exp(-distance ** 2 / (2 * sigma ** 2))`, with
    `sigma ~ U(sigma)` per image. Beyond its border the image is mirrored, the outermost pixels not repeated.

    Helps when: images differ in focus; contrastive learning; it is one of ThreeAugment's three operations.
    Hurts when: fine texture carries the class.
    Cost: `kernel_size` multiplications for each level along either axis.

    Args:
        sigma: Standard deviation of the bell in pixels, above 0; a pair is a range.
        kernel_size: Pixels along each axis, odd; None for `2 * ceil(3 * sigma) + 1` of the largest `sigma`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: if `sigma` is not above 0 or `kernel_size` is even.

    Example:
        ```python
        blurred = kt.augment.GaussianBlur(sigma=(0.1, 2.0), seed=1)(images)
        assert blurred.shape == images.shape
        ```

    Reference: [Chen et al., 2020](https://arxiv.org/abs/2002.05709)
    """

    drawn_from = ("sigma",)
    asks_for_channels = True

    def __init__(self, sigma: float | tuple[float, float] = (0.1, 2.0), kernel_size: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.sigma = checks.span("sigma", sigma, 0)
        if min(checks.ends(self.sigma)) <= 0:
            raise checks.fail("sigma", "above 0", sigma)
        self.kernel_size = checks.optional_count("kernel_size", kernel_size)
        if self.kernel_size is not None and self.kernel_size % 2 == 0:
            raise checks.fail("kernel_size", "odd", kernel_size)

    @property
    def radius(self) -> int:
        """Pixels of the kernel to each side of its middle."""
        return math.ceil(REACH * max(checks.ends(self.sigma))) if self.kernel_size is None else self.kernel_size // 2

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The standard deviation of each image."""
        return {"sigma": random.within(seed, (shape[0], 1, 1, 1), self.sigma)}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images, blurred along their columns and their rows."""
        return blur(levels, params["sigma"], self.radius)

    def spare(self, params: Params, touched: Tensor) -> Params:
        """A bell inside one pixel."""
        sigma = params["sigma"]
        return {"sigma": ops.where(touched[:, None, None, None], sigma, ops.zeros_like(sigma) + 0.01)}
