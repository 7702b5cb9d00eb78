"""ThreeAugment."""

import functools
from typing import Any, ClassVar

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels, _subset
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._blur import blur
from keras_tricks.augment._color import LEVELS
from keras_tricks.augment._jitter import JitterAugmentation

THRESHOLD = 128.0
SIGMA = (0.1, 2.0)
RADIUS = 6


class ThreeAugment(JitterAugmentation):
    """Does one of three things to each image, and then jitters its colours: gray, solarised or blurred.

    Each of the three for a third of the images: gray, `255 - level` for levels from 128, or a blur of
    `sigma ~ U(0.1, 2)` pixels. Then brightness, contrast and saturation change by factors from
    `U(1 - color_jitter, 1 + color_jitter)`, in an order drawn for each image. DeiT III adds a flip and a crop
    (`RandomFlip`, and `RandomCrop` or `RandomResizedCrop`).

    Helps when: vision transformers train long on ImageNet; the paper claims more than RandAugment gave there.
    Hurts when: colour carries the class.
    Cost: that of ColorJitter, and a blur of about half of the images.

    Args:
        color_jitter: In [0, 1]; 0 for none.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 3)`.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: for a `color_jitter` out of its range; at the first call for images of another number of channels.

    Example:
        ```python
        chain = kt.augment.Sequence([kt.augment.RandomFlip(), kt.augment.ThreeAugment()], seed=1)
        assert chain(images).shape == images.shape
        ```

    Reference: [Touvron et al., 2022](https://arxiv.org/abs/2204.07118)
    """

    channels: ClassVar[tuple[int, ...]] = (3,)

    def __init__(self, color_jitter: float = 0.3, **kwargs: Any):
        super().__init__(**kwargs)
        self.color_jitter = checks.rate("color_jitter", color_jitter)
        self.set_spans(self.color_jitter, self.color_jitter, self.color_jitter, 0.0)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Which of the three, how wide a blur, and the jitter."""
        own, jitter = random.split(seed, 2)
        draws = random.uniform(own, (shape[0], 2))
        which = ops.cast(ops.floor(draws[:, 0] * 3), "int32")
        sigma = random.spread(draws[:, 1], SIGMA)
        return super().sample(shape, jitter) | {"which": which, "sigma": sigma}

    def spare(self, params: Params, touched: Tensor) -> Params:
        """None of the three, and no jitter."""
        which = ops.where(touched, params["which"], ops.zeros_like(params["which"]) - 1)
        return super().spare(params, touched) | {"which": which}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The levels after one of the three, and the jitter."""
        which = params["which"]
        gray, solarized, blurred = (which == number for number in range(3))
        changed = ops.where(_per_pixel(gray), _levels.grayscale(levels) + 0.0 * levels, levels)
        changed = ops.where(
            _per_pixel(solarized), _levels.solarize(levels, THRESHOLD + 0.0 * levels[:, :1, :1, :1]), changed
        )
        sigma = _per_pixel(params["sigma"])
        changed = _subset.change(changed, blurred, 1 / 3, functools.partial(blur, radius=RADIUS), levels, sigma)
        return super().change_levels(ops.clip(changed, 0.0, LEVELS), params)


def _per_pixel(values: Tensor) -> Tensor:
    return values[:, None, None, None]
