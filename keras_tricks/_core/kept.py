"""Lending a model other weights."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from keras_tricks._core.averaging import settle


@contextlib.contextmanager
def weights_kept(model: keras.Model) -> Iterator[None]:
    """Within it `model` may hold any weights; afterwards, also after an error, it has its own, and its seeds."""
    kept = [(v, np.array(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(v)))) for v in model.variables]
    try:
        yield
    except BaseException:
        settle(model)
        raise
    finally:
        for variable, value in kept:
            variable.assign(value)
