"""Which axes of a variable number the output units of its layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_tricks._core import checks
from keras_tricks.optimizers import _patterns
from keras_tricks.optimizers.bias_and_norm import bias_and_norm

# By Keras' names for its layers, and the usual ones of its models: the fewest and the most dimensions, and the axes.
USUAL = {
    # Inputs, and the units that each of them has.
    r"(depthwise(_?conv[123]d|_?conv)?|dw_?conv|conv_?dw)[_\d]*/kernel$|depthwise_kernel$": (3, 5, [-2, -1]),
    r"transpose[_\d]*/kernel$": (3, 5, [-2]),
    r"/(query|key|value)/kernel$": (3, 3, [-2, -1]),  # heads, and their units
}


def unit_axes(argument: str, value: Any) -> dict[str, list[int]]:
    """A dict from patterns to axes, as lists."""
    if value is not None and not isinstance(value, Mapping):
        raise checks.fail(argument, "a dict from patterns to axes, or None", value)
    found = {}
    for pattern, axes in (value or {}).items():
        axes = [axes] if checks.is_integer(axes) else axes
        if not isinstance(axes, (list, tuple)) or not axes or not all(checks.is_integer(axis) for axis in axes):
            raise checks.fail(argument, "a dict from patterns to an axis, or several", value)
        found[_patterns.pattern(argument, pattern)] = [int(axis) for axis in axes]
    return found


def check_unit_axes(argument: str, value: Mapping[str, list[int]], variables: Sequence[Any]) -> None:
    """Refuses patterns that pick none of `variables`, and axes that what they pick has not."""
    _patterns.check_found(argument, value, variables)
    for variable in variables:
        rank = len(variable.shape)
        for pattern, axes in value.items():
            if _patterns.matches([pattern], variable) and not all(-rank <= axis < rank for axis in axes):
                raise checks.fail(argument, f"axes of {variable.path}, of shape {tuple(variable.shape)}", axes)


def axes_of_units(variable: Any, given: Mapping[str, list[int]]) -> tuple[int, ...]:
    """The axes of `variable` that number units, from 0; none of a bias, a gain or a shift, which is one for all."""
    rank = len(variable.shape)
    for pattern, axes in given.items():
        if _patterns.matches([pattern], variable):
            return tuple(sorted(axis % rank for axis in axes))
    if bias_and_norm(variable):
        return ()
    for pattern, (fewest, most, axes) in USUAL.items():
        if fewest <= rank <= most and _patterns.matches([pattern], variable):
            units = tuple(axis % rank for axis in axes)
            # A layer of that name whose units had one weight each is of another kind: a convolution of 1x1, say.
            if any(size > 1 for axis, size in enumerate(variable.shape) if axis not in units):
                return units
    return (rank - 1,)


def axes_within(variable: Any, given: Mapping[str, list[int]]) -> tuple[int, ...] | None:
    """The axes along which a unit's own weights lie; None where `variable` has no units."""
    units = axes_of_units(variable, given)
    return tuple(axis for axis in range(len(variable.shape)) if axis not in units) if units else None
