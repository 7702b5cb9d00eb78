"""Resize."""

from typing import Any

from keras_tricks._core import checks
from keras_tricks.augment._resizing import ShortSideResizing


class Resize(ShortSideResizing):
    """Resizes images such that the short side is `short_side`, and keeps the ratio of the sides.

    The long side is rounded. The same in training and at inference.

    Helps when: images are larger than the model needs.
    Cost: a weighted sum of a few pixels for each pixel, along columns and then along rows.

    Args:
        short_side: In pixels, at least 1.
        interpolation: "bilinear" or "bicubic"; masks take the nearest pixel.
        antialias: Whether to widen the kernel where an image shrinks, as Pillow does.
        **kwargs: `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: images with a short side of `short_side`, in the layer's compute dtype.

    Raises:
        ValueError: for a `short_side` that is no count.

    Example:
        ```python
        assert kt.augment.Resize(16)(images).shape == (8, 16, 16, 3)
        assert kt.augment.Resize(16)(np.zeros((8, 20, 40, 3))).shape == (8, 16, 32, 3)
        ```
    """

    def __init__(self, short_side: int, interpolation: str = "bilinear", antialias: bool = True, **kwargs: Any):
        super().__init__(interpolation, antialias, **kwargs)
        self.short_side = checks.count("short_side", short_side)
