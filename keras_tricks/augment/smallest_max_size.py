"""SmallestMaxSize."""

from typing import Any

from keras_tricks._core import checks
from keras_tricks.augment._resizing import ShortSideResizing


class SmallestMaxSize(ShortSideResizing):
    """Resizes images such that the short side is `max_size`: `Resize`, by the name that Albumentations has for it.

    Args:
        max_size: The short side in pixels, at least 1.
        **kwargs: As `Resize`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: images with a short side of `max_size`, in the layer's compute dtype.

    Raises:
        ValueError: for a `max_size` that is no count.

    Example:
        ```python
        assert kt.augment.SmallestMaxSize(16)(images).shape == (8, 16, 16, 3)
        ```
    """

    def __init__(self, max_size: int, interpolation: str = "bilinear", antialias: bool = True, **kwargs: Any):
        super().__init__(interpolation, antialias, **kwargs)
        self.max_size = self.short_side = checks.count("max_size", max_size)
