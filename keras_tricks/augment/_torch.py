"""What torch does several times faster by an operation of its own."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch

from keras_tricks._core import _torch_memory, ops, random

# Bytes of a part of a batch: with all that is computed on the way it fits in the caches of most processors.
PART = 2**22
LARGE_PLANE, LARGE_IMAGE = 2**12, 2**15  # numbers from which each is worth operations of its own
LEVEL_COUNT = 256
HAIR = 2.0**-10


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
            changed = _torch_memory.empty((count, *part.shape[1:]), part)
        changed[rows] = part
    return changed


def _part(rows: slice, count: int, value: Any) -> Any:
    is_of_images = isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == count
    return value[rows] if is_of_images else value


def change_rows(value: Any, needed: Any, function: Callable[..., Any], parts: Any, own: bool) -> Any | None:
    """See `keras_tricks.augment._subset.change`: a part of the images that are `needed` at a time; else None."""
    known = ops.host_array(needed)
    if known is None or ops.host_array(value) is None or any(ops.host_array(part) is None for part in parts):
        return None
    rows = known.nonzero()[0]
    changed = value if own or not rows.size else copied(value)
    size = max(1, PART // max(1, 4 * value[:1].numel()))
    for start in range(0, len(rows), size):
        chosen = torch.from_numpy(rows[start : start + size])
        put(changed, chosen, function(*(part.index_select(0, chosen) for part in parts)))
    return changed


def put(value: Any, rows: Any, new: Any) -> None:
    """Writes `new` to the `rows` of `value`; blocks that are large NumPy copies several times faster, one by one."""
    if value[:1].numel() < LARGE_IMAGE or ops.host_array(value) is None:
        value.index_copy_(0, rows, new)
        return
    values = value.numpy()
    for row, block in zip(rows.tolist(), new.numpy(), strict=True):
        values[row] = block


def bilinear(images: Any, x: Any, y: Any, fill: float | None = None) -> Any:
    """See `keras_tricks.augment._resampling.bilinear`; with a `fill` places may lie outside, and that is seen there."""
    height, width = images.shape[1:3]
    pixels = images.permute(0, 3, 1, 2).float()
    if fill is not None:
        # Further than half the image, and a hair, from its centre, and sent where only zeros are.
        across, along = (x - (0.5 * (width - 1) - HAIR)).abs_(), (y - (0.5 * (height - 1) - HAIR)).abs_()
        is_inside = torch.maximum(across.sub_(0.5 * width), along.sub_(0.5 * height)) <= 0
        x, y = x.clamp(0.0, width - 1.0), torch.where(is_inside, y.clamp(0.0, height - 1.0), -2.0 * height)
        pixels = pixels - fill if fill else pixels
    x, y = torch.broadcast_tensors(x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1)
    places = torch.stack([x, y], -1).expand(len(images), -1, -1, -1)
    mode = "border" if fill is None else "zeros"
    seen = torch.nn.functional.grid_sample(pixels, places, padding_mode=mode, align_corners=True)
    return (seen + fill if fill else seen).permute(0, 2, 3, 1)


def resize(images: Any, size: tuple[int, int], antialias: bool) -> Any:
    """Whole images resized, bilinearly, float32."""
    resized = torch.nn.functional.interpolate(
        images.permute(0, 3, 1, 2).float(), size=size, mode="bilinear", antialias=antialias
    )
    return resized.permute(0, 2, 3, 1)


def mirrored(images: Any, chosen: Any, axis: int) -> Any:
    """The images, those that are `chosen`, (batch,) bools, mirrored along `axis`."""
    known, pixels = ops.host_array(chosen), ops.host_array(images)
    if known is None or pixels is None:
        return torch.where(ops.reshape(chosen, (-1, 1, 1, 1)), images.flip(axis), images)
    are_large = images[:1].numel() >= LARGE_IMAGE
    changed = _torch_memory.empty(images.shape, images) if are_large else images.flip(axis)
    # One by one NumPy copies large blocks several times faster than torch does those that are chosen.
    new = changed.numpy()
    for place in (~known).nonzero()[0].tolist():
        new[place] = pixels[place]
    for place in known.nonzero()[0].tolist() if are_large else ():
        changed[place] = images[place].flip(axis - 1)
    return changed


def are_worth_tables(levels: Any, channels: int) -> bool:
    """Whether bytes are sooner looked up in a table for each image and each of `channels` than computed."""
    return levels[:1].numel() >= LARGE_PLANE * channels and ops.host_array(levels) is not None


def histograms(levels: Any) -> Any | None:
    """How often each uint8 level is in each image and channel, (batch, channels, 256) int32; None if all at once."""
    count, height, width, channels = levels.shape
    if levels.dtype != torch.uint8 or height * width < LARGE_PLANE or ops.host_array(levels) is None:
        return None
    planes = levels.permute(0, 3, 1, 2).reshape(count * channels, height * width)
    counts = [plane.bincount(minlength=LEVEL_COUNT) for plane in planes]
    return torch.stack(counts).to(torch.int32).reshape(count, channels, LEVEL_COUNT)


def look_up(levels: Any, tables: Any) -> Any | None:
    """Each uint8 level replaced by its entry in the tables of its image and channel, or of its image; None if slower.

    Tables are (batch, channels or 1, 256). Python's own way of replacing bytes takes a sixth of a gather's time.
    """
    count, height, width, channels = levels.shape
    per_channel = tables.shape[1] > 1
    if per_channel and height * width < LARGE_PLANE or levels.dtype != torch.uint8:
        return None
    entries = ops.host_array(tables.to(torch.uint8).contiguous())
    if entries is None or ops.host_array(levels) is None:
        return None
    planes = ops.host_array((levels.permute(0, 3, 1, 2) if per_channel else levels).contiguous())
    strings = planes.reshape(count * tables.shape[1], -1)
    replaced = np.empty_like(strings)
    for string, new, table in zip(strings, replaced, entries.reshape(-1, LEVEL_COUNT), strict=True):
        new[:] = np.frombuffer(bytearray(string).translate(table.tobytes()), "uint8")
    looked_up = torch.from_numpy(replaced.reshape(planes.shape))
    return looked_up.permute(0, 2, 3, 1).contiguous() if per_channel else looked_up


def boxes_of_noise(images: Any, params: Any) -> Any | None:
    """Large images with noise in the `params`' boxes, which is made there only; None if it is sooner made everywhere."""
    count, height, width, channels = images.shape
    if height * width < LARGE_PLANE or ops.host_array(images) is None:
        return None
    names = ("rows", "columns", "shared_words", "own_words")
    rows, columns, shared, own = (ops.host_array(params[name]) for name in names)
    if rows is None or columns is None or shared is None or own is None:
        return None
    erased = copied(images)
    pixels, line = erased.numpy(), width * channels
    for place, box in itertools.product(range(count), range(rows.shape[1])):
        inside, across = rows[place, box].nonzero()[0], columns[place, box].nonzero()[0]
        if not inside.size or not across.size:
            continue
        top, bottom, left, right = int(inside[0]), int(inside[-1]) + 1, int(across[0]), int(across[-1]) + 1
        first, last = top * line, bottom * line
        words = random.scrambled(shared[:, first // 4 : (last + 3) // 4], own[place : place + 1])
        noise = words.view("uint8")[0, first % 4 :][: last - first].reshape(bottom - top, width, channels)
        pixels[place, top:bottom, left:right] = noise[:, left:right]
    return erased


def windows(images: Any, top: Any, left: Any, size: tuple[int, int], fill: float) -> Any | None:
    """The windows of large images that begin at `top` and `left`, maybe outside, where `fill` is seen; else None."""
    count, height, width, channels = images.shape
    pixels, tops, lefts = (ops.host_array(part) for part in (images, top, left))
    if size[0] * size[1] < LARGE_PLANE or pixels is None or tops is None or lefts is None:
        return None
    seen = _torch_memory.empty((count, *size, channels), images)
    for window, image, above, before in zip(seen.numpy(), pixels, tops.tolist(), lefts.tolist(), strict=True):
        rows, columns = _overlap(above, size[0], height), _overlap(before, size[1], width)
        window[: rows[0]], window[rows[1] :] = fill, fill
        inside = window[rows[0] : rows[1]]
        inside[:, : columns[0]], inside[:, columns[1] :] = fill, fill
        part = image[rows[0] + above : rows[1] + above, columns[0] + before : columns[1] + before]
        inside[:, columns[0] : columns[1]] = part
    return seen


def _overlap(start: int, length: int, size: int) -> tuple[int, int]:
    """Which of `length` lines from `start` on are among `size` lines: the first, and the one after the last."""
    first = min(max(0, -start), length)
    return first, max(first, min(length, size - start))


def copied(images: Any) -> Any:
    """A copy in memory that may be used again."""
    return _torch_memory.empty(images.shape, images).copy_(images)


def sums_around(lines: Any, channels: int) -> Any:
    """The sums over 3x3 pixels, the middle five times, of (batch, rows, width * channels) without the outermost."""
    rows = lines[:, :-2] + lines[:, 1:-1]
    rows += lines[:, 2:]
    around = rows[:, :, : -2 * channels] + rows[:, :, channels:-channels]
    around += rows[:, :, 2 * channels :]
    return around.add_(lines[:, 1:-1, channels:-channels], alpha=4)


def as_bytes(levels: Any) -> Any:
    """The nearest whole levels of 0 to 255, uint8."""
    return in_parts(lambda part, _: part.clamp(0.0, 255.0).round_().to(torch.uint8), levels, {}, levels.element_size())
