"""A batch as the user hands it over, and back: images alone, a tuple, or a dict; one image or many."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_tricks._core import ops
from keras_tricks.augment import _boxes

Batch = dict[str, Any]
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
        batch = {name: _as_arrays(name, part) for name, part in inputs.items()}
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
        {name: _as_arrays(name, part) for name, part in zip(names, inputs, strict=True)},
        lambda batch: tuple(batch[name] for name in names),
    )


def add_batch_axis(batch: Batch) -> Batch:
    """Every part of one unbatched image as a batch of one."""
    return {name: map_arrays(lambda array: array[None, ...], part) for name, part in batch.items()}


def drop_batch_axis(batch: Batch) -> Batch:
    """The only member of a batch of one, or the last of its copies: the first one may have been left as it was."""
    return {name: map_arrays(lambda array: array[-1], part) for name, part in batch.items()}


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


def _as_arrays(name: str, part: Any) -> Any:
    """Numbers, and lists of numbers, as arrays; everything else as it is."""
    if isinstance(part, Mapping):
        return {entry: _as_arrays(name, value) for entry, value in part.items()}
    if isinstance(part, (list, tuple)) and name not in ARRAYS and not _are_numbers(part):
        return map_entries(lambda value: _as_arrays(name, value), part)
    return np.asarray(part) if isinstance(part, (list, tuple, int, float)) else part


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
