"""Targets of a classification: class ids or soft rows, told apart by shape and type, never by value."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core import host

Tensor = Any


def class_ids(y_true: Tensor, y_pred: Tensor) -> Tensor | None:
    """Class ids of shape `y_pred.shape[:-1]`, as wide integers; None if `y_true` holds a row for each prediction.

    Ids are integers with one entry for each row of `y_pred`, with or without a last axis of 1; rows
    have the shape of `y_pred`. Anything else is refused.
    """
    expected, shape = tuple(y_pred.shape), tuple(y_true.shape)
    dtype = keras.backend.standardize_dtype(y_true.dtype)
    if not expected or expected[-1] == 1:
        raise ValueError(
            "Predictions must have a last axis of at least 2 classes (a single output is a case for "
            f"`keras.losses.BinaryCrossentropy`). Received: y_pred of shape {expected}"
        )
    if _agree(shape, expected):
        return None
    without_axis = shape[:-1] if len(shape) == len(expected) and shape[-1] == 1 else shape
    if not _agree(without_axis, expected[:-1]) or not ("int" in dtype or dtype == "bool"):
        raise ValueError(
            "Targets must be integer class ids of shape `y_pred.shape[:-1]` (or with a last axis of 1), or soft rows "
            f"of the shape of `y_pred`. Received: y_true of shape {shape} and type {dtype}, y_pred of shape {expected}"
        )
    # No cast to int64 of what is not int64 already: JAX would warn that it has none.
    ids = ops.cast(y_true, "int64" if dtype == "int64" and not isinstance(y_true, np.ndarray) else "int32")
    return ids if without_axis == shape else ops.squeeze(ids, axis=-1)


def rows(y_true: Tensor, y_pred: Tensor, dtype: str) -> Tensor:
    """`y_true` as rows of shares of the classes, of the shape of `y_pred`.

    An id out of range is an error where the values are on the host; inside compiled code its row is all zeros.
    """
    ids = class_ids(y_true, y_pred)
    if ids is None:
        return ops.cast(y_true, dtype)
    classes = ops.shape(y_pred)[-1]
    _check_range(y_true, classes)
    # By comparison: `ops.one_hot` raises on torch, and kills the CUDA context, where an id is out of range.
    return ops.cast(ops.equal(ids[..., None], ops.arange(classes, dtype=ids.dtype)), dtype)


def as_array(values: Any) -> Any:
    """`values` with a shape and a dtype: a tensor or array as it is, numbers and lists as a NumPy array.

    Nothing becomes a tensor before its type is named: under floatx "bfloat16", Keras on JAX turns integers into floats.
    """
    return values if hasattr(values, "shape") and hasattr(values, "dtype") else np.asarray(values)


def at_least_float32(dtype: str) -> str:
    """`dtype`, or float32 where it is a shorter float."""
    return "float32" if dtype in ("float16", "bfloat16") or dtype.startswith("float8") else dtype


def _check_range(ids: Tensor, classes: Any) -> None:
    values = host.value(ids)
    if values is None or not values.size or not isinstance(classes, int):
        return
    if not 0 <= values.min() <= values.max() < classes:
        wrong = values[(values < 0) | (values >= classes)].ravel()[:5].tolist()
        raise ValueError(f"Class ids must be in [0, {classes}), as y_pred has {classes} classes. Received: ids {wrong}")


def _agree(shape: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    return len(shape) == len(expected) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, expected, strict=True)
    )
