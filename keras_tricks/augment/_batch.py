"""A batch as the user hands it over, and back: images alone, a tuple, or a dict; one image or many."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_tricks._core import ops
from keras_tricks.augment import _boxes
from keras_tricks.augment._checking import rank

Batch = dict[str, Any]
NUMPY = (np.ndarray, np.generic)
TUPLE_NAMES = ("images", "labels", "sample_weight")
# What is one array, or a dict of some, if it comes as lists; other lists may hold several, as those of many targets.
ARRAYS = ("images", "segmentation_masks", "bounding_boxes")


def name_parts(inputs: Any, labels: Any = None, sample_weight: Any = None) -> tuple[Batch, Callable[[Batch], Any]]:
    """The parts of a batch by name, in a new dict, and the function that gives them the caller's form again."""
    if isinstance(inputs, Mapping):
        if labels is not None or sample_weight is not None:
            raise ValueError(
                "A batch given as a dict holds its labels itself. "
                "Received: a dict and `labels` or `sample_weight` beside it"
            )
        if "images" not in inputs:
            raise ValueError(f'A batch given as a dict needs the key "images". Received: keys {sorted(inputs)}')
        batch = _with_arrays(dict(inputs))
        if isinstance(batch.get("bounding_boxes"), Mapping):
            batch["bounding_boxes"] = _boxes.dense(batch["bounding_boxes"])
        return batch, dict
    if not isinstance(inputs, (tuple, list)):
        if labels is None and sample_weight is None:
            return {"images": inputs}, lambda batch: batch["images"]
        inputs = (inputs, labels) if sample_weight is None else (inputs, labels, sample_weight)
    elif labels is not None or sample_weight is not None:
        raise ValueError(
            "A batch given as a tuple holds its labels itself. "
            "Received: a tuple and `labels` or `sample_weight` beside it"
        )
    if not 1 <= len(inputs) <= len(TUPLE_NAMES):
        raise ValueError(f"A batch given as a tuple is {TUPLE_NAMES}. Received: a tuple of {len(inputs)} parts")
    names = TUPLE_NAMES[: len(inputs)]
    return (
        _with_arrays(dict(zip(names, inputs, strict=True))),
        lambda batch: tuple(batch[name] for name in names),
    )


def text_of(batch: Batch) -> Batch:
    """The parts that are text, as names of files are: Keras' layers take none, but for arrays on TensorFlow."""
    takes_arrays = keras.backend.backend() == "tensorflow"
    return {name: part for name, part in batch.items() if name != "images" and _is_text(part, not takes_arrays)}


def _is_text(part: Any, arrays: bool) -> bool:
    if isinstance(part, (list, tuple)):
        return bool(part) and all(_is_text(entry, arrays) for entry in part)
    return isinstance(part, (str, bytes)) or (arrays and isinstance(part, np.ndarray) and part.dtype.kind in "USO")


def rows_of_text(name: str, part: Any, rows: Any, count: int) -> Any:
    """The `rows` of a part that is text for each of `count` images; one text for all of them as it is."""
    if isinstance(part, (str, bytes)) or (isinstance(part, np.ndarray) and part.ndim == 0):
        return part
    if len(part) != count:
        raise ValueError(f"`{name}` must hold a text for each of the {count} images, or one. Received: {len(part)}")
    return part[rows] if isinstance(part, np.ndarray) else type(part)(part[row] for row in rows.tolist())


def add_batch_axis(batch: Batch) -> Batch:
    """Every part of one unbatched image as a batch of one."""
    return {name: map_arrays(lambda array: array[None, ...], part) for name, part in batch.items()}


def drop_batch_axis(batch: Batch) -> Batch:
    """The only member of a batch of one, or the last of its copies: the first one may have been left as it was."""
    return {name: map_arrays(lambda array: array[-1], part) for name, part in batch.items()}


def by_numpy(function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    """`function(*arrays)`, as NumPy computes it, and its arrays as tensors.

    NumPy works on a few numbers for each image sooner than torch, whose operations each take a time of their own.
    """
    with ops.numpy_arrays(), np.errstate(all="ignore"):
        made = function(*arrays)
    return map_arrays(lambda part: ops.from_host(part) if isinstance(part, NUMPY) else part, made)


def map_arrays(function: Callable[[Any], Any], part: Any) -> Any:
    """`function` of a tensor, or of each in a dict, list or tuple of tensors (bounding boxes, several targets)."""
    if part is None:
        return None
    if isinstance(part, Mapping):
        return {name: map_arrays(function, value) for name, value in part.items()}
    if isinstance(part, (list, tuple)):
        return map_entries(lambda value: map_arrays(function, value), part)
    return function(part)


def map_entries(function: Callable[..., Any], part: Any, *others: Any) -> Any:
    """`function` of each entry of a list or tuple, and of those of `others` at its place, in the form of `part`."""
    values = [function(*entries) for entries in zip(part, *others, strict=True)]
    return type(part)(*values) if hasattr(part, "_fields") else type(part)(values)


def _with_arrays(batch: Batch) -> Batch:
    """Numbers, and lists of numbers or of something for each image, as arrays; everything else as it is."""
    images = batch["images"] = _as_arrays(batch["images"], None, may_be_several=False)
    count = images.shape[0] if hasattr(images, "shape") and rank(images) == 4 else None
    return {name: _as_arrays(part, count, may_be_several=name not in ARRAYS) for name, part in batch.items()}


def _as_arrays(part: Any, count: Any, may_be_several: bool) -> Any:
    if isinstance(part, Mapping):
        return {name: _as_arrays(value, count, may_be_several) for name, value in part.items()}
    if not isinstance(part, (list, tuple)):
        return np.asarray(part) if isinstance(part, (int, float)) else part
    if not may_be_several or _are_numbers(part):
        return np.asarray(part)
    if _are_samples(part, count):
        return ops.stack(list(part)) if any(map(keras.ops.is_tensor, part)) else np.stack(part)
    return map_entries(lambda value: _as_arrays(value, count, may_be_several), part)


def _are_samples(parts: Sequence[Any], count: Any) -> bool:
    """Whether these are something for each of `count` images, as a row or a number, and not for all of them each."""
    if len(parts) != count:
        return False
    shapes = {tuple(part.shape) if hasattr(part, "shape") else None for part in parts}
    if len(shapes) != 1:
        return False
    (shape,) = shapes
    return shape is not None and shape[:1] != (count,)


def _are_numbers(part: Any) -> bool:
    if isinstance(part, (list, tuple)):
        return all(map(_are_numbers, part))
    return isinstance(part, (int, float, np.generic))


def channels_last(images: Any) -> Any:
    """(batch, channels, height, width) to (batch, height, width, channels)."""
    return ops.transpose(images, (0, 2, 3, 1))


def channels_first(images: Any) -> Any:
    """(batch, height, width, channels) to (batch, channels, height, width)."""
    return ops.transpose(images, (0, 3, 1, 2))
