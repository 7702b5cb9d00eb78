"""What only JAX has: gradients of functions."""

from collections.abc import Callable
from typing import Any

import jax


def gradient(function: Callable[[Any], Any], value: Any) -> Any:
    """That of `function` at `value`."""
    return jax.grad(function)(value)
