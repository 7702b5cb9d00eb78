"""The gradient of a function of one tensor, inside an optimizer's update."""

import importlib
from collections.abc import Callable
from typing import Any

import keras

Tensor = Any


def gradient(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """That of `function`, which returns a scalar, at `value`."""
    backend = importlib.import_module(f"keras_tricks.optimizers._{keras.backend.backend()}")
    return backend.gradient(function, value)
