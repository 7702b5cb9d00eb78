"""What torch does several times faster by an operation of its own."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import torch

from keras_tricks._core import ops

# Bytes of a part of a batch: with all that is computed on the way it fits in the caches of most processors.
PART = 2**22
LARGE = 2**15  # numbers of an image that is sooner copied than chosen number by number


def in_parts(function: Callable[[Any, Any], Any], images: Any, params: Any, width: int) -> Any:
    """`function(images, params)`, on a processor a part of a large batch at a time; a number takes `width` bytes.

    Each operation makes a new tensor. One as large as the batch is new memory, page by page, which takes longer than
    most operations; a small one lies where the last one has been.
    """
    count, size = len(images), max(1, PART // max(1, images[:1].numel() * width))
    if count < 2 * size or images.device.type != "cpu" or images.requires_grad or torch.compiler.is_compiling():
        return function(images, params)
    changed = None
    for start in range(0, count, size):
        rows = slice(start, start + size)
        part = function(images[rows], keras.tree.map_structure(functools.partial(_part, rows, count), params))
        if changed is None:
            changed = part.new_empty((count, *part.shape[1:]))
        changed[rows] = part
    return changed


def _part(rows: slice, count: int, value: Any) -> Any:
    is_of_images = isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == count
    return value[rows] if is_of_images else value


def bilinear(images: Any, x: Any, y: Any) -> Any:
    """See `keras_tricks.augment._resampling.bilinear`."""
    height, width = images.shape[1:3]
    x, y = torch.broadcast_tensors(x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1)
    seen = torch.nn.functional.grid_sample(
        images.permute(0, 3, 1, 2).float(),
        torch.stack([x, y], -1).expand(len(images), -1, -1, -1),
        padding_mode="border",
        align_corners=True,
    )
    return seen.permute(0, 2, 3, 1)


def resize(images: Any, size: tuple[int, int], antialias: bool) -> Any:
    """Whole images resized, bilinearly, float32."""
    resized = torch.nn.functional.interpolate(
        images.permute(0, 3, 1, 2).float(), size=size, mode="bilinear", antialias=antialias
    )
    return resized.permute(0, 2, 3, 1)


def mirrored(images: Any, chosen: Any, axis: int) -> Any:
    """The images, those that are `chosen`, (batch,) bools, mirrored along `axis`."""
    known = ops.host_array(chosen)
    if known is None or not len(images) or images[0].numel() < LARGE:
        return torch.where(ops.reshape(chosen, (-1, 1, 1, 1)), images.flip(axis), images)
    result, rows = images.clone(), ops.from_host(known.nonzero()[0])
    result[rows] = images[rows].flip(axis)
    return result


def sums_around(lines: Any, channels: int) -> Any:
    """The sums over 3x3 pixels, the middle five times, of (batch, rows, width * channels) without the outermost."""
    rows = lines[:, :-2] + lines[:, 1:-1]
    rows += lines[:, 2:]
    around = rows[:, :, : -2 * channels] + rows[:, :, channels:-channels]
    around += rows[:, :, 2 * channels :]
    return around.add_(lines[:, 1:-1, channels:-channels], alpha=4)


def as_bytes(levels: Any) -> Any:
    """The nearest whole levels of 0 to 255, uint8."""
    return levels.clamp(0.0, 255.0).round_().to(torch.uint8)
