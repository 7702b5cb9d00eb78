"""`keras.ops` for what is known before anything runs, in NumPy's words: but for these the names are the same."""

from typing import Any

import numpy as np


def __getattr__(name: str) -> Any:
    return getattr(np, name)


def cast(value: Any, dtype: str) -> np.ndarray:
    """`keras.ops.cast`."""
    return np.asarray(value).astype(dtype)


def sum(value: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """`keras.ops.sum`: integers stay of their type."""
    return np.sum(value, axis=axis, dtype=value.dtype, keepdims=keepdims)


def sigmoid(value: Any) -> np.ndarray:
    """`keras.ops.sigmoid`."""
    return 1.0 / (1.0 + np.exp(-value))
