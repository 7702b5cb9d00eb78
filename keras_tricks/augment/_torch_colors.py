"""What torch does to colours several times faster by operations of its own, on its processor above all."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from keras_tricks._core import _torch_memory, ops
from keras_tricks.augment._hue import HALF, SECTORS
from keras_tricks.augment._levels import GRAY_WEIGHTS, LEVEL_COUNT, ROUNDING
from keras_tricks.augment._torch_parts import are_large, have_own, in_parts, is_large_plane, is_own, own_of, place_of

TINY = 2.0**-126
NEIGHBOURS = 4  # pixels in a row of a product


def are_worth_tables(levels: Any, channels: int) -> bool:
    """Whether bytes are sooner looked up in a table for each image and each of `channels` than computed."""
    return is_large_plane(levels[:1].numel() // channels) and ops.host_array(levels) is not None


def histograms(levels: Any) -> Any | None:
    """How often each uint8 level is in each image and channel, (batch, channels, 256) int32; None if all at once."""
    count, height, width, channels = levels.shape
    is_small = not is_large_plane(height * width) or not count
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
    if (per_channel and not is_large_plane(height * width)) or levels.dtype != torch.uint8 or not count:
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


def as_bytes(levels: Any) -> Any:
    """The nearest whole levels of 0 to 255, uint8."""
    if is_own(levels):
        return levels.clamp_(0.0, 255.0).round_().to(torch.uint8)
    return in_parts(lambda part, _: part.clamp(0.0, 255.0).round_().to(torch.uint8), levels, {}, levels.element_size())


def scaled(levels: Any, factor: Any, offset: Any) -> Any:
    """See `keras_tricks.augment._levels.scaled`; along the lines, of which a number for each channel is repeated."""
    if levels.is_cuda:  # fewer operations
        return levels + offset if factor is None else levels * factor + offset
    count, height, width, channels = levels.shape
    lines = levels.reshape(count, height, width * channels)
    factor, offset = _along_line(factor, width, channels), _along_line(offset, width, channels)
    place = levels if is_own(levels) else place_of(levels)
    if place is not None and place.is_contiguous():
        made = place.view(lines.shape)
        lines = lines if factor is None else torch.mul(lines, factor, out=made)
        lines = torch.add(lines, offset, out=made)
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


def posterized(levels: Any, step: Any) -> Any:
    """As `keras_tricks.augment._levels.posterize`, of floats, with the size of the steps: in one piece of memory."""
    inside = torch.clamp(levels, 0.0, 255.0, out=levels if is_own(levels) else place_of(levels))
    return inside.round_().mul_(1.0 / step).floor_().mul_(step)


def with_mask(levels: Any, mask: Any) -> Any:
    """The bits of bytes that are in the `mask` of their image, (batch, 1, 1, 1), as well."""
    return torch.bitwise_and(levels, mask, out=place_of(levels))


def inverted(levels: Any) -> Any:
    """The negative."""
    place = place_of(levels)
    if levels.dtype == torch.uint8:
        return torch.bitwise_not(levels, out=place)
    if place is None:
        return 255 - levels
    return torch.sub(ops.constant(np.array(255, "float32"), levels), levels, out=place)


def sharpened(levels: Any, factor: Any) -> Any:
    """See `keras_tricks.augment._levels.sharpen`; `factor` is (batch, 1, 1)."""
    count, height, width, channels = levels.shape
    if min(height, width) < 3:
        return levels
    lines = levels.reshape(count, height, width * channels)
    smooth = sums_around(lines, channels).mul_((1.0 - factor) * (1 / 13))
    changed = own_of(levels) if ops.host_array(levels) is not None else levels.clone()
    changed = changed.contiguous()
    inner = changed.view(lines.shape)[:, 1:-1, channels:-channels]
    inner.mul_(factor).add_(smooth)
    return changed


def inverted_from(levels: Any, lowest: Any, are_any: Any) -> Any:
    """The negatives of the bytes that are not below `lowest`, where there `are_any`, both (batch, 1, 1, 1)."""

    def invert(image: Any, mask: Any, new: Any, least: Any, are_any: Any) -> None:
        if are_any:
            np.bitwise_xor(image, _marked(np.greater_equal, image, least, mask), out=new)
        else:
            new[...] = image

    if (inverted := _one_by_one(levels, (lowest, are_any), invert)) is not None:
        return inverted
    flipped = (levels >= lowest).view(torch.uint8).mul_(255 * are_any.to(torch.uint8))
    return flipped.bitwise_xor_(levels)


def raised_below(levels: Any, more: Any, less: Any, lowest: Any, are_any: Any) -> Any | None:
    """Large images of bytes, inside 0 to 255 with `more` added or `less` taken away below `lowest`; else None.

    All are bytes, (batch, 1, 1, 1), but for the bools `are_any`: where one is False, all levels are below.
    """

    def raise_(image: Any, mask: Any, new: Any, more: Any, less: Any, least: Any, are_any: Any) -> None:
        # Sums, comparisons and bits of bytes take a twentieth of the time of minima, maxima and choices.
        if more:
            np.add(image, more, out=new)
            np.bitwise_or(new, _marked(np.less, new, more, mask), out=new)
        else:
            np.subtract(image, less, out=new)
            np.bitwise_and(new, _marked(np.greater_equal, image, less, mask), out=new)
        if are_any:
            kept = _marked(np.greater_equal, image, least, mask)
            np.bitwise_and(np.bitwise_xor(image, new), kept, out=kept)
            np.bitwise_xor(new, kept, out=new)

    return _one_by_one(levels, (more, less, lowest, are_any), raise_)


def _marked(compare: Callable[..., Any], image: Any, number: Any, mask: Any) -> Any:
    """`mask`, 255 where the comparison of a level with the `number` is true, and 0 elsewhere."""
    compare(image, number, out=mask.view(bool))
    return np.negative(mask, out=mask)


def _one_by_one(levels: Any, params: Sequence[Any], change: Callable[..., None]) -> Any | None:
    """Large images of bytes after `change(image, mask, new, *numbers)`, with those of the image; else None.

    It writes to `new`, and to a mask of that size if it likes. NumPy passes sooner than torch over what is in a cache.
    """
    is_worth_it = is_large_plane(levels[:1].numel()) and levels.is_contiguous()
    arrays = ops.host_arrays(levels, *params) if is_worth_it else None
    if arrays is None:
        return None
    place = place_of(levels)
    changed = _torch_memory.empty(levels.shape, levels) if place is None else place
    mask = np.empty(levels.shape[1:], "uint8")
    numbers = [np.broadcast_to(array.reshape(-1), len(levels)) for array in arrays[1:]]
    for image, new, *own in zip(arrays[0], changed.numpy(), *numbers, strict=True):
        change(image, mask, new, *own)
    return changed


def on_lines(levels: Any, factor: Any, offset: Any) -> Any:
    """`floor(levels * factor + offset)` of bytes, with both for each image and channel, as bytes."""
    count, height, width, channels = levels.shape
    lines = levels.reshape(count, height, width * channels).to(torch.float32)
    lines.mul_(_along_line(factor, width, channels)).add_(_along_line(offset, width, channels))
    return lines.floor_().to(torch.uint8).reshape(levels.shape)


def clipped(changed: Any, levels: Any, is_ours: bool) -> Any:
    """See `keras_tricks.augment._levels.clipped`."""
    may_be_new = have_own() or (is_ours and ops.host_array(changed) is not None)
    is_new = may_be_new and changed.is_contiguous() and changed.data_ptr() != levels.data_ptr()
    return changed.clamp_(0.0, 255.0) if is_new or is_own(changed) else changed.clamp(0.0, 255.0)


def gray(levels: Any) -> Any:
    """How bright the pixels of red, green and blue look, in each channel: a product, faster than sums of planes.

    On a processor of several neighbours of one image at once, although most of what is multiplied then are zeros.
    """
    place = place_of(levels)
    rows = levels.is_contiguous() and (place is None or place.is_contiguous()) and levels.device.type == "cpu"
    if not rows or levels[:1].numel() % (3 * NEIGHBOURS):
        return torch.matmul(levels, ops.constant(_gray_matrix(1), levels), out=place)
    out = None if place is None else place.view(-1, 3 * NEIGHBOURS)
    seen = torch.matmul(levels.view(-1, 3 * NEIGHBOURS), ops.constant(_gray_matrix(NEIGHBOURS), levels), out=out)
    return seen.view(levels.shape)


@functools.cache
def _gray_matrix(pixels: int) -> np.ndarray:
    weights = np.repeat(np.array(GRAY_WEIGHTS, "float32")[:, None], 3, axis=1)
    return np.kron(np.eye(pixels, dtype="float32"), weights)


def sums_around(lines: Any, channels: int) -> Any:
    """The sums over 3x3 pixels, the middle five times, of (batch, rows, width * channels) without the outermost."""
    rows = lines[:, :-2] + lines[:, 1:-1]
    rows += lines[:, 2:]
    around = rows[:, :, : -2 * channels] + rows[:, :, channels:-channels]
    around += rows[:, :, 2 * channels :]
    return around.add_(lines[:, 1:-1, channels:-channels], alpha=4)


def jittered(levels: Any, params: Any, change: Callable[..., Any]) -> Any | None:
    """Images after the steps of a jitter, each image's in its order, if what is drawn is there to be looked at.

    `change(planes, step, amount)` is one step of an image, planes of (channels, height, width) and a number, or of
    several with an axis more each. It may write to the planes.
    """
    steps = list(params["place"])
    known = ops.host_arrays(levels, *params["place"].values(), *(params[step] for step in steps)) if steps else None
    if known is None:
        return None
    known = [part.reshape(-1) for part in known[1:]]
    places, amounts = np.stack(known[: len(steps)]), np.stack(known[len(steps) :])
    if not are_large(levels):
        return _jittered_together(levels, places, amounts, steps, change)
    changed = _torch_memory.empty(levels.shape, levels)
    for index, image in enumerate(levels):
        planes = image.permute(2, 0, 1).clone(memory_format=torch.contiguous_format)
        for step in places[:, index].argsort():
            planes = change(planes, steps[step], float(amounts[step, index]))
        changed[index] = planes.permute(1, 2, 0)
    return changed


def _jittered_together(levels: Any, places: Any, amounts: Any, steps: list[str], change: Callable[..., Any]) -> Any:
    """At each place in the order, the images together that have the same step there."""
    planes = levels.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
    for place, index in itertools.product(range(len(steps)), repeat=2):
        rows = (places[index] == place).nonzero()[0]
        if rows.size:
            chosen, amount = torch.from_numpy(rows), torch.from_numpy(amounts[index, rows, None, None, None])
            planes.index_copy_(0, chosen, change(planes.index_select(0, chosen), steps[index], amount))
    return planes.permute(0, 2, 3, 1).contiguous()


def gray_of(channels: Sequence[Any]) -> Any:
    """How bright each pixel looks, of one channel or three."""
    if len(channels) == 1:
        return channels[0]
    gray = channels[0] * GRAY_WEIGHTS[0]
    for channel, weight in zip(channels[1:], GRAY_WEIGHTS[1:], strict=True):
        gray.add_(channel, alpha=weight)
    return gray


def shift_hue(planes: Any, turns: Any) -> Any:
    """As `keras_tricks.augment._hue.shift_hue`, of planes (..., 3, height, width), all three in one."""
    red, green, blue = planes.split(1, -3)
    high = torch.maximum(torch.maximum(red, green), blue)
    span = high - torch.minimum(torch.minimum(red, green), blue)
    sectors = ops.constant(np.array(SECTORS, "float32")[:, None, None], planes)
    # A colour whose span is 0 has no hue, and differences of 0: divided by the least number above 0 they stay so.
    hues = (planes.roll(-1, -3) - planes.roll(-2, -3)).div_(span.clamp(min=TINY)).add_(sectors).split(1, -3)
    hue = ops.where(red >= high, hues[0], ops.where(green >= high, hues[1], hues[2])).add_(6.0 * turns)
    hue.sub_(hue.mul(1 / 6).floor_().mul_(6.0))
    away = hue - sectors
    # The distance from red goes both ways round the circle.
    away.narrow(-3, 0, 1).sub_(HALF).abs_().neg_().add_(HALF)
    return high - away.abs_().sub_(1.0).clamp_(0.0, 1.0).mul_(span)


def mixed_chains(levels: Any, chains: Any, weights: Any, keep: Any) -> Any | None:
    """Large uint8 images blended with their chains, (versions, width, batch, ...), for each version; else None."""
    known = ops.host_arrays(weights, keep, levels, chains) if are_large(levels) else None
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
