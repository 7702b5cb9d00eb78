"""Images seen between their pixels, and resized out of boxes. Coordinates count pixel centres from 0."""

from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks, ops
from keras_tricks.augment import _levels

Tensor = Any

FILLS = ("reflect", "edge")
HAIR = 2.0**-10  # of a pixel: more than float32 errs by in images of thousands of pixels
LARGEST_SHIFT = 256  # by which float32 pixels may be moved, to and fro
CUBIC = -0.5  # Pillow's; the parameter of Keys' kernel for which it is exact on parabolas


def check_fill(fill: Any) -> float | str:
    """What is seen outside the image: a number, "black", "reflect" or "edge"."""
    if not checks.is_number(fill) and not (isinstance(fill, str) and fill in (_levels.BLACK, *FILLS)):
        raise checks.fail("fill", 'a number, "black", "reflect" or "edge"', fill)
    return fill


def resample(images: Tensor, x: Tensor, y: Tensor, fill: float | str, interpolation: str = "bilinear") -> Tensor:
    """What `images` show at columns `x` and rows `y`, both (batch, rows, columns), of pixels of any number of channels.

    A place counts as inside where it lies on a pixel, up to that pixel's edge, as in Pillow. Bilinear interpolation
    is for floats; "nearest" keeps the dtype.
    """
    _, height, width, _ = ops.shape(images)
    inside = None
    if interpolation == "bilinear" and not isinstance(fill, str) and _is_torch(images) and height > 1:
        from keras_tricks.augment._torch_pixels import bilinear as torch_bilinear

        if abs(fill) <= LARGEST_SHIFT:
            return torch_bilinear(images, x, y, fill)
    if fill == "reflect":
        x, y = _reflect(x, width), _reflect(y, height)
    elif fill != "edge":
        inside = ops.logical_and(_on_a_pixel(x, width), _on_a_pixel(y, height))
    x, y = _clamp(x, width), _clamp(y, height)
    seen = bilinear(images, x, y) if interpolation == "bilinear" else _nearest(images, x, y)
    if inside is None or isinstance(fill, str):
        return seen
    return ops.where(inside[..., None], seen, ops.constant_like(seen, fill))


def from_centre(height: Any, width: Any) -> tuple[Tensor, Tensor]:
    """Columns, (1, 1, width), and rows, (1, height, 1), of the pixels, counted from the centre of the image."""
    columns, rows = _centres(width) - 0.5 * ops.number(width), _centres(height) - 0.5 * ops.number(height)
    return columns[None, None, :], rows[None, :, None]


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The four pixels around each place, weighted, float32; all places lie on pixels.

    `x` and `y` broadcast against each other: (batch, rows or 1, columns or 1).
    """
    if _is_torch(images):
        from keras_tricks.augment._torch_pixels import bilinear as torch_bilinear

        return torch_bilinear(images, x, y)
    count, height, width, channels = ops.shape(images)
    left, right, share_right = _neighbours(x, width)
    top, bottom, share_bottom = _neighbours(y, height)
    pixels = ops.cast(ops.reshape(images, (count * height * width, channels)), "float32")
    first = ops.arange(count, dtype="int32")[:, None, None] * (height * width)
    upper, lower = first + top * width, first + bottom * width

    def line(row: Tensor) -> Tensor:
        start, end = ops.take(pixels, row + left, axis=0), ops.take(pixels, row + right, axis=0)
        return start + (end - start) * share_right[..., None]

    above, below = line(upper), line(lower)
    return above + (below - above) * share_bottom[..., None]


def _is_torch(images: Tensor) -> bool:
    return keras.backend.backend() == "torch" and not ops.in_tensorflow_graph()


def resize_boxes(
    images: Tensor,
    box: tuple[Tensor, Tensor, Tensor, Tensor],
    size: tuple[Any, Any],
    within: tuple[Tensor, Tensor, Tensor, Tensor] | None = None,
    interpolation: str = "bilinear",
    antialias: bool = True,
) -> Tensor:
    """A box of each image, resized to `size`; `antialias` widens the kernel where that shrinks.

    `box` is `(top, left, height, width)`, each (batch,) or (1,), in pixels from the image's edge, fractions allowed.
    Nothing is seen outside `within`, a box of the same form in whole pixels: by default the image.
    """
    count, height, width, channels = ops.shape(images)
    top, left, box_height, box_width = box
    if within is None:
        start, end_row, end_column = ops.zeros_like(top), top * 0 + ops.number(height), top * 0 + ops.number(width)
        within = (start, start, end_row, end_column)
    rows = (top, box_height, size[0], within[0], within[2])
    columns = (left, box_width, size[1], within[1], within[3])
    may_shrink = not all(_static(side) for side in (height, width, *size)) or height > size[0] or width > size[1]
    antialias = antialias and may_shrink
    if interpolation == "bilinear" and not antialias:
        return bilinear(images, _places(*columns)[:, None, :], _places(*rows)[:, :, None])
    row_weights = _weights(*rows, height, interpolation, antialias)
    column_weights = _weights(*columns, width, interpolation, antialias)
    lines = ops.matmul(row_weights, ops.reshape(images, (count, height, width * channels)))
    lines = ops.transpose(ops.reshape(lines, (count, size[0], width, channels)), (0, 2, 1, 3))
    resized = ops.matmul(column_weights, ops.reshape(lines, (count, width, size[0] * channels)))
    return ops.transpose(ops.reshape(resized, (count, size[1], size[0], channels)), (0, 2, 1, 3))


def pick_boxes(images: Tensor, box: tuple[Tensor, Tensor, Tensor, Tensor], size: tuple[Any, Any]) -> Tensor:
    """As `resize_boxes` within the image, by the nearest pixel, in the dtype given: for masks."""
    _, height, width, _ = ops.shape(images)
    top, left, box_height, box_width = box
    zeros = ops.zeros_like(top)
    x = _places(left, box_width, size[1], zeros, zeros + ops.number(width))
    y = _places(top, box_height, size[0], zeros, zeros + ops.number(height))
    return _nearest(images, x[:, None, :], y[:, :, None])


def _places(start: Tensor, length: Tensor, count: Any, first: Tensor, size: Tensor) -> Tensor:
    """The centres of `count` equal parts of each interval, (batch, count), held inside `size` pixels from `first`."""
    places = start[:, None] + (_centres(count)[None, :] * (length[:, None] / ops.number(count))) - 0.5
    last = (first + size - 1.0)[:, None]
    return ops.minimum(ops.maximum(places, first[:, None]), last)


def _weights(
    start: Tensor,
    length: Tensor,
    count: Any,
    first: Tensor,
    size: Tensor,
    pixels: Any,
    interpolation: str,
    antialias: bool,
) -> Tensor:
    """How much each of a line's `pixels` counts for each of `count` parts of an interval: (batch, count, pixels)."""
    scale = length[:, None] / ops.number(count)
    centres = (start[:, None] + _centres(count)[None, :] * scale)[..., None]
    reach = ops.maximum(scale, ops.ones_like(scale)) if antialias else ops.ones_like(scale)
    kernel = {"bilinear": _triangle, "bicubic": _cubic}[interpolation]
    pixel_centres = _centres(pixels)[None, None, :]
    weights = kernel((pixel_centres - centres) / reach[..., None])
    known = ops.logical_and(pixel_centres > first[:, None, None], pixel_centres < (first + size)[:, None, None])
    weights = weights * ops.cast(known, "float32")
    return weights / ops.sum(weights, axis=-1, keepdims=True)


def _triangle(distance: Tensor) -> Tensor:
    height = 1.0 - ops.abs(distance)
    return ops.maximum(height, ops.zeros_like(height))


def _cubic(distance: Tensor) -> Tensor:
    """Keys' kernel."""
    d = ops.abs(distance)
    near = ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1
    far = ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC
    return ops.where(d < 1, near, ops.where(d < 2, far, ops.zeros_like(d)))


def _nearest(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    count, height, width, channels = ops.shape(images)
    pixels = ops.reshape(images, (count * height * width, channels))
    first = ops.arange(count, dtype="int32")[:, None, None] * (height * width)
    column, row = ops.cast(ops.floor(x + 0.5), "int32"), ops.cast(ops.floor(y + 0.5), "int32")
    return ops.take(pixels, first + row * width + column, axis=0)


def _neighbours(places: Tensor, size: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels to both sides of each place of a line of `size`, int32, and the share of the second."""
    floor = ops.floor(places)
    low = ops.cast(floor, "int32")
    last = ops.zeros_like(low) + (size - 1)
    return low, ops.minimum(low + 1, last), places - floor


def _reflect(places: Tensor, size: Any) -> Tensor:
    """Mirrored at the centres of the outermost pixels, again and again."""
    last = ops.number(size - 1)
    period = last * 2 + (0 if _static(size) and size > 1 else 1e-6)
    distance = ops.abs(places)
    distance = distance - ops.floor(distance / period) * period
    return last - ops.abs(last - distance)


def _clamp(places: Tensor, size: Any) -> Tensor:
    if _static(size):
        return ops.clip(places, 0.0, float(size - 1))
    return ops.minimum(ops.maximum(places, ops.zeros_like(places)), ops.zeros_like(places) + ops.number(size - 1))


def _on_a_pixel(places: Tensor, size: Any) -> Tensor:
    # A hair further out and in: a place exactly on the border is on the same side of it for every backend.
    return ops.logical_and(places >= -0.5 - HAIR, places < ops.number(size) - 0.5 - HAIR)


def _centres(count: Any) -> Tensor:
    """0.5, 1.5, ... `count` of them, float32."""
    return ops.cast(ops.arange(count, dtype="int32"), "float32") + 0.5


def _static(size: Any) -> bool:
    return isinstance(size, (int, np.integer))
