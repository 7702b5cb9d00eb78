"""Variables picked by patterns, which are searched for in their paths."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from keras_tricks._core import checks
from keras_tricks.optimizers._state import path_of

Choice = Callable[[keras.Variable], bool] | list[str] | None


def pattern(argument: str, value: Any) -> str:
    """A regular expression."""
    try:
        re.compile(value)
    except (re.error, TypeError):
        raise checks.fail(argument, "a regular expression, or a list of them", value) from None
    return str(value)


def patterns(argument: str, value: Any) -> list[str]:
    """A regular expression, or a list of them, as a list."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(one, str) for one in values):
        raise checks.fail(argument, "a regular expression, or a list of them", value)
    return [pattern(argument, one) for one in values]


def choice(argument: str, value: Any) -> Choice:
    """What picks variables: a function from a variable to a bool, patterns, or None for none of them."""
    if value is None or callable(value):
        return value
    if not isinstance(value, (str, list, tuple)):
        raise checks.fail(argument, "a function, a pattern, a list of patterns, or None", value)
    return patterns(argument, value)


def matches(patterns: Iterable[str], variable: Any) -> bool:
    """Whether one of `patterns` is found in the variable's path."""
    return any(re.search(one, path_of(variable)) for one in patterns)


def is_chosen(choice: Choice, variable: keras.Variable) -> bool:
    """Whether `choice` picks `variable`."""
    return bool(choice(variable)) if callable(choice) else matches(choice or (), variable)


def check_choice(argument: str, choice: Choice, variables: Sequence[Any]) -> None:
    """Refuses patterns of which none picks one of `variables`."""
    if choice and not callable(choice) and not any(matches(choice, variable) for variable in variables):
        check_found(argument, choice, variables)


def check_found(argument: str, patterns: Iterable[str], variables: Sequence[Any]) -> None:
    """Refuses a pattern that picks none of `variables`: a word that was misspelled."""
    for one in patterns:
        if not any(matches([one], variable) for variable in variables):
            raise checks.fail(argument, f"found in the path of a variable, of {[path_of(v) for v in variables]}", one)
