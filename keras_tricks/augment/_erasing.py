"""How the augmentations work that cover rectangles of an image: which lines, and with what."""

from typing import Any

import numpy as np

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import BatchAugmentation, Params, Tensor

FILLS = ("pixel", "color", "normal")
NAMED = (*FILLS, _levels.BLACK)
LEVELS = 255


class ErasingAugmentation(BatchAugmentation):
    """Base of the augmentations that erase: `params` hold `rows` and `columns`, (batch, boxes, size) bools.

    A pixel is erased if its row and its column are in a box; or, if there are `pixels`, (batch, height, width) bools,
    if it is one of those. Masks and boxes stay: what is hidden is still there.

    Args:
        fill: "pixel", uniform noise; "color", one uniform colour for each box; "normal", N(0, 1) for images that are
            normalised already; "black", the low end of `value_range`; or a number or a colour in its units.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.
    """

    keeps_dtype = True
    keeps_places = True
    works_in_parts = True

    def __init__(self, fill: str | float | tuple[float, ...] = "pixel", **kwargs: Any):
        super().__init__(**kwargs)
        fill = fill.tolist() if isinstance(fill, np.ndarray) else fill
        numbers = fill if isinstance(fill, (tuple, list)) else (fill,)
        if fill not in NAMED and not (numbers and all(map(checks.is_number, numbers))):
            raise checks.fail("fill", f"{', '.join(map(repr, NAMED))}, a number or a colour (red, green, blue)", fill)
        self.fill = tuple(fill) if isinstance(fill, list) else fill

    @property
    def computes_pixels(self) -> bool:
        """Noise, not colours."""
        return self.fill in ("pixel", "normal")

    def draw_filling(self, shape: tuple[Any, ...], seed: Tensor, boxes: int = 1) -> Params:
        """What is random about the contents of the boxes."""
        count, height, width, channels = shape
        if self.fill == "color":
            return {"colors": random.integers(seed, (count, boxes, channels), 0, LEVELS + 1)}
        if self.fill not in FILLS:
            return {}
        in_a_word = 4 if self.fill == "pixel" else 2
        shared, own = random.noise_words(seed, count, (height * width * channels + in_a_word - 1) // in_a_word)
        return {"shared_words": shared, "own_words": own}

    def spare(self, params: Params, touched: Tensor) -> Params:
        """Boxes without rows."""
        if "pixels" in params:
            return params | {"pixels": ops.logical_and(params["pixels"], touched[:, None, None])}
        return params | {"rows": ops.logical_and(params["rows"], touched[:, None, None])}

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, their boxes filled."""
        if ops.is_torch(images) and (filled := self._torch_boxes(images, params)) is not None:
            return filled
        count, height, width, channels = shape = ops.shape(images)
        line = self._line(images, params)
        lines = ops.reshape(images, (count, height, *line))
        if "pixels" in params:
            pixels = ops.broadcast_to(params["pixels"][..., None], shape)
            pixels = ops.reshape(pixels, (count, height, *line))
            lines = ops.where(pixels, self._filling(images, params, 0), lines)
        else:
            for index in range(params["rows"].shape[1]):
                rows = ops.reshape(params["rows"][:, index], (count, height, *[1] * len(line)))
                columns = ops.broadcast_to(params["columns"][:, index, :, None], (count, width, channels))
                columns = ops.reshape(columns, (count, 1, *line))
                lines = ops.where_both(rows, columns, self._filling(images, params, index), lines)
        # With the channels on an axis of their own XLA would make noise three bytes at a time, in twice the time.
        lines = ops.once(lines) if self.fill == "pixel" else lines
        return ops.reshape(lines, shape)

    def _line(self, images: Tensor, params: Params) -> tuple[Any, ...]:
        """What each line of the images is seen as: in one piece, so that comparisons run over long contiguous memory.

        Noise comes in words of four bytes: for one box XLA makes each word once where lines are seen as words too.
        """
        width, channels = images.shape[2:]
        if self.fill == "pixel" and "uint8" in str(images.dtype) and ops.is_traced(images) and width and channels:
            words, rest = divmod(width * channels, 4)
            if rest == 0 and ("pixels" in params or params["rows"].shape[1] == 1):
                return (words, 4)
        _, _, width, channels = ops.shape(images)
        return (width * channels,)

    def _filling(self, images: Tensor, params: Params, index: int) -> Tensor:
        """In the images' dtype, to be broadcast to (batch, height, ...), the lines as `_line` has them."""
        if self.fill == "normal":
            if "int" in str(images.dtype):
                raise ValueError(
                    f'fill="normal" is for floating-point images that are normalised. Received: images of type '
                    f"{images.dtype}"
                )
            return ops.cast(self._noise(images, params), images.dtype)
        if self.fill == "pixel":
            return self._in_value_range(self._noise(images, params), images.dtype)
        _, _, width, channels = ops.shape(images)
        colors = self._colors(images, params)
        colors = colors[:, index if self.fill == "color" else 0, None, :]
        line = ops.broadcast_to(colors, (ops.shape(colors)[0], width, channels))
        return ops.reshape(line, (-1, 1, width * channels))

    def _colors(self, images: Tensor, params: Params) -> Tensor:
        """Those of the boxes, (batch or 1, boxes or 1, channels or 1), in the images' dtype."""
        if self.fill == "color":
            return self._in_value_range(params["colors"], images.dtype)
        return self._constant(images, images.shape[-1])

    def _transform_images(self, images: Tensor, params: Params) -> Tensor:
        # Of images with the channels first, parts are put back in their order.
        if ops.is_torch(images) and self.data_format == "channels_last" and self._fills_boxes(images, params):
            return self._transform_part(images, params)
        return super()._transform_images(images, params)

    def _fills_boxes(self, images: Tensor, params: Params) -> bool:
        """Whether torch sooner fills box by box: then nothing is computed on the way that parts would make smaller."""
        from keras_tricks.augment._torch_pixels import are_worth_boxes

        in_floats = self.fill == "normal" or (self.fill == "pixel" and self.value_range != (0, LEVELS))
        return "rows" in params and not in_floats and are_worth_boxes(images)

    def _torch_boxes(self, images: Tensor, params: Params) -> Tensor | None:
        from keras_tricks.augment._torch_pixels import fill_boxes

        if not self._fills_boxes(images, params):
            return None
        return fill_boxes(images, params, None if self.fill == "pixel" else self._colors(images, params))

    def _noise(self, images: Tensor, params: Params) -> Tensor:
        count, height, width, channels = ops.shape(images)
        line, words = self._line(images, params), (params["shared_words"], params["own_words"])
        if len(line) > 1:
            noise = random.bytes_by_words(*words)
        else:
            made_of = random.bytes_of if self.fill == "pixel" else random.normal_of
            noise = made_of(*words, count, height * width * channels)
        return ops.reshape(noise, (count, height, *line))

    def _in_value_range(self, levels: Tensor, dtype: str) -> Tensor:
        low, high = self.value_range
        if (low, high) == (0, LEVELS):
            return ops.cast(levels, dtype)
        values = ops.cast(levels, "float32") * ((high - low) / LEVELS) + low
        return _levels.as_pixels(ops.minimum(values, high), dtype)  # compiled with a fused step it may be just above

    def _constant(self, images: Tensor, channels: Any) -> Tensor:
        fill = _levels.filling(self.fill, self.value_range)
        color = np.array([[fill if isinstance(fill, tuple) else [fill]]], "float32")
        if color.shape[-1] != 1 and isinstance(channels, int) and color.shape[-1] != channels:
            raise ValueError(
                f"`fill` must have a number for each channel. Received: fill={self.fill!r}, "
                f"images of {channels} channels"
            )
        if "int" in str(images.dtype):
            color = np.round(color)
            if "uint8" in str(images.dtype) and not (0 <= color.min() <= color.max() <= LEVELS):
                raise ValueError(f"`fill` must be a level of 0 to {LEVELS} for uint8 images. Received: {self.fill!r}")
        return ops.cast(ops.constant(color, images), images.dtype)


def lines_between(size: Any, start: Tensor, length: Tensor) -> Tensor:
    """Which of `size` lines are among the `length` from `start` on; both whole numbers, (batch, boxes)."""
    lines = ops.cast(ops.arange(size, dtype="int32"), start.dtype)[None, None, :]
    return ops.logical_and(lines >= start[..., None], lines < (start + length)[..., None])
