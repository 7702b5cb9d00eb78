"""RandomScaleCrop."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._resizing import ResizingAugmentation, central_window, middle


class RandomScaleCrop(ResizingAugmentation):
    """Resizes each image to a short side drawn for it, and cuts a window of one size out of it: VGG's and ResNet's.

    The short side is a whole number uniform in `short_side`, both ends included, the long one follows, rounded; the
    window's corner is uniform over the places where it fits. At inference, and for images that are not touched, the
    short side is the smallest one and the window is in the middle.

    Helps when: objects are seen at several sizes; milder than RandomResizedCrop, since the ratio of the sides stays.
    Hurts when: images are smaller than `short_side`: they are blown up first.
    Cost: a weighted sum of a few pixels for each pixel, along columns and then along rows.

    Args:
        short_side: Smallest and largest short side, in pixels; an integer is fixed.
        size: Height and width of the window, in pixels, not above the smallest short side; an integer for both.
        interpolation: "bilinear" or "bicubic"; masks take the nearest pixel.
        antialias: Whether to widen the kernel where an image shrinks, as Pillow does.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: images `(batch, size[0], size[1], channels)`, in the layer's compute dtype.

    Raises:
        ValueError: for a `short_side` that is no range of whole numbers, a `size` above it.

    Example:
        ```python
        assert kt.augment.RandomScaleCrop((32, 48), size=28, seed=1)(images).shape == (8, 28, 28, 3)
        ```

    Reference: [He et al., 2015](https://arxiv.org/abs/1512.03385), section 3.4
    """

    def __init__(
        self,
        short_side: int | tuple[int, int] = (256, 480),
        size: int | tuple[int, int] = 224,
        interpolation: str = "bilinear",
        antialias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(interpolation, antialias, **kwargs)
        self.short_side = checks.size("short_side", short_side)
        self.size = checks.size("size", size)
        if self.short_side[0] > self.short_side[1]:
            raise checks.fail("short_side", "a pair (low, high) with low not above high", short_side)
        if max(self.size) > self.short_side[0]:
            raise checks.fail("size", f"not above the smallest short_side={self.short_side[0]}", size)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The box of each image that becomes the window."""
        draws = random.uniform(seed, (shape[0], 4))
        low, high = self.short_side
        short_side = low + ops.floor(draws[:, 0] * (high - low + 1))
        touched = ops.cast(draws[:, 3] < self.rate, "float32")
        short_side = low + touched * (short_side - low)
        rows, columns = ops.number(shape[1]), ops.number(shape[2])
        least = ops.zeros_like(short_side) + rows
        least = ops.minimum(least, ops.zeros_like(least) + columns)
        box = []
        for axis, side in enumerate((rows, columns)):
            resized = ops.floor(side * short_side / least + 0.5)
            room = resized - self.size[axis]
            place = ops.floor(draws[:, 1 + axis] * (room + 1.0))
            central = middle(room)
            pixel = side / resized
            box.append(((central + touched * (place - central)) * pixel, self.size[axis] * pixel))
        (top, height), (left, width) = box
        return self.params_of((top, left, height, width), self.size)

    def inference_params(self, shape: tuple[Any, ...]) -> Params | None:
        """The window in the middle, of images with the smallest short side."""
        return self.params_of(
            central_window(shape[1:3], self.short_side[0], self.size, ops.zeros(shape[:1], "float32")), self.size
        )

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """`size`."""
        return self.size
