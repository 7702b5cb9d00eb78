"""The operations of the policies, an operation of its own for each image, on uint8.

Every operation is one of three kernels with a parameter per image: a table of 256 levels, a blend with a gray or a
smoothed image, an affine map. Levels are whole numbers after each, as in Pillow, and computed in integers, so that the
backends agree to the level; but for affine maps, which round to another level where the last digit decides, and what
later operations make of that.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_tricks._core import ops
from keras_tricks.augment import _batch, _levels, _resampling, _subset
from keras_tricks.augment._warp import Affine, per_image, source_points

Tensor = Any
# For each operation: the amount at strength 0, what is added up to strength 1, whether the sign of that is drawn.
Amounts = dict[str, tuple[float, float, bool]]

NAMES = (
    "Identity",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Contrast",
    "AutoContrast",
    "Equalize",
    "Color",
    "Sharpness",
    "Posterize",
    "Solarize",
    "SolarizeAdd",
    "Invert",
)
NUMBERS = {name: number for number, name in enumerate(NAMES)}
AFFINE = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
NEED_HISTOGRAMS = ("Contrast", "AutoContrast", "Equalize")
BLENDS = ("Color", "Sharpness")
PLAIN = ("Brightness", "Posterize", "Solarize", "SolarizeAdd", "Invert")
# Factors count in parts of 1024: products with levels are exact in 32 bits.
FACTOR_BITS = 10
POSTERIZE_STEPS = 2 ** np.arange(8, -1, -1)
# ITU-R 601 in parts of 65536.
GRAY_PARTS = (19595, 38470, 7471)


def drawn_operations(names: tuple[str, ...], uniforms: Tensor) -> Tensor:
    """The numbers of operations drawn from `names`, all equally likely, by uniform numbers in [0, 1)."""
    which = ops.cast(ops.floor(uniforms * len(names)), "int32")
    numbers = np.array([NUMBERS[name] for name in names], "int32")
    return ops.take(ops.constant(numbers, which), which, axis=0)


def amounts(table: Amounts, operation: Tensor, strength: Tensor, positive: Tensor) -> Tensor:
    """The amount of each operation at `strength`, with the sign of what is added where it is one that is drawn."""
    columns = np.array([table.get(name, (0, 0, False)) for name in NAMES], "float32").T
    start, span, signed = (ops.take(ops.constant(column.copy(), strength), operation, axis=0) for column in columns)
    sign = 1.0 - 2.0 * signed * ops.cast(ops.logical_not(positive), "float32")
    return start + sign * span * strength


def is_one_of(operation: Tensor, names: tuple[str, ...]) -> Tensor:
    """Whether each number in `operation` stands for one of `names`."""
    found = operation == NUMBERS[names[0]]
    for name in names[1:]:
        found = ops.logical_or(found, operation == NUMBERS[name])
    return found


def chance_of(chances: Mapping[str, float], names: tuple[str, ...]) -> float:
    """The probability of any of `names`."""
    return min(1.0, sum(chances.get(name, 0.0) for name in names))


def change_colors(images: Tensor, operation: Tensor, amount: Tensor, chances: Mapping[str, float]) -> Tensor:
    """Each uint8 image after its operation, (batch,) int32, of an amount, (batch,) float32, if it is one of colour.

    The amount is a factor (1 changes nothing) of Brightness, Contrast, Color and Sharpness, the bits that Posterize
    leaves, the threshold of Solarize, the levels of SolarizeAdd. `chances` are the probabilities of the operations.
    On torch the images may be written to.
    """
    if ops.host_array(images) is not None:
        for names, change in _changes():
            needed, chance = is_one_of(operation, names), chance_of(chances, names)
            images = _subset.change(images, needed, chance, change, images, operation, amount, own=True)
        return images
    count, _, _, channels = ops.shape(images)
    tables = _plain_tables(operation, amount)
    tables = ops.broadcast_to(tables, (count, channels, 256))
    needed, chance = is_one_of(operation, NEED_HISTOGRAMS), chance_of(chances, NEED_HISTOGRAMS)
    tables = _subset.change(tables, needed, chance, _tables_of_images, images, operation, amount)
    images = _levels.look_up(images, tables)
    needed, chance = is_one_of(operation, BLENDS), chance_of(chances, BLENDS)
    return _subset.change(images, needed, chance, _blends, images, operation, amount)


def _changes() -> list[tuple[tuple[str, ...], Callable[..., Tensor]]]:
    """The operations of colour, those together that are done in one go where just the images concerned are touched."""
    return [
        (PLAIN, lambda images, *drawn: _levels.look_up(images, by_numpy(_plain_tables, *drawn))),
        (NEED_HISTOGRAMS, lambda images, *drawn: _levels.look_up(images, _tables_of_images(images, *drawn))),
        (("Color",), lambda images, _, amount: _colored(images, amount)),
        (("Sharpness",), lambda images, _, amount: _sharpened(images, amount)),
    ]


def affine_map(operation: Tensor, amount: Tensor, height: Any, width: Any) -> Affine:
    """How each operation moves points from the centre: `(matrix, translation)`, (batch, 4) by rows and (batch, 2).

    The amount is the degrees of Rotate, counter-clockwise, the share of the side of the translations, the slope of the
    shears, which are about the upper left corner.
    """
    zero, one = ops.zeros_like(amount), ops.ones_like(amount)
    shear_x, shear_y, move_x, move_y, rotation = (
        ops.where(operation == NUMBERS[name], amount, zero) for name in AFFINE
    )
    angle = rotation * (np.pi / 180)
    cos, sin = ops.cos(angle), ops.sin(angle)
    turned = is_one_of(operation, ("Rotate",))
    matrix = [ops.where(turned, cos, one), sin - shear_x, -sin - shear_y, ops.where(turned, cos, one)]
    half_height, half_width = 0.5 * ops.number(height), 0.5 * ops.number(width)
    translation = [
        -2.0 * half_width * move_x - half_height * shear_x,
        -2.0 * half_height * move_y - half_width * shear_y,
    ]
    return ops.stack(matrix, axis=-1), ops.stack(translation, axis=-1)


def compose(second: Affine, first: Affine) -> Affine:
    """`first`, and then `second`."""
    (matrix, translation), (other, moved) = second, first
    a, b, c, d = (matrix[:, entry] for entry in range(4))
    e, f, g, h = (other[:, entry] for entry in range(4))
    x, y = moved[:, 0], moved[:, 1]
    product = [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]
    return ops.stack(product, axis=-1), ops.stack([a * x + b * y, c * x + d * y], axis=-1) + translation


def move(images: Tensor, affine: Affine, moved: Tensor, chance: float, fill: float | str) -> Tensor:
    """Each uint8 image after its affine map, where it is `moved`, (batch,) bool, which happens with `chance`.

    On torch the images may be written to.
    """

    def resampled(images: Tensor, matrix: Tensor, translation: Tensor) -> Tensor:
        _, height, width, _ = ops.shape(images)
        x, y = source_points(*_resampling.from_centre(height, width), (matrix, translation))
        x, y = x + 0.5 * ops.number(width - 1), y + 0.5 * ops.number(height - 1)
        seen = _resampling.resample(images, x, y, fill, "bilinear")
        return ops.cast(seen + _levels.ROUNDING, "uint8")  # which drops the rest

    return _subset.change(images, moved, chance, resampled, images, *affine, own=True)


def _plain_tables(operation: Tensor, amount: Tensor) -> Tensor:
    """The tables, (batch, 1, 256) int32, of the operations that need not know the image."""
    levels = ops.arange(256, dtype="int32")[None, None, :]
    operation, amount = per_image(operation), per_image(amount)
    levels = levels + operation * 0
    bits = ops.cast(ops.clip(amount, 0.0, 8.0), "int32")
    step = ops.take(ops.constant(POSTERIZE_STEPS.astype("int32"), operation), bits, axis=0)
    added = _clip(levels + ops.cast(ops.clip(amount, -255.0, 255.0), "int32"))
    tables = {
        "Brightness": _blend(levels, levels * 0, _factor(amount)),
        "Posterize": (levels // step) * step,
        "Solarize": ops.where(ops.cast(levels, "float32") < amount, levels, 255 - levels),
        "SolarizeAdd": ops.where(levels < 128, added, levels),
        "Invert": 255 - levels,
    }
    for name, table in tables.items():
        levels = ops.where(operation == NUMBERS[name], table, levels)
    return levels


def by_numpy(function: Callable[..., Any], *drawn: Tensor) -> Any:
    """`function(*drawn)`, which NumPy computes where torch has the numbers in the host's memory."""
    known = ops.host_arrays(*drawn)
    return function(*drawn) if known is None else _batch.by_numpy(function, known)


def _tables_of_images(images: Tensor, operation: Tensor, amount: Tensor) -> Tensor:
    """The tables, (batch, channels, 256) int32, of the operations that need to know how frequent levels are."""
    return by_numpy(_tables_of_histograms, _levels.histograms(images), operation, amount)


def _tables_of_histograms(counts: Tensor, operation: Tensor, amount: Tensor) -> Tensor:
    levels = ops.arange(256, dtype="int32")[None, None, :]
    operation, amount = per_image(operation), per_image(amount)
    there = counts > 0
    low = ops.min(ops.where(there, levels, levels * 0 + 255), axis=-1, keepdims=True)
    high = ops.max(ops.where(there, levels, levels * 0), axis=-1, keepdims=True)
    span = ops.maximum(high - low, ops.ones_like(high))
    stretched = ops.where(high > low, _clip(((levels - low) * 255) // span), levels)
    gray = _blend(levels + counts * 0, _mean_gray(counts), _factor(amount))
    tables = ops.where(operation == NUMBERS["AutoContrast"], stretched, gray)
    return ops.where(operation == NUMBERS["Equalize"], _levels.tables_that_equalize(counts), tables)


def _mean_gray(counts: Tensor) -> Tensor:
    """The mean brightness of images with these histograms as a whole level, (batch, 1, 1) int32."""
    levels = ops.cast(ops.arange(256, dtype="int32"), "float32")
    counts = ops.cast(counts, "float32")
    means = ops.sum(counts * levels, axis=-1) / ops.sum(counts, axis=-1)
    if means.shape[-1] == 3:
        means = sum(share * (1 / 65536) * means[:, channel : channel + 1] for channel, share in enumerate(GRAY_PARTS))
    return ops.cast(ops.floor(means + 0.5), "int32")[:, :, None]


def _blends(images: Tensor, operation: Tensor, amount: Tensor) -> Tensor:
    """The images after Color or Sharpness, whichever is theirs."""
    is_sharpness = operation[:, None, None, None] == NUMBERS["Sharpness"]
    return ops.where(is_sharpness, _sharpened(images, amount), _colored(images, amount))


def _colored(images: Tensor, amount: Tensor) -> Tensor:
    """Away from the gray image."""
    levels = ops.cast(images, "int32")
    gray = levels
    if levels.shape[-1] == 3:
        parts = [share * levels[..., channel] for channel, share in enumerate(GRAY_PARTS)]
        gray = ops.right_shift(parts[0] + parts[1] + parts[2] + 32768, 16)[..., None]
    return ops.cast(_blend(levels, gray, per_image(_factor(amount))[..., None]), "uint8")


def _sharpened(images: Tensor, amount: Tensor) -> Tensor:
    """Away from the smoothed image; the border stays."""
    factor = per_image(_factor(amount))
    return _levels.change_inside(images, lambda inner, around: _blend(inner, (2 * around + 13) // 26, factor))


def _factor(amount: Tensor) -> Tensor:
    return ops.cast(ops.round(amount * 2.0**FACTOR_BITS), "int32")


def _blend(levels: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """`other` at a factor of 0, `levels` at 1024, and on in that direction above: rounded, int32."""
    half = 2 ** (FACTOR_BITS - 1)
    return _clip(other + ops.right_shift((levels - other) * factor + half, FACTOR_BITS))


def _clip(levels: Tensor) -> Tensor:
    return ops.clip(levels, 0, 255)
