"""Work on some images of a batch only, where shapes must be known before it is known which.

Room is made for so many images that with their chance to be drawn they do not fit once in a thousand million batches;
those that do not fit stay as they are. Where the host knows the values without waiting for them, on torch without an
accelerator, it is just those that are needed, maybe none.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

from keras_tricks._core import ops

Tensor = Any

OVERFLOW = 1e-9


def change(
    value: Tensor, needed: Tensor, chance: float, function: Callable[..., Tensor], *parts: Tensor, own: bool = False
) -> Tensor:
    """`value` with `function(*parts)` at the images that are `needed`, (batch,) bool, which each is with `chance`.

    The function gets the `parts` of those images, and perhaps of some others. If `value` is the caller's `own`, torch
    may write into it.
    """
    if chance == 0:
        return value
    if ops.is_torch(value):
        from keras_tricks.augment._torch_parts import change_rows

        if (changed := change_rows(value, needed, function, parts, own)) is not None:
            return changed
    rows = _rows(needed, room(ops.shape(value)[0], chance))
    if rows is not None and rows.shape[0] == 0:
        return value
    new = function(*(_take(part, rows) for part in parts))
    chosen = ops.reshape(_take(needed, rows), (-1,) + (1,) * (len(value.shape) - 1))
    new = ops.where(chosen, new, _take(value, rows))
    return new if rows is None else ops.replace_rows(value, rows, new)


def room(count: Any, chance: float) -> int | None:
    """For how many of `count` images there must be room if each is needed with probability `chance`; None for all."""
    if not isinstance(count, int):
        return None
    enough = _quantile(count, chance)
    return enough if enough < count else None


@functools.cache
def _quantile(count: int, chance: float) -> int:
    """The smallest number that a binomial draw exceeds with a probability below OVERFLOW."""
    if chance <= 0 or chance >= 1:
        return 0 if chance <= 0 else count
    tail = 0.0
    for number in range(count, 0, -1):
        log_share = (
            math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
            + number * math.log(chance) + (count - number) * math.log1p(-chance)
        )  # fmt: skip
        tail += math.exp(log_share)
        if tail >= OVERFLOW:
            return number
    return 0


def _rows(needed: Tensor, room: int | None) -> Tensor | None:
    """The images that are `needed`, first, and others up to `room`; None for all images, in order."""
    if ops.is_torch(needed) and needed.device.type == "cpu":
        return ops.cast(needed.nonzero()[:, 0], "int32")
    if room is None:
        return None
    place = ops.arange(needed.shape[0], dtype="int32")
    keys = ops.where(needed, place, place + needed.shape[0])
    return ops.cast(ops.argsort(keys)[:room], "int32")


def _take(value: Tensor, rows: Tensor | None) -> Tensor:
    if rows is None:
        return value
    taken = ops.take(value, rows, axis=0)
    # XLA would look up the image again for each pixel that is read.
    return ops.once(taken) if len(value.shape) > 2 else taken
