"""A pass through a model in training mode on JAX: compiled, as a function of the variables' values."""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import keras


def forward(model: keras.Model, measured: Callable[[Any], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """`run(state, data)` gives `measured(data)` and the next state; the first state is None."""

    @jax.jit
    def step(trainable: Any, non_trainable: Any, data: Any) -> tuple[Any, Any]:
        values = [*zip(model.trainable_variables, trainable, strict=True)]
        values += zip(model.non_trainable_variables, non_trainable, strict=True)
        with keras.StatelessScope(state_mapping=values) as scope:
            found = measured(data)
        return found, [scope.get_current_value(variable) for variable in model.non_trainable_variables]

    def run(state: Any, data: Any) -> tuple[Any, Any]:
        if state is None:
            state = [[v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]]
        found, non_trainable = step(*state, data)
        return found, [state[0], non_trainable]

    return run


def random_numbers_kept() -> contextlib.AbstractContextManager[None]:
    """Here a model draws from seeds of its own."""
    return contextlib.nullcontext()
