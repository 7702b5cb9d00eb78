"""Work on some images of a batch only, where shapes must be known before it is known which.

Room is made for so many images that with their chance to be drawn they do not fit once in a thousand million batches;
those that do not fit stay as they are.
"""

import functools
import math
from typing import Any

from keras_tricks._core import ops

Tensor = Any

OVERFLOW = 1e-9


def rows(needed: Tensor, room: int | None) -> Tensor | None:
    """The images that are `needed`, (batch,) bool, first, and others up to `room`; None for all images, in order."""
    if room is None:
        return None
    place = ops.arange(needed.shape[0], dtype="int32")
    keys = ops.where(needed, place, place + needed.shape[0])
    return ops.cast(ops.argsort(keys)[:room], "int32")


def take(value: Tensor, rows: Tensor | None) -> Tensor:
    """The entries `rows` of `value`."""
    return value if rows is None else ops.take(value, rows, axis=0)


def put(value: Tensor, rows: Tensor | None, new: Tensor, needed: Tensor) -> Tensor:
    """`value` with `new` at its entries `rows`, where they are `needed`, (batch,) bool."""
    chosen = ops.reshape(take(needed, rows), (-1,) + (1,) * (len(value.shape) - 1))
    new = ops.where(chosen, new, take(value, rows))
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
