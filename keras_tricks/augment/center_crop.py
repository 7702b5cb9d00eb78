"""CenterCrop."""

from typing import Any

from keras_tricks._core import checks, ops
from keras_tricks.augment._resizing import Box, FixedResizing, central_window, short_side_scale


class CenterCrop(FixedResizing):
    """Resizes images to a short side of `round(size / ratio)` and cuts the window in the middle: how models are tested.

    The same in training and at inference.

    Helps when: testing what was trained with RandomResizedCrop: 0.875 is the usual ratio, 0.95 that of newer recipes.
    Hurts when: what decides the class stands at the border.
    Cost: a weighted sum of a few pixels for each pixel, along columns and then along rows.

    Args:
        size: Height and width of the window, in pixels; an integer for both.
        ratio: The smaller side of the window as a share of the image's short side, above 0, up to 1.
        interpolation: "bilinear" or "bicubic"; masks take the nearest pixel.
        antialias: Whether to widen the kernel where an image shrinks, as Pillow does.
        **kwargs: `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: images `(batch, size[0], size[1], channels)`, in the layer's compute dtype.

    Raises:
        ValueError: for a `size` that is none, a `ratio` out of its range; at the first call for images whose other
            side is too short for a window that is not square.

    Example:
        ```python
        assert kt.augment.CenterCrop(24)(images, training=False).shape == (8, 24, 24, 3)
        ```

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        ratio: float = 0.875,
        interpolation: str = "bilinear",
        antialias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(interpolation, antialias, **kwargs)
        self.size = checks.size("size", size)
        self.ratio = checks.rate("ratio", ratio)
        if self.ratio == 0:
            raise checks.fail("ratio", "above 0, up to 1", ratio)
        self.short_side = round(min(self.size) / self.ratio)

    def size_of(self, height: Any, width: Any) -> tuple[Any, Any]:
        """`size`, if such a window fits."""
        if isinstance(height, int) and isinstance(width, int):
            resized = short_side_scale(height, width, self.short_side)
            if self.size[0] > resized[0] or self.size[1] > resized[1]:
                raise ValueError(
                    f"The window must fit into images of short side {self.short_side}. "
                    f"Received: size={self.size}, images of {height} x {width} pixels"
                )
        return self.size

    def box(self, height: Any, width: Any) -> Box:
        """The window in the middle."""
        return central_window((height, width), self.short_side, self.size, ops.zeros((1,), "float32"))

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """`size`."""
        return self.size
