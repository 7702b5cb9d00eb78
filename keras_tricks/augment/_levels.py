"""What is done to colours, as pure functions of levels: `(batch, height, width, channels)`, 0 to 255.

Parameters are one per image, `(batch, 1, 1, 1)` unless said otherwise. Levels are float32; functions that say so take
uint8 as well, and then stay in it. Nothing here clips what may leave 0 to 255, except where uint8 has to.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_tricks._core import ops

Tensor = Any

# ITU-R 601: how bright red, green and blue look.
GRAY_WEIGHTS = (0.299, 0.587, 0.114)
LEVEL_COUNT = 256
CHANNELS_COUNTED_APART = 4
BLACK = "black"
# To be added before the rest is dropped. A hair above a half: where a level falls between two exactly, all backends
# round up, whatever their last digit says.
ROUNDING = 0.5 + 2.0**-10
POSTERIZE_MASKS = np.array([256 - 2 ** (8 - bits) for bits in range(9)])


def is_uint8(levels: Tensor) -> bool:
    """Whether these are levels in 8 bits."""
    return "uint8" in str(levels.dtype)


def as_pixels(values: Tensor, dtype: Any) -> Tensor:
    """Float32 values in `dtype`: the nearest, if that is one of integers."""
    return ops.cast(ops.round(values) if "int" in str(dtype) else values, dtype)


def whole(levels: Tensor) -> Tensor:
    """The nearest whole levels of 0 to 255: float32, or on torch uint8, where each operation is a pass."""
    if not ops.is_torch(levels):
        return ops.clip(ops.round(levels), 0.0, 255.0)
    from keras_tricks.augment._torch_colors import as_bytes

    return as_bytes(levels)


def are_cast_later(images: Tensor) -> bool:
    """Whether what becomes of `images` may be of another dtype: on torch, where it is copied to its place anyway."""
    if not ops.is_torch(images):
        return False
    from keras_tricks.augment._torch_parts import is_own, is_source

    return is_own(images) or is_source(images)


def own(levels: Tensor) -> Tensor:
    """Levels that torch may write to, if it does: on its processor a copy."""
    if ops.host_array(levels) is None:
        return levels
    from keras_tricks.augment._torch_parts import copied

    return copied(levels)


def filling(fill: Any, value_range: tuple[float, float]) -> Any:
    """`fill`, where "black" is the low end of `value_range`."""
    return value_range[0] if fill == BLACK else fill


def grayscale(levels: Tensor) -> Tensor:
    """How bright each pixel looks, in one channel; images of one channel as they are."""
    if levels.shape[-1] == 1:
        return levels
    red, green, blue = GRAY_WEIGHTS
    return red * levels[..., 0:1] + green * levels[..., 1:2] + blue * levels[..., 2:3]


def blend(levels: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """`other` at a factor of 0, `levels` at 1, and on in that direction above."""
    return other + factor * (levels - other)


def split(levels: Tensor) -> list[Tensor]:
    """The channels as planes, `(batch, height, width)`."""
    return [levels[..., channel] for channel in range(levels.shape[-1])]


def join(planes: list[Tensor]) -> Tensor:
    """Levels from the planes of their channels."""
    if ops.is_torch(planes[0]):
        return ops.stack(planes, axis=-1)
    # XLA makes one loop over all pixels of this choice; where planes are stacked it is three, and several times slower.
    channel = ops.arange(len(planes), dtype="int32")
    levels = planes[-1][..., None]
    for index in reversed(range(len(planes) - 1)):
        levels = ops.where(channel == index, planes[index][..., None], levels)
    return levels


def scaled(levels: Tensor, factor: Any, offset: Any) -> Tensor:
    """`levels * factor + offset`, a factor of None being 1; both (batch or 1, 1, 1, channels or 1), or for channels."""
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import scaled as torch_scaled

        return torch_scaled(levels, factor, offset)
    return levels + offset if factor is None else levels * factor + offset


def clipped(changed: Tensor, levels: Tensor, is_ours: bool = False) -> Tensor:
    """What was made of `levels` held inside 0 to 255; on torch in the memory it has, if it is not theirs.

    Nor anybody else's, which is known of what `is_ours`.
    """
    if ops.is_torch(changed):
        from keras_tricks.augment._torch_colors import clipped as torch_clipped

        return torch_clipped(changed, levels, is_ours)
    return ops.clip(changed, 0.0, 255.0)


def invert(levels: Tensor) -> Tensor:
    """The negative, also of uint8."""
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import inverted

        return inverted(levels)
    return 255 - levels


def solarize(levels: Tensor, threshold: Tensor) -> Tensor:
    """The negative of each level that is not below `threshold` (float32), also of uint8."""
    if not is_uint8(levels):
        return ops.where(levels < threshold, levels, 255.0 - levels)
    lowest, are_any = ops.cast(ops.clip(ops.ceil(threshold), 0.0, 255.0), "uint8"), threshold <= 255.0
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import inverted_from

        return inverted_from(levels, lowest, are_any)
    return ops.where(ops.logical_and(levels >= lowest, are_any), 255 - levels, levels)


def solarize_add(levels: Tensor, add: Tensor, threshold: Tensor) -> Tensor:
    """`add` more, inside 0 to 255, for each level below `threshold` (both float32), also of uint8."""
    if not is_uint8(levels):
        return ops.where(levels < threshold, ops.clip(levels + add, 0.0, 255.0), levels)
    add = ops.round(add)
    more, less = (ops.cast(ops.clip(size, 0.0, 255.0), "uint8") for size in (add, -add))
    lowest = ops.cast(ops.clip(ops.ceil(threshold), 0.0, 255.0), "uint8")
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import raised_below

        if (raised := raised_below(levels, more, less, lowest, threshold <= 255.0)) is not None:
            return raised

    def solarized(levels: Tensor) -> Tensor:
        added = ops.minimum(levels, 255 - more) + more
        added = ops.maximum(added, less) - less
        kept = ops.logical_and(levels >= lowest, threshold <= 255.0)
        return ops.where(kept, levels, added)

    return by_table(levels, solarized)


def posterize(levels: Tensor, bits: Tensor) -> Tensor:
    """The highest `bits` (int32, 0 to 8) of the 8 of each whole level, the others 0; also of uint8."""
    if is_uint8(levels):
        masks = ops.take(ops.constant(POSTERIZE_MASKS.astype("uint8"), bits), bits, axis=0)
        if ops.is_torch(levels):
            from keras_tricks.augment._torch_colors import with_mask

            return with_mask(levels, masks)
        return ops.bitwise_and(levels, ops.once(masks))
    step = ops.once(ops.take(ops.constant((256 - POSTERIZE_MASKS).astype("float32"), bits), bits, axis=0))
    if ops.host_arrays(levels, step) is not None:
        from keras_tricks.augment._torch_colors import posterized

        return posterized(levels, step)
    return ops.floor(ops.round(ops.clip(levels, 0.0, 255.0)) * (1.0 / step)) * step


def autocontrast_lines(levels: Tensor) -> tuple[Tensor, Tensor]:
    """`(scale, offset)`, each `(batch, 1, 1, channels)`: `floor(levels * scale + offset)` spans 0 to 255.

    Per image and channel, of float32 or uint8; a channel of one level stays as it is.
    """
    low = ops.cast(over_pixels(ops.min, ops.minimum, levels), "float32")
    high = ops.cast(over_pixels(ops.max, ops.maximum, levels), "float32")
    flat = low >= high
    scale = ops.where(flat, ops.ones_like(low), 255.0 / ops.where(flat, ops.ones_like(low), high - low))
    # Whole levels become multiples of 1/255 at least: the thousandth keeps a rounding error from losing one.
    return scale, ops.where(flat, ops.zeros_like(low), -low * scale) + 1e-3


def histograms(levels: Tensor) -> Tensor:
    """How many pixels of each image and channel have each level, `(batch, channels, 256)` int32.

    The levels are uint8 or whole numbers.
    """
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import histograms as torch_histograms

        if (counts := torch_histograms(levels)) is not None:
            return counts
    if ops.is_torch(levels) or levels.shape[-1] > CHANNELS_COUNTED_APART:
        return _counts(levels)
    # Six short counts, which XLA makes side by side, take two thirds of the time of a long one.
    half = ops.shape(levels)[0] // 2
    counts = [
        ops.stack([_counts_of_plane(plane) for plane in split(part)], axis=1) for part in (levels[:half], levels[half:])
    ]
    return ops.concatenate(counts, axis=0)


def equalize(levels: Tensor, changed: Tensor | None) -> Tensor:
    """The levels, uint8 or whole numbers, about equally frequent in each channel of the images that are `changed`.

    (batch, 1, 1, 1) bools; None for all of them.
    """

    def tables(counts: Tensor) -> Tensor:
        equalizing = tables_that_equalize(counts)
        if changed is None:
            return equalizing
        return ops.where(changed[:, :, 0], equalizing, ops.arange(LEVEL_COUNT, dtype="int32"))

    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import are_worth_tables

        if not are_worth_tables(levels, levels.shape[-1]):
            # The place of a pixel among all counts is that of its entry, too.
            bins = _bins(levels)
            entries = ops.cast(tables(_counts(levels, bins)), levels.dtype)
            return ops.take(ops.reshape(entries, (-1,)), bins, axis=0)
    return look_up(levels, tables(histograms(levels)))


def tables_that_equalize(counts: Tensor) -> Tensor:
    """Tables `(batch, channels, 256)`, int32, through which levels with these histograms are about equally frequent.

    A channel of one level stays as it is.
    """
    upto = ops.cumsum(counts, axis=-1)
    # The pixels of the highest level that occurs do not count.
    below = ops.max(ops.where(upto < upto[..., -1:], upto, ops.zeros_like(upto)), axis=-1, keepdims=True)
    step = below // 255
    divisor = ops.maximum(step, ops.ones_like(step))
    table = _quotients(upto - counts + divisor // 2, divisor)
    unchanged = ops.arange(LEVEL_COUNT, dtype="int32")
    return ops.where(step > 0, ops.minimum(table, ops.zeros_like(table) + 255), unchanged)


def _quotients(value: Tensor, divisor: Tensor) -> Tensor:
    """`value // divisor` of int32 that are not below 0, where it is below 2**20.

    By way of float32, with what its rounding missed put right: XLA takes longer to divide integers.
    """
    if ops.is_torch(value):
        return value // divisor
    quotients = ops.cast(ops.cast(value, "float32") / ops.cast(divisor, "float32"), "int32")
    rest = value - quotients * divisor
    return quotients + ops.cast(rest >= divisor, "int32") - ops.cast(rest < 0, "int32")


def look_up(levels: Tensor, tables: Tensor) -> Tensor:
    """Each level, uint8 or a whole number, replaced by its entry in the `(batch, channels or 1, 256)` tables."""
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import look_up as torch_look_up

        if (looked_up := torch_look_up(levels, tables)) is not None:
            return looked_up
    tables = ops.broadcast_to(tables, (ops.shape(levels)[0], levels.shape[-1], LEVEL_COUNT))
    entries = ops.as_table(ops.cast(tables, levels.dtype))
    return ops.take(ops.reshape(entries, (-1,)), _bins(levels), axis=0)


def by_table(levels: Tensor, function: Callable[[Tensor], Tensor], channels: int = 1) -> Tensor:
    """`function(levels)`, which changes each level by itself, in `channels` ways, as its parameters say.

    On torch's processor bytes of large images are looked up in a table that the function makes: one pass, not one for
    each operation.
    """
    if not ops.is_torch(levels) or not is_uint8(levels):
        return function(levels)
    from keras_tricks.augment._torch_colors import are_worth_tables

    if not are_worth_tables(levels, channels):
        return function(levels)
    every = ops.reshape(ops.constant(np.arange(LEVEL_COUNT, dtype="uint8"), levels), (1, LEVEL_COUNT, 1, 1))
    tables = function(every)
    tables = ops.broadcast_to(tables, (ops.shape(levels)[0], *tables.shape[1:]))
    return look_up(levels, ops.transpose(tables[:, :, 0], (0, 2, 1)))


def sharpen(levels: Tensor, factor: Tensor) -> Tensor:
    """`blend(levels, smooth, factor)` with the 3x3 means that weigh the pixel itself five times; borders stay."""
    factor = factor[..., 0]
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import sharpened

        return sharpened(levels, factor)
    return change_inside(levels, lambda inner, around: blend(inner, around * (1 / 13), factor))


def change_inside(levels: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """`change(inner, around)` for the pixels inside the outermost ones, which stay; of float32 or uint8.

    `around` is the sum over 3x3 pixels in which the middle counts five times. Both are (batch, rows, width * channels),
    computed along long lines; for levels of uint8 they are int32, or on torch int16.
    """
    count, height, width, channels = ops.shape(levels)
    if any(isinstance(size, int) and size < 3 for size in (height, width)):
        return levels
    lines = ops.reshape(levels, (count, height, width * channels))
    if ops.is_torch(levels):
        from keras_tricks.augment._torch_colors import sums_around

        values = ops.cast(lines, "int16") if is_uint8(levels) else lines
        around = sums_around(values, channels)
        changed = lines.clone()
        changed[:, 1:-1, channels:-channels] = change(values[:, 1:-1, channels:-channels], around)
        return ops.reshape(changed, (count, height, width, channels))
    values = ops.cast(lines, "int32") if is_uint8(levels) else lines
    rows = values[:, :-2] + values[:, 1:-1] + values[:, 2:]
    inner = values[:, 1:-1, channels:-channels]
    around = rows[:, :, : -2 * channels] + rows[:, :, channels:-channels] + rows[:, :, 2 * channels :] + 4 * inner
    inner = ops.cast(change(inner, around), levels.dtype)
    # XLA is ten times slower if it is to ask for each level whether it is on one of four sides.
    middle = ops.once(ops.concatenate([lines[:, 1:-1, :channels], inner, lines[:, 1:-1, -channels:]], axis=2))
    changed = ops.concatenate([lines[:, :1], middle, lines[:, -1:]], axis=1)
    return ops.reshape(changed, (count, height, width, channels))


def over_pixels(reduce: Callable[..., Tensor], join: Callable[..., Tensor], levels: Tensor) -> Tensor:
    """`reduce(levels, axis=(1, 2), keepdims=True)`, many times faster; `join` is `reduce` for two tensors."""
    count, height, width, channels = ops.shape(levels)
    lines = ops.reshape(levels, (count, height, width * channels))
    # Of two reductions XLA would make one again.
    line = ops.once(_over_lines(reduce, join, lines))
    return reduce(ops.reshape(line, (count, 1, width, channels)), axis=2, keepdims=True)


def _over_lines(reduce: Callable[..., Tensor], join: Callable[..., Tensor], lines: Tensor) -> Tensor:
    """`reduce(lines, axis=1, keepdims=True)`, for XLA as one loop along the lines: half of them with the other half."""
    left = lines.shape[1]
    if ops.is_torch(lines) or not left:
        return reduce(lines, axis=1, keepdims=True)
    single = []
    while left > 1:
        if left % 2:
            single.append(lines[:, left - 1 : left])
        left //= 2
        lines = join(lines[:, :left], lines[:, left : 2 * left])
    return functools.reduce(join, single, lines)


def _counts(levels: Tensor, bins: Tensor | None = None) -> Tensor:
    """As `histograms`, all images and channels in one count."""
    count, _, _, channels = ops.shape(levels)
    bins = _bins(levels) if bins is None else bins
    counts = ops.count(ops.reshape(bins, (-1,)), count * channels * LEVEL_COUNT)
    return ops.reshape(counts, (count, channels, LEVEL_COUNT))


def _counts_of_plane(levels: Tensor) -> Tensor:
    """The histograms of one channel, (batch, 256)."""
    count, height, width = ops.shape(levels)
    first = ops.arange(count, dtype="int32")[:, None] * LEVEL_COUNT
    bins = ops.cast(ops.reshape(levels, (count, height * width)), "int32") + first
    return ops.reshape(ops.count(ops.reshape(bins, (-1,)), count * LEVEL_COUNT), (count, LEVEL_COUNT))


def _bins(levels: Tensor) -> Tensor:
    """The place of each pixel's level among the levels of all images and channels."""
    count, height, width, channels = ops.shape(levels)
    first = ops.reshape(ops.arange(count * channels, dtype="int32") * LEVEL_COUNT, (count, 1, channels))
    first = ops.reshape(ops.broadcast_to(first, (count, width, channels)), (count, 1, width * channels))
    lines = ops.cast(ops.reshape(levels, (count, height, width * channels)), "int32")
    return ops.reshape(lines + first, (count, height, width, channels))
