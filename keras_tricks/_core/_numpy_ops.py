"""`keras.ops` for what is known before anything runs, in NumPy's words: but for these the names are the same."""

from typing import Any

import numpy as np


def __getattr__(name: str) -> Any:
    return getattr(np, name)


def cast(value: Any, dtype: str) -> np.ndarray:
    """`keras.ops.cast`."""
    return np.asarray(value).astype(dtype)
