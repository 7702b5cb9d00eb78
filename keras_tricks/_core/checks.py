"""One voice for bad arguments: each check names the argument and what arrived, and returns the value it approved."""

import math
import numbers
from collections.abc import Collection
from typing import Any

import numpy as np


def fail(argument: str, expected: str, value: Any) -> ValueError:
    """The error for an `argument` that is not as `expected`; the caller raises it."""
    return ValueError(f"`{argument}` must be {expected}. Received: {argument}={value!r}")


def is_number(value: Any) -> bool:
    """Whether `value` is a finite real number (a bool is not a number)."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value: Any) -> bool:
    """Whether `value` is an integer (a bool is not an integer)."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def flag(argument: str, value: Any) -> bool:
    """True or False, and nothing that is merely true or false in Python, as every word is true."""
    if not isinstance(value, (bool, np.bool_)):
        raise fail(argument, "True or False", value)
    return bool(value)


def rate(argument: str, value: Any) -> float:
    """A share: a number in [0, 1]."""
    if not is_number(value) or not 0 <= value <= 1:
        raise fail(argument, "in [0, 1]", value)
    return float(value)


def positive_rate(argument: str, value: Any) -> float:
    """A share that is not 0: a number above 0, up to 1."""
    if not is_number(value) or not 0 < value <= 1:
        raise fail(argument, "above 0, up to 1", value)
    return float(value)


def positive(argument: str, value: Any) -> float:
    """A number above 0."""
    if not is_number(value) or value <= 0:
        raise fail(argument, "a number above 0", value)
    return float(value)


def non_negative(argument: str, value: Any) -> float:
    """A number not below 0."""
    if not is_number(value) or value < 0:
        raise fail(argument, "a number not below 0", value)
    return float(value)


def count(argument: str, value: Any, minimum: int = 1) -> int:
    """An integer not below `minimum`."""
    if not is_integer(value) or value < minimum:
        raise fail(argument, f"an integer not below {minimum}", value)
    return int(value)


def increasing(argument: str, value: Any) -> list[int]:
    """A list of integers, each at least 1 and larger than the one before."""
    last: Any = 0
    for number in value if isinstance(value, (list, tuple)) else [None]:
        if not is_integer(number) or number <= last:
            raise fail(argument, "a list of increasing integers, each at least 1", value)
        last = number
    return list(map(int, value))


def optional_count(argument: str, value: Any, minimum: int = 1) -> int | None:
    """None, or an integer not below `minimum`."""
    return None if value is None else count(argument, value, minimum)


def one_of(argument: str, value: Any, choices: Collection[Any]) -> Any:
    """One of a closed list of values."""
    if value not in choices:
        raise fail(argument, f"one of {', '.join(map(repr, choices))}", value)
    return value


def number(argument: str, value: Any) -> float:
    """Any finite number."""
    if not is_number(value):
        raise fail(argument, "a number", value)
    return float(value)


def interval(argument: str, value: Any) -> tuple[float, float]:
    """A pair `(low, high)` of numbers with low below high."""
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not all(map(is_number, value)):
        raise fail(argument, "a pair of numbers (low, high)", value)
    if not value[0] < value[1]:
        raise fail(argument, "a pair (low, high) with low below high", value)
    return float(value[0]), float(value[1])


def span(
    argument: str, value: Any, minimum: float = -math.inf, maximum: float = math.inf
) -> float | tuple[float, float]:
    """A number, or a pair `(low, high)` of numbers with low not above high, all in [minimum, maximum]."""
    ends = value if isinstance(value, (tuple, list)) else (value,)
    if len(ends) not in (1, 2) or not all(map(is_number, ends)):
        raise fail(argument, "a number or a pair of numbers (low, high)", value)
    if not all(minimum <= end <= maximum for end in ends):
        raise fail(argument, f"in [{minimum:g}, {maximum:g}]", value)
    if ends[0] > ends[-1]:
        raise fail(argument, "a pair (low, high) with low not above high", value)
    return (float(ends[0]), float(ends[1])) if len(ends) == 2 else float(ends[0])


def ends(span: float | tuple[float, float]) -> tuple[float, float]:
    """The range that a `span` stands for if a single number is fixed."""
    return span if isinstance(span, tuple) else (span, span)


def both_ways(span: float | tuple[float, float]) -> tuple[float, float]:
    """The range that a `span` stands for if a single number r means from -r to r."""
    return span if isinstance(span, tuple) else (-abs(span), abs(span))


def size(argument: str, value: Any) -> tuple[int, int]:
    """A height and width in pixels: a pair of integers, or one for both."""
    pair = (value, value) if is_integer(value) else value
    if (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or not all(is_integer(side) and side >= 1 for side in pair)
    ):
        raise fail(argument, "an integer or a pair (height, width) of integers, each at least 1", value)
    return int(pair[0]), int(pair[1])


def seed(argument: str, value: Any) -> int | None:
    """None (a fresh stream), or an integer in [0, 2**31)."""
    if value is not None and (not is_integer(value) or not 0 <= value < 2**31):
        raise fail(argument, "None or an integer in [0, 2**31)", value)
    return None if value is None else int(value)
