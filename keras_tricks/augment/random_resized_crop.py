"""RandomResizedCrop."""

import math
from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._resizing import Box, ResizingAugmentation, central_box

TRIES = 10
Span = float | tuple[float, float]


class RandomResizedCrop(ResizingAugmentation):
    """Cuts a box of random area and aspect ratio out of each image and resizes it to one size: Inception's crop.

    The area is uniform in `area`, as a share of the image's; the ratio width / height is uniform on a log scale in
    `aspect`. The first of ten draws that fits into the image is taken, at a corner uniform over the whole pixels where
    it fits; if none fits, the largest central box with a ratio within `aspect`. At inference, and for images that are
    not touched, it is the largest central box with the ratio of `size`.

    Helps when: objects are seen at any size and place; the standard of ImageNet.
    Hurts when: small images or small objects: a crop of 8 % of the area may miss what the label says.
    Cost: a gather of four pixels for each pixel; where it antialiases or is bicubic, of a few along each axis.

    Args:
        size: Height and width of what comes out, in pixels; an integer for both.
        area: Smallest and largest area of the box, shares of the image's, above 0, up to 1; or one number.
        aspect: Smallest and largest ratio of width to height, above 0; or one number.
        interpolation: "bilinear" or "bicubic"; masks take the nearest pixel.
        antialias: Whether to widen the kernel where a box shrinks, as Pillow does.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: images `(batch, size[0], size[1], channels)`, in the layer's compute dtype.

    Raises:
        ValueError: for a `size`, `area`, `aspect` or `interpolation` out of its range.

    Example:
        ```python
        cropped = kt.augment.RandomResizedCrop(24, area=(0.25, 1), seed=1)(images)
        assert cropped.shape == (8, 24, 24, 3)
        ```

    Reference: [Szegedy et al., 2014](https://arxiv.org/abs/1409.4842)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        area: Span = (0.08, 1.0),
        aspect: Span = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        antialias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(interpolation, antialias, **kwargs)
        self.size = checks.size("size", size)
        self.area = checks.span("area", area, 1e-6, 1.0)
        self.aspect = checks.span("aspect", aspect, 1e-6)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The box of each image."""
        count, image_height, image_width, _ = shape
        draws = random.uniform(seed, (count, 2 * TRIES + 3))
        rows, columns = ops.number(image_height), ops.number(image_width)
        areas = random.spread(draws[:, :TRIES], self.area) * (rows * columns)
        low, high = map(math.log, checks.ends(self.aspect))
        ratios = ops.exp(random.spread(draws[:, TRIES : 2 * TRIES], (low, high)))
        heights, widths = ops.round(ops.sqrt(areas / ratios)), ops.round(ops.sqrt(areas * ratios))
        fits = ops.logical_and(
            ops.logical_and(heights >= 1, heights <= rows), ops.logical_and(widths >= 1, widths <= columns)
        )
        counted = ops.cast(fits, "float32")
        first = counted * ops.cast(ops.cumsum(counted, axis=1) == 1, "float32")
        fallback = 1.0 - ops.sum(first, axis=1)
        middle_height, middle_width = self._legal_size(image_height, image_width)
        height = ops.sum(heights * first, axis=1) + fallback * middle_height
        width = ops.sum(widths * first, axis=1) + fallback * middle_width
        place = draws[:, -3:-1]
        top = _corner(rows - height, place[:, 0], fallback)
        left = _corner(columns - width, place[:, 1], fallback)
        drawn = within = (top, left, height, width)
        if self.rate < 1:
            touched = draws[:, -1] < self.rate
            zeros = ops.zeros_like(top)
            drawn = _where(touched, drawn, self._inference_box(shape, top))
            within = _where(touched, within, (zeros, zeros, zeros + rows, zeros + columns))
        return self.params_of(drawn, self.size, within)

    def inference_params(self, shape: tuple[Any, ...]) -> Params | None:
        """The largest central box with the ratio of `size`."""
        box = self._inference_box(shape, ops.zeros((shape[0],), "float32"))
        return self.params_of(box, self.size)

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """`size`."""
        return self.size

    def _inference_box(self, shape: tuple[Any, ...], like: Tensor) -> Box:
        rows, columns = (ops.zeros_like(like) + ops.number(side) for side in shape[1:3])
        height = ops.minimum(rows, columns * (self.size[0] / self.size[1]))
        return central_box(shape[1:3], (height, height * (self.size[1] / self.size[0])), like)

    def _legal_size(self, height: Any, width: Any) -> tuple[Any, Any]:
        """The largest whole pixels with a ratio within `aspect`."""
        low, high = checks.ends(self.aspect)
        if isinstance(height, int) and isinstance(width, int):
            return round(min(height, width / low)), round(min(width, height * high))
        rows, columns = ops.number(height), ops.number(width)
        return ops.round(ops.minimum(rows, columns / low)), ops.round(ops.minimum(columns, rows * high))


def _where(touched: Tensor, new: Box, old: Box) -> Box:
    top, left, height, width = (ops.where(touched, *pair) for pair in zip(new, old, strict=True))
    return top, left, height, width


def _corner(room: Tensor, uniform: Tensor, middle: Tensor) -> Tensor:
    """A whole number from 0 to `room`, uniform, or its half (rounded down) where `middle` is 1."""
    drawn = ops.minimum(ops.floor(uniform * (room + 1.0)), room)
    return drawn + middle * (ops.floor(room * 0.5) - drawn)
