"""Images seen between their pixels, and resized out of boxes. Coordinates count pixel centres from 0."""

import contextlib
import functools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_tricks._core import checks, ops
from keras_tricks.augment import _levels

Tensor = Any

FILLS = ("reflect", "edge")
HAIR = 2.0**-10  # of a pixel: more than float32 errs by in images of thousands of pixels
LARGEST_SHIFT = 256  # by which float32 pixels may be moved, to and fro
CUBIC = -0.5  # Pillow's; the parameter of Keys' kernel for which it is exact on parabolas
MOST_TAPS = 14  # more pixels than these, for each that comes out, are weighted by a product of matrices


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
    pixels = ops.reshape(images, (count * height * width, channels))
    first = ops.arange(count, dtype="int32")[:, None, None] * (height * width)
    upper, lower = first + top * width, first + bottom * width

    def line(row: Tensor) -> Tensor:
        start, end = (ops.cast(ops.take(pixels, row + side, axis=0), "float32") for side in (left, right))
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

    `box` is `(top, left, height, width)`, each (batch,), or (1,) for all, in pixels from the image's edge, fractions
    allowed; it is no larger than the image. Nothing is seen outside `within`, a box of the same form in whole pixels:
    by default the image.
    """
    _, height, width, _ = ops.shape(images)
    are_constants = isinstance(box[0], np.ndarray)
    with ops.numpy_arrays() if are_constants else contextlib.nullcontext():
        lines = _lines(box, within, (height, width), size)
        antialias = antialias and any(line.may_shrink for line in lines)
        if interpolation == "bilinear" and not antialias and not are_constants:
            rows, columns = map(_places, lines)
            return bilinear(images, columns[:, None, :], rows[:, :, None])
        kernel = _KERNELS[interpolation]
        counts = [count for line in lines if (count := _tap_count(line, kernel, antialias)) is not None]
        if len(counts) < len(lines) or ops.is_torch(images):
            rows, columns = (_weights(line, kernel, antialias) for line in lines)
            resize = _by_products
        else:
            rows, columns = (_taps(line, kernel, antialias, count) for line, count in zip(lines, counts, strict=True))
            resize = _by_taps
    return resize(images, rows, columns)


def _by_taps(images: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]) -> Tensor:
    """The images, resized by taps."""
    count, height, width, channels = ops.shape(images)
    lines = _weighted(ops.reshape(images, (count, 1, height, width * channels)), *rows)
    lines = ops.reshape(lines, (count, rows[0].shape[-1], width, channels))
    return _weighted(lines if isinstance(rows[0], np.ndarray) else ops.once(lines), *columns)


def _by_products(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The images, resized by products with weights of all pixels."""
    count, height, width, channels = ops.shape(images)
    rows, columns = ops.convert_to_tensor(rows), ops.convert_to_tensor(columns)
    new_height, new_width = ops.shape(rows)[1], ops.shape(columns)[1]
    images = ops.cast(images, "float32")
    lines = ops.matmul(rows, ops.reshape(images, (count, height, width * channels)))
    lines = ops.transpose(ops.reshape(lines, (count, new_height, width, channels)), (0, 2, 1, 3))
    resized = ops.matmul(columns, ops.reshape(lines, (count, width, new_height * channels)))
    return ops.transpose(ops.reshape(resized, (count, new_width, new_height, channels)), (0, 2, 1, 3))


def pick_boxes(images: Tensor, box: tuple[Tensor, Tensor, Tensor, Tensor], size: tuple[Any, Any]) -> Tensor:
    """As `resize_boxes` within the image, by the nearest pixel, in the dtype given: for masks."""
    _, height, width, _ = ops.shape(images)
    rows, columns = map(_places, _lines(box, None, (height, width), size))
    return _nearest(images, columns[:, None, :], rows[:, :, None])


class _Line(NamedTuple):
    """An interval of a line of pixels, for each image or for all, and how it is to be divided."""

    start: Tensor
    length: Tensor
    parts: Any
    first: Tensor  # what can be seen: `seen` pixels from here
    seen: Tensor
    pixels: Any

    @property
    def may_shrink(self) -> bool:
        """Whether there may be fewer parts than pixels."""
        return not _static(self.parts) or not _static(self.pixels) or self.pixels > self.parts


def _lines(
    box: tuple[Tensor, Tensor, Tensor, Tensor],
    within: tuple[Tensor, Tensor, Tensor, Tensor] | None,
    image: tuple[Any, Any],
    size: tuple[Any, Any],
) -> list[_Line]:
    """The rows and the columns of a box as `resize_boxes` takes it."""
    zeros = ops.zeros_like(box[0])
    seen = within or (zeros, zeros, zeros + ops.number(image[0]), zeros + ops.number(image[1]))
    return [_Line(box[axis], box[axis + 2], size[axis], seen[axis], seen[axis + 2], image[axis]) for axis in (0, 1)]


class _Kernel(NamedTuple):
    """How much a pixel counts at a distance, and from which on it does not."""

    weight: Callable[[Tensor], Tensor]
    reach: int


def _places(line: _Line) -> Tensor:
    """The centres of the parts of each interval, (batch, parts), held inside what can be seen."""
    part = line.length[:, None] / ops.number(line.parts)
    places = line.start[:, None] + (_centres(line.parts)[None, :] * part) - 0.5
    last = (line.first + line.seen - 1.0)[:, None]
    return ops.minimum(ops.maximum(places, line.first[:, None]), last)


def _weights(line: _Line, kernel: _Kernel, antialias: bool) -> Tensor:
    """How much each pixel counts for each part: (batch, parts, pixels)."""
    centres, stretch = _centres_and_stretch(line, antialias)
    return _shares(line, kernel, _centres(line.pixels)[None, None, :], centres[..., None], stretch[..., None], axis=-1)


def _tap_count(line: _Line, kernel: _Kernel, antialias: bool) -> int | None:
    """How many pixels at most count for a part; None where that is not known, or too many."""
    if not _static(line.parts) or not _static(line.pixels):
        return None
    stretch = max(line.pixels / line.parts, 1) if antialias else 1
    count = math.ceil(2 * kernel.reach * stretch)
    return count if count <= MOST_TAPS else None


def _taps(line: _Line, kernel: _Kernel, antialias: bool, count: int) -> tuple[Tensor, Tensor]:
    """For each part `count` pixels in a row, int32, and how much they count: both (batch, count, parts)."""
    centres, stretch = _centres_and_stretch(line, antialias)
    first = ops.floor(centres - kernel.reach * stretch + 0.5)
    pixels = first[:, None, :] + (_centres(count)[None, :, None] - 0.5)
    shares = _shares(line, kernel, pixels + 0.5, centres[:, None, :], stretch[:, None, :], axis=1)
    return ops.once(ops.cast(_clamp(pixels, line.pixels), "int32")), ops.once(shares)


def _centres_and_stretch(line: _Line, antialias: bool) -> tuple[Tensor, Tensor]:
    """The centre of each part, (batch, parts), and how much wider than a pixel its kernel is, (batch, 1)."""
    scale = line.length[:, None] / ops.number(line.parts)
    one = ops.ones_like(scale)
    return line.start[:, None] + _centres(line.parts)[None, :] * scale, ops.maximum(scale, one) if antialias else one


def _shares(line: _Line, kernel: _Kernel, pixels: Tensor, centres: Tensor, stretch: Tensor, axis: int) -> Tensor:
    """How much the pixels with these centres count, 1 along `axis`; none does outside what can be seen."""
    weights = kernel.weight((pixels - centres) / stretch)
    first, seen = line.first[:, None, None], line.seen[:, None, None]
    weights = weights * ops.cast(ops.logical_and(pixels > first, pixels < first + seen), "float32")
    return weights / ops.sum(weights, axis=axis, keepdims=True)


def _weighted(lines: Tensor, pixels: Tensor, shares: Tensor) -> Tensor:
    """Lines made of taps of each of `lines`, (batch, lines, pixels, depth): (batch, lines, parts, depth), float32."""
    taps = [
        ops.cast(_pixels_of(lines, pixels[:, tap]), "float32") * shares[:, tap][:, None, :, None]
        for tap in range(pixels.shape[1])
    ]
    return functools.reduce(operator.add, taps)


def _pixels_of(lines: Tensor, places: Tensor) -> Tensor:
    """The pixels at `places` (batch, parts), or (1, parts) for all, of each image's lines."""
    count, each, size, depth = ops.shape(lines)
    parts = places.shape[1]
    if places.shape[0] == 1:
        pixels = ops.take(ops.reshape(lines, (count * each, size, depth)), places[0], axis=1)
        return ops.reshape(pixels, (count, each, parts, depth))
    first = ops.reshape(ops.arange(count * each, dtype="int32") * size, (count, each, 1))
    return ops.take(ops.reshape(lines, (count * each * size, depth)), first + places[:, None, :], axis=0)


def _triangle(distance: Tensor) -> Tensor:
    height = 1.0 - ops.abs(distance)
    return ops.maximum(height, ops.zeros_like(height))


def _cubic(distance: Tensor) -> Tensor:
    """Keys' kernel."""
    d = ops.abs(distance)
    near = ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1
    far = ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC
    return ops.where(d < 1, near, ops.where(d < 2, far, ops.zeros_like(d)))


_KERNELS = {"bilinear": _Kernel(_triangle, 1), "bicubic": _Kernel(_cubic, 2)}


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
