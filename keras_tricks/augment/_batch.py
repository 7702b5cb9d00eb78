"""A batch as the user hands it over, and back: images alone, a tuple, or a dict; one image or many."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_tricks._core import ops
from keras_tricks.augment import _boxes

Batch = dict[str, Any]
TUPLE_NAMES = ("images", "labels", "sample_weight")


def name_parts(inputs: Any, labels: Any = None, sample_weight: Any = None) -> tuple[Batch, Callable[[Batch], Any]]:
    """The parts of a batch by name, in a new dict, and the function that gives them the caller's form again."""
    if isinstance(inputs, Mapping):
        if labels is not None or sample_weight is not None:
            raise ValueError("A batch given as a dict holds its labels itself. Received: a dict and `labels` beside it")
        if "images" not in inputs:
            raise ValueError(f'A batch given as a dict needs the key "images". Received: keys {sorted(inputs)}')
        batch = {name: _array(part) for name, part in inputs.items()}
        if isinstance(batch.get("bounding_boxes"), Mapping):
            batch["bounding_boxes"] = _boxes.dense(batch["bounding_boxes"])
        return batch, dict
    if not isinstance(inputs, (tuple, list)):
        if labels is None:
            return {"images": inputs}, lambda batch: batch["images"]
        inputs = (inputs, labels) if sample_weight is None else (inputs, labels, sample_weight)
    elif labels is not None:
        raise ValueError("A batch given as a tuple holds its labels itself. Received: a tuple and `labels` beside it")
    if not 1 <= len(inputs) <= len(TUPLE_NAMES):
        raise ValueError(f"A batch given as a tuple is {TUPLE_NAMES}. Received: a tuple of {len(inputs)} parts")
    names = TUPLE_NAMES[: len(inputs)]
    return (
        {name: _array(part) for name, part in zip(names, inputs, strict=True)},
        lambda batch: tuple(batch[name] for name in names),
    )


def add_batch_axis(batch: Batch) -> Batch:
    """Every part of one unbatched image as a batch of one."""
    return {name: map_arrays(lambda array: array[None, ...], part) for name, part in batch.items()}


def drop_batch_axis(batch: Batch) -> Batch:
    """The only member of a batch of one, or the last of its copies: the first one may have been left as it was."""
    return {name: map_arrays(lambda array: array[-1], part) for name, part in batch.items()}


def map_arrays(function: Callable[[Any], Any], part: Any) -> Any:
    """`function` of a tensor, or of each tensor in a dict of tensors (bounding boxes)."""
    if part is None:
        return None
    if isinstance(part, Mapping):
        return {name: map_arrays(function, value) for name, value in part.items()}
    return function(part)


def _array(part: Any) -> Any:
    """Lists of numbers as arrays; everything else as it is."""
    if isinstance(part, (list, tuple, int, float)):
        return np.asarray(part)
    return map_arrays(_array, part) if isinstance(part, Mapping) else part


def channels_last(images: Any) -> Any:
    """(batch, channels, height, width) to (batch, height, width, channels)."""
    return ops.transpose(images, (0, 2, 3, 1))


def channels_first(images: Any) -> Any:
    """(batch, height, width, channels) to (batch, channels, height, width)."""
    return ops.transpose(images, (0, 3, 1, 2))
