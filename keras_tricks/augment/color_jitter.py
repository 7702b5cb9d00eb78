"""ColorJitter."""

from typing import Any

from keras_tricks._core import checks
from keras_tricks.augment._jitter import HUE_METHODS, JitterAugmentation


class ColorJitter(JitterAugmentation):
    """Changes brightness, contrast, saturation and hue, in an order drawn for each image.

    With `gray = 0.299 * red + 0.587 * green + 0.114 * blue`, and a `factor` of its own in each step:
    brightness `level = factor * level`; contrast `level = mean + factor * (level - mean)` about the `mean` of `gray`;
    saturation `level = gray + factor * (level - gray)`; hue, in HSV, `hue = hue + turns`. The levels are clipped
    after each step, as in torchvision.

    Helps when: light, exposure and cameras differ; contrastive learning.
    Hurts when: colour carries the class, and `saturation` or `hue` are large.
    Cost: two passes over the batch, in one of which every pixel is computed twice if contrast changes.

    Args:
        brightness: b for factors from U(max(0, 1 - b), 1 + b), or a pair, the range of the factors; 0 for none.
        contrast: As `brightness`.
        saturation: As `brightness`.
        hue: h in [0, 0.5] for U(-h, h) turns of the circle of colours, or a pair in [-0.5, 0.5].
        hue_method: "hsv", or "linear": a rotation of the colours about gray, which keeps the luma. It is cheaper, and
            14 levels away from "hsv" on average at 0.1 turns of two photographs.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 3)`, or of one channel, which has no saturation and no hue.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: for an argument out of its range; at the first call for images of another number of channels.

    Example:
        ```python
        jittered = kt.augment.ColorJitter(0.4, 0.4, 0.4, 0.1, seed=1)(images)
        assert jittered.shape == images.shape
        ```

    Reference: [Howard, 2013](https://arxiv.org/abs/1312.5402)
    """

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0.0,
        contrast: float | tuple[float, float] = 0.0,
        saturation: float | tuple[float, float] = 0.0,
        hue: float | tuple[float, float] = 0.0,
        hue_method: str = "hsv",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.set_spans(brightness, contrast, saturation, hue)
        self.hue_method = checks.one_of("hue_method", hue_method, HUE_METHODS)
