"""RandomBrightnessContrast."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import LEVELS, ColorAugmentation


class RandomBrightnessContrast(ColorAugmentation):
    """Shifts the brightness of images and scales their contrast, both at once.

    `level = middle + factor * (level - middle) + shift`, then clipped, with `factor ~ U(1 - contrast, 1 + contrast)`,
    `shift ~ 255 * U(-brightness, brightness)` per image, and `middle = 127.5`.

    The brightness is added, as in Albumentations, whose contrast scales from black and so changes the brightness too;
    here it scales from the middle of the range. `ColorJitter` multiplies the brightness, and scales from the mean.

    Helps when: images differ in exposure.
    Hurts when: brightness carries the class.
    Cost: one pass over the batch.

    Args:
        brightness: Largest shift, as a share of the range, in [0, 1].
        contrast: Largest change of the factor, in [0, 1].
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: if `brightness` or `contrast` is not in [0, 1].

    Example:
        ```python
        changed = kt.augment.RandomBrightnessContrast(brightness=0.2, contrast=0.2, seed=1)(images)
        assert changed.shape == images.shape
        ```

    Reference: [Buslaev et al., 2018](https://arxiv.org/abs/1809.06839)
    """

    def __init__(self, brightness: float = 0.2, contrast: float = 0.2, **kwargs: Any):
        super().__init__(**kwargs)
        self.brightness = checks.rate("brightness", brightness)
        self.contrast = checks.rate("contrast", contrast)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The factor and the shift of each image."""
        draws = 2.0 * random.uniform(seed, (shape[0], 1, 1, 2)) - 1.0
        return {
            "factor": 1.0 + self.contrast * draws[..., :1],
            "shift": (LEVELS * self.brightness) * draws[..., 1:],
        }

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images with another contrast and brightness."""
        return levels * params["factor"] + (LEVELS / 2 * (1.0 - params["factor"]) + params["shift"])

    def spare(self, params: Params, touched: Tensor) -> Params:
        """A factor of 1 and a shift of 0."""
        share = ops.cast(touched, "float32")[:, None, None, None]
        return {"factor": 1.0 + share * (params["factor"] - 1.0), "shift": share * params["shift"]}
