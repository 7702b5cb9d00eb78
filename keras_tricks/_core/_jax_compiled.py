"""JAX's compiler."""

from collections.abc import Callable
from typing import Any

import jax

Tensor = Any
Batch = dict[str, Any]


def function(function: Callable[..., Batch]) -> Callable[..., Batch]:
    """`function`, compiled."""
    return jax.jit(function)


function_of_a_kind = function


def has_numbers(part: Tensor) -> bool:
    """Whether the values of a tensor are there."""
    return isinstance(part, jax.Array) and not is_traced(part)


def is_traced(part: Any) -> bool:
    """Whether this belongs to a function that is being compiled."""
    return isinstance(part, jax.core.Tracer)
