"""RandomCrop."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import BatchAugmentation, Boxes, Params, Tensor


class RandomCrop(BatchAugmentation):
    """Cuts a window of a fixed size out of each image, at a place drawn for each image, after padding it.

    The window's corner is uniform over the places where the window fits into the padded image. At inference, and
    for images that are not touched, the window is in the middle: without a change of size the image itself.

    Helps when: objects are not centred; with `padding=4` on 32x32 images it is the standard of CIFAR-10.
    Hurts when: the position carries the class.
    Cost: one gather of the batch, in the dtype it has.

    Args:
        size: Height and width of the window in pixels, an integer for both; None keeps the images' size.
        padding: Pixels added on each of the four sides before cutting, not below 0.
        fill: What is padded: "black", the low end of `value_range`; a number in its units, for all channels; or
            "reflect" to mirror the image at its border. The colour is also what is seen around an image smaller than
            the window in a pipeline that does not know sizes before.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: images `(batch, size[0], size[1], channels)`, in the dtype given.

    Raises:
        ValueError: if the window is larger than the padded image, or a reflected padding not smaller than the image;
            for a `fill` that uint8 images cannot hold.

    Example:
        ```python
        assert kt.augment.RandomCrop(padding=4, seed=1)(images).shape == images.shape
        assert kt.augment.RandomCrop((24, 28), seed=1)(images).shape == (8, 24, 28, 3)
        ```

    Reference: [He et al., 2015](https://arxiv.org/abs/1512.03385), section 4.2
    """

    keeps_dtype = True
    samples_rate = True

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        padding: int = 0,
        fill: float | str = "black",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.size = None if size is None else checks.size("size", size)
        self.padding = checks.count("padding", padding, minimum=0)
        if fill not in (_levels.BLACK, "reflect") and not checks.is_number(fill):
            raise checks.fail("fill", 'a number, "black" or "reflect"', fill)
        self.fill = fill
        # Cut out of reflections pixels are gathered one by one; else whole windows are copied.
        self.works_in_parts = fill == "reflect"

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The corner of each image's window."""
        draws = random.uniform(seed, (shape[0], 3))
        touched = ops.cast(draws[:, 2:] < self.rate, "float32")
        return self._corners(shape, 0.5 + touched * (draws[:, :2] - 0.5))

    def inference_params(self, shape: tuple[Any, ...]) -> Params | None:
        """The window in the middle, where the size changes."""
        return None if self.size is None else self._corners(shape, ops.zeros((shape[0], 2), "float32") + 0.5)

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """The window's."""
        return (height, width) if self.size is None else self.size

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The windows, cut out of the images."""
        return self._cut(images, params, _levels.filling(self.fill, self.value_range))

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """The windows, cut out of the masks; class 0 where a constant was padded."""
        return self._cut(masks, params, self.fill if self.fill == "reflect" else 0)

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """The boxes, seen from the corner of the window."""
        corner = ops.cast(ops.stack([params["left"], params["top"]] * 2, axis=-1), "float32")
        return boxes | {"boxes": boxes["boxes"] - corner[:, None, :]}

    def _corners(self, shape: tuple[Any, ...], places: Tensor) -> Params:
        """The top and left of windows at `places`: (batch, 2) in [0, 1], from the first to the last that fits."""
        corners = {}
        for axis, name in enumerate(("top", "left")):
            size = shape[1 + axis]
            window = size if self.size is None else self.size[axis]
            self._check_fit(name, size, window)
            choices = ops.number(size - window + (2 * self.padding + 1))
            corners[name] = ops.cast(ops.floor(places[:, axis] * choices), "int32") - self.padding
        return corners

    def _check_fit(self, name: str, size: Any, window: Any) -> None:
        if not isinstance(size, int):
            return
        side = {"top": "height", "left": "width"}[name]
        if window > size + 2 * self.padding:
            raise ValueError(
                f"`size` must not be larger than the padded image. Received: size={self.size}, padding={self.padding}, "
                f"images of {side} {size}"
            )
        if self.fill == "reflect" and self.padding >= size:
            raise ValueError(
                f"`padding` must be smaller than an image that is reflected. Received: padding={self.padding}, "
                f"images of {side} {size}"
            )

    def _cut(self, images: Tensor, params: Params, fill: float | str) -> Tensor:
        count, height, width, channels = ops.shape(images)
        size = (height, width) if self.size is None else self.size
        if ops.is_torch(images) and not isinstance(fill, str):
            from keras_tricks.augment._torch_pixels import windows

            level = _in_type_of(images, fill) if self.padding else 0
            if (seen := windows(images, params["top"], params["left"], size, level)) is not None:
                return seen
        if ops.can_cut_windows(images) and (self.padding == 0 or not isinstance(fill, str)):
            padded = images if isinstance(fill, str) else self._pad(images, fill)
            return ops.windows(padded, params["top"] + self.padding, params["left"] + self.padding, size)
        rows, known_rows = _line(params["top"], height, size[0], fill)
        columns, known_columns = _line(params["left"], width, size[1], fill)
        first = ops.arange(count, dtype="int32")[:, None, None] * (height * width)
        places = first + rows[:, :, None] * width + columns[:, None, :]
        windows = ops.take(ops.reshape(images, (count * height * width, channels)), places, axis=0)
        # Where sizes are not known before, an image may be smaller than the window.
        fits = self.padding == 0 and isinstance(height, int) and isinstance(width, int)
        if isinstance(fill, str) or fits:
            return windows
        known = ops.logical_and(known_rows[:, :, None], known_columns[:, None, :])
        return ops.where(known[..., None], windows, ops.constant_like(windows, _in_type_of(windows, fill)))

    def _pad(self, images: Tensor, fill: float) -> Tensor:
        if self.padding == 0:
            return images
        widths = ((0, 0), (self.padding, self.padding), (self.padding, self.padding), (0, 0))
        return ops.pad(images, widths, constant_values=_in_type_of(images, fill))


def _in_type_of(images: Tensor, fill: float) -> float:
    dtype = str(images.dtype)
    if "uint8" in dtype and not 0 <= fill <= 255:
        raise ValueError(f"`fill` must be a level of 0 to 255 for uint8 images. Received: fill={fill!r}")
    return fill if "float" in dtype else int(fill)


def _line(corner: Tensor, size: Any, window: Any, fill: float | str) -> tuple[Tensor, Tensor]:
    """Which of the `size` lines of each image the lines of its window are, and whether there is one."""
    lines = corner[:, None] + ops.arange(window, dtype="int32")[None, :]
    if fill == "reflect":
        lines = (size - 1) - ops.abs((size - 1) - ops.abs(lines))
    known = ops.logical_and(lines >= 0, lines < size)
    return lines * ops.cast(known, "int32"), known
