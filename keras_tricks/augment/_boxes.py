"""Bounding boxes in the forms that users have, and in the one that the hooks see: `(left, top, right, bottom)`, pixels.

A batch holds `{"boxes": (batch, count, 4), "labels": (batch, count)}`; KerasCV calls the labels "classes", and may give
both ragged. A box with label -1 is none.
"""

from collections.abc import Mapping
from typing import Any

from keras_tricks._core import ops

Tensor = Any
Boxes = dict[str, Any]

FORMATS = ("xyxy", "xywh", "center_xywh", "rel_xyxy", "rel_xywh")
LABEL_NAMES = ("labels", "classes")


def label_name(boxes: Boxes) -> str:
    """What these boxes call their labels; raises if the dict is not of boxes and labels."""
    names = [name for name in LABEL_NAMES if name in boxes] if isinstance(boxes, Mapping) else []
    if len(names) != 1 or "boxes" not in boxes:
        raise ValueError(
            '`bounding_boxes` must be a dict of "boxes", (batch, count, 4), and "labels" or "classes", (batch, count). '
            f"Received: {sorted(boxes) if isinstance(boxes, Mapping) else type(boxes).__name__}"
        )
    return names[0]


def dense(boxes: Boxes) -> Boxes:
    """Ragged boxes, as KerasCV gives them, padded with boxes of label -1."""
    if not any(hasattr(part, "to_tensor") for part in boxes.values()):
        return boxes
    return {
        name: part.to_tensor(0 if name == "boxes" else -1) if hasattr(part, "to_tensor") else part
        for name, part in boxes.items()
    }


def to_corners(boxes: Boxes, bounding_box_format: str, height: Any, width: Any) -> Boxes:
    """The boxes as float32 corners in pixels of images of `height` and `width`, under "boxes" and "labels"."""
    labels = boxes[label_name(boxes)]
    places = ops.cast(boxes["boxes"], "float32")
    if len(places.shape) != 3 or places.shape[-1] not in (None, 4) or len(labels.shape) != 2:
        raise ValueError(
            "`bounding_boxes` must hold boxes of shape (batch, count, 4) and labels of shape (batch, count). "
            f"Received: boxes of shape {tuple(places.shape)}, labels of shape {tuple(labels.shape)}"
        )
    first, second = places[..., :2], places[..., 2:]
    if bounding_box_format == "center_xywh":
        first = first - 0.5 * second
    if bounding_box_format.endswith("xywh"):
        second = first + second
    corners = ops.concatenate([first, second], axis=-1)
    if bounding_box_format.startswith("rel_"):
        corners = corners * _sides(corners, height, width)
    return {name: part for name, part in boxes.items() if name not in LABEL_NAMES} | {
        "boxes": corners,
        "labels": _signed(labels),
    }


def in_types_of_hooks(boxes: Boxes) -> Boxes:
    """The boxes in the user's form, in the types in which they come back from a hook."""
    name = label_name(boxes)
    return boxes | {"boxes": ops.cast(boxes["boxes"], "float32"), name: _signed(boxes[name])}


def from_corners(boxes: Boxes, bounding_box_format: str, height: Any, width: Any, label_name: str) -> Boxes:
    """The boxes in the user's form again."""
    corners = boxes["boxes"]
    if bounding_box_format.startswith("rel_"):
        corners = corners / _sides(corners, height, width)
    first, second = corners[..., :2], corners[..., 2:]
    if bounding_box_format.endswith("xywh"):
        second = second - first
    if bounding_box_format == "center_xywh":
        first = first + 0.5 * second
    others = {name: part for name, part in boxes.items() if name != "labels"}
    return others | {"boxes": ops.concatenate([first, second], axis=-1), label_name: boxes["labels"]}


def clip(boxes: Boxes, height: Any, width: Any, min_visible: float) -> Boxes:
    """The boxes inside the image; those that keep less than `min_visible` of their area become label -1, zeros."""
    corners, labels = boxes["boxes"], boxes["labels"]
    sides = _sides(corners, height, width)
    inside = ops.maximum(ops.where(corners < sides, corners, sides), ops.zeros_like(corners))
    visible = area(inside)
    kept = ops.logical_and(visible > 0, visible >= min_visible * area(corners))
    return boxes | mark(inside, labels, kept)


def mark(corners: Tensor, labels: Tensor, kept: Tensor) -> Boxes:
    """Corners and labels, with zeros and -1 for the boxes not `kept` and for those that were none."""
    kept = ops.logical_and(kept, labels >= 0)
    return {
        "boxes": ops.where(kept[..., None], corners, ops.zeros_like(corners)),
        "labels": ops.where(kept, labels, ops.zeros_like(labels) - 1),
    }


def area(corners: Tensor) -> Tensor:
    """Of each box, in square pixels; 0 where the corners are crossed."""
    zeros = ops.zeros_like(corners[..., 0])
    return ops.maximum(corners[..., 2] - corners[..., 0], zeros) * ops.maximum(corners[..., 3] - corners[..., 1], zeros)


def overlap(corners: Tensor, others: Tensor) -> Tensor:
    """The corners of what boxes have in common; crossed where that is nothing."""
    return ops.concatenate(
        [ops.maximum(corners[..., :2], others[..., :2]), ops.minimum(corners[..., 2:], others[..., 2:])], axis=-1
    )


def rectangles(x: Tensor, y: Tensor) -> Tensor:
    """The upright boxes around points `(batch, count, points)`."""
    if x.shape[1] == 0:  # torch knows no least of nothing, even where there is no box to give it to
        return ops.stack([x[..., 0]] * 4, axis=-1)
    return ops.stack([ops.min(x, axis=-1), ops.min(y, axis=-1), ops.max(x, axis=-1), ops.max(y, axis=-1)], axis=-1)


def _signed(labels: Tensor) -> Tensor:
    """Labels of a type that can hold -1."""
    return ops.cast(labels, "int32") if "uint" in str(labels.dtype) else ops.cast(labels, labels.dtype)


def _sides(corners: Tensor, height: Any, width: Any) -> Tensor:
    """`(width, height, width, height)` for each box."""
    sides = [ops.zeros_like(corners[..., 0]) + ops.number(side) for side in (width, height)]
    return ops.stack(sides + sides, axis=-1)
