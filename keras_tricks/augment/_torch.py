"""What torch does several times faster by an operation of its own."""

import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch

from keras_tricks._core import _torch_memory, ops, random
from keras_tricks.augment._hue import FALLS, SECTORS
from keras_tricks.augment._levels import GRAY_WEIGHTS, ROUNDING
from keras_tricks.augment._resampling import HAIR

# Bytes of a part of a batch: with all that is computed on the way it fits in the caches of most processors.
PART = 2**22
LARGE_PLANE, LARGE_IMAGE = 2**12, 2**15  # numbers from which each is worth operations of its own
LEVEL_COUNT = 256
TINY = 2.0**-126
WORDS = ("shared_words", "own_words")


class _Own(threading.local):
    """The part of a batch that nobody else has, if there is one."""

    part: Any = None


_own = _Own()


def in_parts(function: Callable[[Any, Any], Any], images: Any, params: Any, width: int, own: bool = False) -> Any:
    """`function(images, params)`, on a processor a part of a large batch at a time; a number takes `width` bytes.

    Each operation makes a new tensor. One as large as the batch is new memory, page by page, which takes longer than
    most operations; a small one lies where the last one has been. With `own` the function keeps the size of images: it
    gets them as float32 in the memory of the result, and they are its own (see `is_own`).
    """
    count, size = len(images), max(1, PART // max(1, images[:1].numel() * width))
    if count < 2 * size or images.device.type != "cpu" or images.requires_grad or torch.compiler.is_compiling():
        return function(images, params)
    own = own and ops.host_array(images) is not None
    changed: Any = _torch_memory.empty(images.shape, images.new_empty(0, dtype=torch.float32)) if own else None
    for start in range(0, count, size):
        rows = slice(start, start + size)
        own_params = keras.tree.map_structure(functools.partial(_part, rows, count), params)
        if own:
            _own.part = changed[rows].copy_(images[rows])
        try:
            part = function(_own.part if own else images[rows], own_params)
        finally:
            _own.part = None
        if changed is None:
            shape = (count, *part.shape[1:])
            changed = part.new_empty(shape) if ops.host_array(part) is None else _torch_memory.empty(shape, part)
        place = changed[rows]
        if not own:
            changed[rows] = part
        elif not is_there(part, place):
            place.copy_(part.clone() if part.data_ptr() == place.data_ptr() else part)
    return changed


def is_there(part: Any, place: Any) -> bool:
    """Whether `part` is what lies in `place`, in the same order."""
    return part.data_ptr() == place.data_ptr() and part.stride() == place.stride() and part.dtype == place.dtype


def is_own(images: Any) -> bool:
    """Whether these are images that nobody else has, or may only look so: they can be written to."""
    part = _own.part
    if part is None or images.data_ptr() != part.data_ptr() or images.numel() != part.numel():
        return False
    return sorted(images.stride()) == sorted(part.stride())  # all of it once, in any order of its axes


def _known(*tensors: Any) -> list[np.ndarray] | None:
    """The tensors as arrays of NumPy that share their memory, if all of them are there to be looked at."""
    arrays = [array for tensor in tensors if (array := ops.host_array(tensor)) is not None]
    return arrays if len(arrays) == len(tensors) else None


def are_large(images: Any) -> bool:
    """Whether each image is worth operations of its own."""
    return images.numel() >= len(images) * LARGE_IMAGE > 0


def _part(rows: slice, count: int, value: Any) -> Any:
    is_of_images = isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == count
    return value[rows] if is_of_images else value


def change_rows(value: Any, needed: Any, function: Callable[..., Any], parts: Any, own: bool) -> Any | None:
    """See `keras_tricks.augment._subset.change`: a part of the images that are `needed` at a time; else None."""
    known = _known(needed, value, *parts)
    if known is None:
        return None
    rows = known[0].nonzero()[0]
    changed = value if own or not rows.size else copied(value)
    size = max(1, PART // max(1, 4 * value[:1].numel()))
    for start in range(0, len(rows), size):
        chosen = torch.from_numpy(rows[start : start + size])
        put(changed, chosen, function(*(part.index_select(0, chosen) for part in parts)))
    return changed


def put(value: Any, rows: Any, new: Any) -> None:
    """Writes `new` to the `rows` of `value`; blocks that are large NumPy copies several times faster, one by one."""
    if not are_large(value) or ops.host_array(value) is None:
        value.index_copy_(0, rows, new)
        return
    values = value.numpy()
    for row, block in zip(rows.tolist(), new.contiguous().numpy(), strict=True):
        values[row] = block


def jittered(levels: Any, params: Any, change: Callable[..., Any]) -> Any | None:
    """Large images after the steps of a jitter, each image's in its order: `change(planes, step, amount)` one by one.

    Planes are (channels, height, width), and may be written to. None if images are small.
    """
    steps = list(params["place"])
    drawn = (*params["place"].values(), *(params[step] for step in steps))
    known = _known(levels, *drawn) if steps and are_large(levels) else None
    if known is None:
        return None
    places, amounts = (np.stack([part.reshape(-1) for part in half]) for half in np.split(np.array(known[1:]), 2))
    changed = _torch_memory.empty(levels.shape, levels)
    for index, image in enumerate(levels):
        planes = image.permute(2, 0, 1).clone(memory_format=torch.contiguous_format)
        for step in places[:, index].argsort():
            planes = change(planes, steps[step], float(amounts[step, index]))
        changed[index] = planes.permute(1, 2, 0)
    return changed


def shift_hue(planes: Any, turns: float) -> Any:
    """As `keras_tricks.augment._hue.shift_hue`, of the planes of one image, (3, height, width), all three in one."""
    red, green, blue = planes
    high = torch.maximum(torch.maximum(red, green), blue)
    span = high - torch.minimum(torch.minimum(red, green), blue)
    sectors, falls = (ops.constant(np.array(places, "float32")[:, None, None], planes) for places in (SECTORS, FALLS))
    # A colour whose span is 0 has no hue, and differences of 0: divided by the least number above 0 they stay so.
    hues = (planes.roll(-1, 0) - planes.roll(-2, 0)).div_(span.clamp(min=TINY)).add_(sectors)
    hue = ops.where(red >= high, hues[0], ops.where(green >= high, hues[1], hues[2])).add_(6.0 * turns)
    place = hue + falls
    place.sub_(place.mul(1 / 6).floor_().mul_(6.0))
    return high - torch.minimum(place, 4.0 - place).clamp_(0.0, 1.0).mul_(span)


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
    arrays = _known(chosen, images)
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


def are_worth_tables(levels: Any, channels: int) -> bool:
    """Whether bytes are sooner looked up in a table for each image and each of `channels` than computed."""
    return levels[:1].numel() >= LARGE_PLANE * channels and ops.host_array(levels) is not None


def histograms(levels: Any) -> Any | None:
    """How often each uint8 level is in each image and channel, (batch, channels, 256) int32; None if all at once."""
    count, height, width, channels = levels.shape
    is_small = height * width < LARGE_PLANE or not count
    if levels.dtype != torch.uint8 or is_small or ops.host_array(levels) is None:
        return None
    planes = levels.permute(0, 3, 1, 2).reshape(count * channels, height * width)
    counts = [plane.bincount(minlength=LEVEL_COUNT) for plane in planes]
    return torch.stack(counts).to(torch.int32).reshape(count, channels, LEVEL_COUNT)


def look_up(levels: Any, tables: Any) -> Any | None:
    """Each uint8 level replaced by its entry in the tables of its image and channel, or of its image; None if slower.

    Tables are (batch, channels or 1, 256). Python's own way of replacing bytes takes a sixth of a gather's time.
    """
    count, height, width, _ = levels.shape
    per_channel = tables.shape[1] > 1
    if (per_channel and height * width < LARGE_PLANE) or levels.dtype != torch.uint8 or not count:
        return None
    entries = ops.host_array(tables.to(torch.uint8).contiguous())
    if entries is None or ops.host_array(levels) is None:
        return None
    planes = (levels.permute(0, 3, 1, 2) if per_channel else levels).contiguous().numpy()
    strings = planes.reshape(count * tables.shape[1], -1)
    replaced = np.empty_like(strings)
    for string, new, table in zip(strings, replaced, entries.reshape(-1, LEVEL_COUNT), strict=True):
        new[:] = np.frombuffer(bytearray(string).translate(table.tobytes()), "uint8")
    looked_up = torch.from_numpy(replaced.reshape(planes.shape))
    return looked_up.permute(0, 2, 3, 1).contiguous() if per_channel else looked_up


def are_worth_boxes(images: Any) -> bool:
    """Whether boxes are sooner filled one by one."""
    return images.shape[1] * images.shape[2] >= LARGE_PLANE and ops.host_array(images) is not None


def fill_boxes(images: Any, params: Any, colors: Any | None) -> Any | None:
    """Large images, their `params`' boxes filled with `colors`, (batch or 1, boxes or 1, channels or 1), or with noise.

    Noise of bytes, which is made in the boxes only. None if it is not known where the boxes are, or if they have gaps.
    """
    count, _, width, channels = images.shape
    contents = [params[name] for name in WORDS] if colors is None else [colors]
    known = _known(params["rows"], params["columns"], *contents)
    if known is None or not _are_neighbours(*known[:2]):
        return None
    rows, columns, *filling = known
    boxes = rows.shape[1]
    if colors is not None:
        filling = [np.broadcast_to(filling[0], (count, boxes, filling[0].shape[-1]))]
    filled = images if is_own(images) else copied(images)
    pixels, line = filled.numpy(), width * channels
    for place, box in itertools.product(range(count), range(boxes)):
        inside, across = rows[place, box], columns[place, box]
        if not inside.any() or not across.any():
            continue
        (top, bottom), (left, right) = _ends(inside), _ends(across)
        if colors is not None:
            pixels[place, top:bottom, left:right] = filling[0][place, box]
            continue
        shared, own = filling
        first, last = top * line, bottom * line
        words = random.scrambled(shared[:, first // 4 : (last + 3) // 4], own[place : place + 1])
        noise = words.view("uint8")[0, first % 4 :][: last - first].reshape(bottom - top, width, channels)
        pixels[place, top:bottom, left:right] = noise[:, left:right]
    return filled


def blended(images: Any, params: Any) -> Any | None:
    """Large images, each moved towards its partner's by the share `rest`: float32; None if all at once is as fast."""
    known = _known(images, params["partner"], params["rest"]) if are_large(images) else None
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


def mixed_chains(levels: Any, chains: Any, weights: Any, keep: Any) -> Any | None:
    """Large uint8 images blended with their chains, (versions, width, batch, ...), for each version; else None."""
    known = _known(weights, keep, levels, chains) if are_large(levels) else None
    if known is None:
        return None
    versions, width, count = chains.shape[:3]
    mixed = _torch_memory.empty((versions, count, *levels.shape[1:]), levels)
    for version, place in itertools.product(range(versions), range(count)):
        shares, image = known[0][version, :, place].tolist(), levels[place].float()
        blended = chains[version, 0, place].float().mul_(shares[0])
        for chain in range(1, width):
            blended.add_(chains[version, chain, place].float().mul_(shares[chain]))
        blended.sub_(image).mul_(float(known[1][version, place])).add_(image)
        mixed[version, place] = blended.add_(ROUNDING).clamp_(0.0, 255.0)  # a byte drops the rest
    return mixed


def pasted(images: Any, params: Any) -> Any | None:
    """Large images with a box of their partner's pixels; None if all at once is as fast."""
    known = _known(images, params["partner"], params["rows"], params["columns"]) if are_large(images) else None
    if known is None or not _are_neighbours(*known[2:]):
        return None
    pixels, partners, rows, columns = known
    result = copied(images)
    for new, partner, inside, across in zip(result.numpy(), partners, rows, columns, strict=True):
        if inside.any() and across.any():
            box = slice(*_ends(inside)), slice(*_ends(across))
            new[box] = pixels[partner][box]
    return result


def _are_neighbours(*lines: np.ndarray) -> bool:
    """Whether the lines marked, along the last axis of each array, are without gaps."""
    return all((np.diff(marks, prepend=False, axis=-1) & marks).sum(-1).max(initial=0) <= 1 for marks in lines)


def _ends(inside: np.ndarray) -> tuple[int, int]:
    """The first of the neighbours that are `inside`, and the one after the last."""
    return int(inside.argmax()), len(inside) - int(inside[::-1].argmax())


def windows(images: Any, top: Any, left: Any, size: tuple[int, int], fill: float) -> Any | None:
    """The windows of large images that begin at `top` and `left`, maybe outside, where `fill` is seen; else None."""
    count, height, width, channels = images.shape
    known = _known(images, top, left) if size[0] * size[1] >= LARGE_PLANE else None
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


def copied(images: Any) -> Any:
    """A copy in memory that may be used again."""
    return _torch_memory.empty(images.shape, images).copy_(images)


def scaled(levels: Any, factor: Any, offset: Any) -> Any:
    """See `keras_tricks.augment._levels.scaled`; along the lines, of which a number for each channel is repeated."""
    if levels.is_cuda:  # fewer operations
        return levels + offset if factor is None else levels * factor + offset
    count, height, width, channels = levels.shape
    lines = levels.reshape(count, height, width * channels)
    factor, offset = _along_line(factor, width, channels), _along_line(offset, width, channels)
    if is_own(levels) and levels.is_contiguous():
        lines = (lines if factor is None else lines.mul_(factor)).add_(offset)
    else:
        lines = lines + offset if factor is None else lines * factor + offset
    return lines.reshape(levels.shape)


def _along_line(values: Any, width: int, channels: int) -> Any:
    if not isinstance(values, torch.Tensor):
        return values
    values = values.reshape(-1, 1, 1, values.shape[-1])
    if values.shape[-1] == 1:
        return values[..., 0]
    return values.expand(-1, -1, width, -1).reshape(-1, 1, width * channels)


def clipped(changed: Any, levels: Any) -> Any:
    """See `keras_tricks.augment._levels.clipped`."""
    # Where there are images of one's own, what was made of them is nobody else's either.
    is_new = _own.part is not None and changed.is_contiguous() and changed.data_ptr() != levels.data_ptr()
    return changed.clamp_(0.0, 255.0) if is_new or is_own(changed) else changed.clamp(0.0, 255.0)


def gray(levels: Any) -> Any:
    """How bright the pixels of red, green and blue look, in each channel: a product, faster than sums of planes."""
    matrix = np.repeat(np.array(GRAY_WEIGHTS, "float32")[:, None], 3, axis=1)
    return levels @ ops.constant(matrix, levels)


def sums_around(lines: Any, channels: int) -> Any:
    """The sums over 3x3 pixels, the middle five times, of (batch, rows, width * channels) without the outermost."""
    rows = lines[:, :-2] + lines[:, 1:-1]
    rows += lines[:, 2:]
    around = rows[:, :, : -2 * channels] + rows[:, :, channels:-channels]
    around += rows[:, :, 2 * channels :]
    return around.add_(lines[:, 1:-1, channels:-channels], alpha=4)


def as_bytes(levels: Any) -> Any:
    """The nearest whole levels of 0 to 255, uint8."""
    if is_own(levels):
        return levels.clamp_(0.0, 255.0).round_().to(torch.uint8)
    return in_parts(lambda part, _: part.clamp(0.0, 255.0).round_().to(torch.uint8), levels, {}, levels.element_size())
