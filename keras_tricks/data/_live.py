"""A whole number that is looked up anew whenever it is used."""

import operator
from collections.abc import Callable
from typing import Any


class LiveCount:
    """What `now()` says at each use, as an integer: for loops and progress bars that ask for a number but once.

    `fit` asks a data set for its batches before the first epoch, and counts up to that number in all of them. It
    compares when it has come to the end of an epoch: `when_reached` is called then.
    """

    # A number of NumPy's leaves arithmetic to this one.
    __array_ufunc__ = None

    def __init__(self, now: Callable[[], int], when_reached: Callable[[], None] | None = None):
        self._now = now
        self._when_reached = when_reached

    def __index__(self) -> int:
        return self._now()

    def __int__(self) -> int:
        return self._now()

    def __float__(self) -> float:
        return float(self._now())

    def __bool__(self) -> bool:
        return bool(self._now())

    def __hash__(self) -> int:
        return hash(self._now())

    def __repr__(self) -> str:
        return repr(self._now())

    def __format__(self, form: str) -> str:
        return format(self._now(), form)

    def __eq__(self, other: object) -> bool:
        return bool(operator.eq(self._now(), other))

    def __le__(self, other: Any) -> bool:
        is_reached = bool(operator.le(self._now(), int(other) if isinstance(other, LiveCount) else other))
        if is_reached and self._when_reached is not None:
            self._when_reached()
        return is_reached

    def __neg__(self) -> int:
        return -self._now()

    def __abs__(self) -> int:
        return abs(self._now())

    def __round__(self, digits: int | None = None) -> int:
        return self._now()


def _forward(function: Callable[[Any, Any], Any]) -> Callable[[LiveCount, Any], Any]:
    return lambda self, other: function(int(self), int(other) if isinstance(other, LiveCount) else other)


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[LiveCount, Any], Any]:
    return lambda self, other: function(other, int(self))


for _name in ("lt", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(LiveCount, f"__{_name}__", _forward(getattr(operator, _name)))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(LiveCount, f"__r{_name}__", _reflected(getattr(operator, _name)))
