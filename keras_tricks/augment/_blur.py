"""A Gaussian blur of each image, as wide as is said for it."""

import functools
from typing import Any

import numpy as np

from keras_tricks._core import ops

Tensor = Any

SMALL = 64  # pixels of a line that are blurred by one product of them all
BLOCK = 32  # pixels of a longer line that are blurred by one product


def blur(levels: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """The images, blurred along their columns and their rows by bells of `sigma` pixels, (batch, 1, 1, 1)."""
    sigma = sigma[..., 0]
    weights = [ops.exp((-0.5 * distance * distance) / (sigma * sigma)) for distance in range(radius + 1)]
    total = weights[0] + 2.0 * sum(weights[1:])
    weights = [weight / total for weight in weights]
    return _by_products(levels, weights) if ops.is_torch(levels) else _by_sums(levels, weights)


def _by_sums(levels: Tensor, weights: list[Tensor]) -> Tensor:
    """Along either axis, shifted images are weighted and added up, along lines of (width * channels)."""
    count, height, width, channels = ops.shape(levels)
    radius = len(weights) - 1
    rows = ops.once(ops.reshape(_mirrored(levels, radius, 1), (count, height + 2 * radius, width * channels)))
    blurred = _weighted([rows[:, start : start + height] for start in range(2 * radius + 1)], weights)
    blurred = _mirrored(ops.reshape(blurred, (count, height, width, channels)), radius, 2)
    lines = ops.once(ops.reshape(blurred, (count, height, (width + 2 * radius) * channels)))
    starts = range(0, (2 * radius + 1) * channels, channels)
    blurred = _weighted([lines[:, :, start : start + width * channels] for start in starts], weights)
    return ops.reshape(blurred, (count, height, width, channels))


def _mirrored(levels: Tensor, radius: int, axis: int) -> Tensor:
    """Longer by `radius` at both ends of an axis, mirrored at the outermost pixels."""
    size = ops.shape(levels)[axis]
    if not isinstance(size, int) or radius >= size:
        places = ops.arange(-radius, size + radius, dtype="int32")
        places = (size - 1) - ops.abs((size - 1) - ops.abs(places))
        return ops.take(levels, ops.maximum(places, ops.zeros_like(places)), axis=axis)
    first, last = slice(1, radius + 1), slice(size - 1 - radius, -1)
    before, after = (levels[:, :, part] if axis == 2 else levels[:, part] for part in (first, last))
    return ops.concatenate([ops.flip(before, axis=axis), levels, ops.flip(after, axis=axis)], axis=axis)


def _weighted(shifted: list[Tensor], weights: list[Tensor]) -> Tensor:
    """The sum of images with the symmetric `weights`, given from their middle outwards."""
    radius = len(weights) - 1
    blurred = weights[0] * shifted[radius]
    for distance in range(1, radius + 1):
        blurred = blurred + weights[distance] * (shifted[radius - distance] + shifted[radius + distance])
    return blurred


def _by_products(levels: Tensor, weights: list[Tensor]) -> Tensor:
    """Along either axis products with a matrix of each image: torch's sums run one by one, which takes longer."""
    count, height, width, channels = ops.shape(levels)
    each = ops.reshape(ops.concatenate(weights, axis=1), (count, len(weights)))
    matrices = {size: _matrices(each, size) for size in {height, width}}
    blurred = _product(ops.reshape(levels, (count, height, width * channels)), len(weights) - 1, matrices[height])
    blurred = ops.transpose(ops.reshape(blurred, (count, height, width, channels)), (0, 2, 1, 3))
    blurred = _product(ops.reshape(blurred, (count, width, height * channels)), len(weights) - 1, matrices[width])
    return ops.transpose(ops.reshape(blurred, (count, width, height, channels)), (0, 2, 1, 3))


def _matrices(weights: Tensor, size: int) -> Tensor:
    """How each image's pixels in a line of `size`, or in a block of it, become a sum of those that they see."""
    radius = weights.shape[1] - 1
    counts = _counts(size, radius) if size <= SMALL else _windows(size, radius)[1]
    flat = ops.constant(counts.reshape(radius + 1, -1), weights)
    return ops.reshape(ops.matmul(weights, flat), (-1, *counts.shape[1:]))


def _product(lines: Tensor, radius: int, matrices: Tensor) -> Tensor:
    """(batch, size, length), blurred along `size`: some of its pixels at a time, of which each sees few others."""
    count, size, length = ops.shape(lines)
    if size <= SMALL:
        return ops.matmul(matrices, lines)
    places, counts = _windows(size, radius)
    windows = ops.take(lines, ops.constant(places, lines), axis=1)
    blocks, seen = len(places) // counts.shape[-1], counts.shape[-1]
    blurred = ops.matmul(matrices[:, None], ops.reshape(windows, (count, blocks, seen, length)))
    return ops.reshape(blurred, (count, blocks * BLOCK, length))[:, :size]


@functools.lru_cache(maxsize=16)
def _counts(size: int, radius: int) -> np.ndarray:
    """How often, for each distance and pixel, each pixel is seen at that distance, mirrors included."""
    counts = np.zeros((radius + 1, size, size), "float32")
    pixels = np.arange(size)
    for distance in range(-radius, radius + 1):
        counts[abs(distance), pixels, _mirrors(pixels + distance, size)] += 1
    return counts


@functools.lru_cache(maxsize=16)
def _windows(size: int, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels that `BLOCK` neighbours see, mirrors included, block after block; and how often, at each distance.

    Shapes (blocks * (BLOCK + 2 * radius)) and (radius + 1, BLOCK, BLOCK + 2 * radius).
    """
    around = np.arange(-radius, BLOCK + radius)
    places = _mirrors(np.arange(0, size, BLOCK)[:, None] + around, size)
    counts = np.abs(np.arange(BLOCK)[:, None] - around) == np.arange(radius + 1)[:, None, None]
    return places.reshape(-1).astype("int32"), counts.astype("float32")


def _mirrors(places: np.ndarray, size: int) -> np.ndarray:
    """The pixels of a line that are seen at `places` outside of it, too."""
    return np.clip((size - 1) - np.abs((size - 1) - np.abs(places)), 0, size - 1)
