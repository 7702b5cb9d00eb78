"""What torch does to the places of pixels several times faster by operations of its own, on its processor above all."""

from typing import Any

import numpy as np
import torch

from keras_tricks._core import _torch_memory, ops, random
from keras_tricks.augment._resampling import HAIR
from keras_tricks.augment._torch_parts import PART, are_large, copied, is_large_plane, own_of

WORDS = ("shared_words", "own_words")


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
    """Whole images resized, bilinearly, float32; large ones a few at a time."""
    count, height, width, channels = images.shape
    few = max(1, PART // max(1, 4 * channels * max(height * width, size[0] * size[1])))
    # Channel by channel torch works along the rows, which pays where most of the pixels are looked at.
    channels_first = images.permute(0, 3, 1, 2).is_contiguous() and not images.is_contiguous()
    planes = are_large(images) and 2 * size[0] > height and 2 * size[1] > width
    is_worth_it = are_large(images) and count > few and (planes or images.dtype != torch.float32)
    if not is_worth_it or ops.host_array(images) is None:
        resized = _resized(images, size, antialias, planes and images.device.type == "cpu")
        return resized.contiguous() if planes and not channels_first else resized
    shape = (count, channels, *size) if channels_first else (count, *size, channels)
    resized = _torch_memory.empty(shape, images.new_empty(0, dtype=torch.float32))
    resized = resized.permute(0, 2, 3, 1) if channels_first else resized
    for start in range(0, count, few):
        resized[start : start + few] = _resized(images[start : start + few], size, antialias, planes)
    return resized


def _resized(images: Any, size: tuple[int, int], antialias: bool, planes: bool) -> Any:
    pixels = images.permute(0, 3, 1, 2).float()
    pixels = pixels.contiguous() if planes else pixels
    resized = torch.nn.functional.interpolate(pixels, size=size, mode="bilinear", antialias=antialias)
    return resized.permute(0, 2, 3, 1)


def mirrored(images: Any, chosen: Any, axis: int) -> Any:
    """The images, those that are `chosen`, (batch,) bools, mirrored along `axis`."""
    arrays = ops.host_arrays(chosen, images)
    if arrays is None:
        return torch.where(ops.reshape(chosen, (-1, 1, 1, 1)), images.flip(axis), images)
    known, pixels = arrays
    one_by_one = are_large(images)
    changed = _torch_memory.empty(images.shape, images) if one_by_one else images.flip(axis)
    # One by one NumPy copies large blocks several times faster than torch does those that are chosen.
    new = changed.numpy()
    for place in (~known).nonzero()[0].tolist():
        new[place] = pixels[place]
    for place in known.nonzero()[0].tolist() if one_by_one else ():
        changed[place] = images[place].flip(axis - 1)
    return changed


def windows(images: Any, top: Any, left: Any, size: tuple[int, int], fill: float) -> Any | None:
    """The windows of large images that begin at `top` and `left`, maybe outside, where `fill` is seen; else None."""
    count, height, width, channels = images.shape
    known = ops.host_arrays(images, top, left) if is_large_plane(size[0] * size[1]) else None
    if known is None:
        return None
    pixels, tops, lefts = known
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


def are_worth_boxes(images: Any) -> bool:
    """Whether boxes are sooner filled one by one."""
    return is_large_plane(images.shape[1] * images.shape[2]) and ops.host_array(images) is not None


def fill_boxes(images: Any, params: Any, colors: Any | None) -> Any | None:
    """Large images, their `params`' boxes filled with `colors`, (batch or 1, boxes or 1, channels or 1), or with noise.

    Noise of bytes, which is made in the boxes only. None if it is not known where the boxes are, or if they have gaps.
    """
    count, _, width, channels = images.shape
    contents = [params[name] for name in WORDS] if colors is None else [colors]
    known = ops.host_arrays(params["rows"], params["columns"], *contents)
    if known is None or not _are_neighbours(*known[:2]):
        return None
    rows, columns, *filling = known
    boxes = rows.shape[1]
    if colors is not None:
        filling = [np.broadcast_to(filling[0], (count, boxes, filling[0].shape[-1]))]
    filled = own_of(images)
    pixels, line = filled.numpy(), width * channels
    for place, box, top, bottom, left, right in _corners(rows, columns):
        if colors is not None:
            pixels[place, top:bottom, left:right] = filling[0][place, box]
            continue
        shared, own = filling
        first, last = top * line, bottom * line
        words = random.scrambled(shared[:, first // 4 : (last + 3) // 4], own[place : place + 1])
        noise = words.view("uint8")[0, first % 4 :][: last - first].reshape(bottom - top, width, channels)
        pixels[place, top:bottom, left:right] = noise[:, left:right]
    return filled


def pasted(images: Any, params: Any) -> Any | None:
    """Large images with a box of their partner's pixels; None if all at once is as fast."""
    known = ops.host_arrays(images, params["partner"], params["rows"], params["columns"]) if are_large(images) else None
    if known is None or not _are_neighbours(*known[2:]):
        return None
    pixels, partners, rows, columns = known
    result = copied(images)
    new = result.numpy()
    for place, top, bottom, left, right in _corners(rows, columns):
        new[place, top:bottom, left:right] = pixels[partners[place], top:bottom, left:right]
    return result


def _are_neighbours(*lines: np.ndarray) -> bool:
    """Whether the lines marked, along the last axis of each array, are without gaps."""
    return all((np.diff(marks, prepend=False, axis=-1) & marks).sum(-1).max(initial=0) <= 1 for marks in lines)


def _corners(rows: np.ndarray, columns: np.ndarray) -> list[list[int]]:
    """Of each box that is not empty its place along the leading axes, then top, bottom, left and right.

    `rows` and `columns` mark the lines of the boxes along their last axis; bottom and right are one after the last.
    """
    ends = np.stack([*_ends(rows), *_ends(columns)], -1)
    places = np.argwhere(rows.any(-1) & columns.any(-1))
    return np.concatenate([places, ends[tuple(places.T)]], -1).tolist()


def _ends(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Along the last axis the first of the neighbours that are marked, and the one after the last."""
    return lines.argmax(-1), lines.shape[-1] - lines[..., ::-1].argmax(-1)


def blended(images: Any, params: Any) -> Any | None:
    """Large images, each moved towards its partner's by the share `rest`: float32; None if all at once is as fast."""
    known = ops.host_arrays(images, params["partner"], params["rest"]) if are_large(images) else None
    if known is None:
        return None
    result = _torch_memory.empty(images.shape, images.new_empty(0, dtype=torch.float32))
    for mixed, image, partner, rest in zip(result, images, known[1].tolist(), known[2].tolist(), strict=True):
        if rest == 0:
            mixed.copy_(image)
        else:
            own = image.float()
            mixed.copy_(images[partner]).sub_(own).mul_(rest).add_(own)
    return result
