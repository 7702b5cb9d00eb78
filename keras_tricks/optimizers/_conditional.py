"""Assignments that happen at some updates only, inside the compiled step, and cost nothing at the others."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks._core import host
from keras_tricks.optimizers._state import check_replicas

Tensor = Any


def run_if(
    condition: Tensor,
    function: Callable[[], Any],
    touched: Sequence[keras.Variable],
    read: Sequence[keras.Variable] = (),
) -> None:
    """Calls `function` where `condition` holds.

    It assigns to no variables but the `touched` ones, and reads no others, but those that are `read`.
    """
    run_either(condition, function, lambda: None, touched, read)


def run_either(
    condition: Tensor,
    function: Callable[[], Any],
    other: Callable[[], Any],
    touched: Sequence[keras.Variable],
    read: Sequence[keras.Variable] = (),
) -> None:
    """Calls `function` where `condition` holds, or else `other`, as in `run_if`."""
    known = host.value(condition)
    if known is not None:  # outside of compiled code, where JAX would compile the branches at each call
        function() if known else other()
        return
    if keras.backend.backend() != "jax":
        check_replicas("What an optimizer does at some updates only works")  # elsewhere no branch may assign
        ops.cond(condition, lambda: _nothing(function()), lambda: _nothing(other()))
        return
    # JAX's branches are pure: what is assigned in one comes out as values.
    variables = list({id(variable): variable for variable in touched}.values())

    def values_after(function: Callable[[], Any]) -> list[Tensor]:
        with keras.StatelessScope(state_mapping=[(v, v.value) for v in [*read, *variables]]) as scope:
            function()
        return [scope.get_current_value(v) for v in variables]

    values = ops.cond(condition, lambda: values_after(function), lambda: values_after(other))
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _nothing(result: Any) -> None:
    """Both branches give back the same: nothing."""
