"""Images with rectangles painted into them, and the boxes around them: where the paint goes, the boxes must go."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.running import to_numpy

HEIGHT, WIDTH = 48, 64
RECTANGLES = np.array([[[8, 10, 30, 22], [34, 14, 52, 40]], [[20, 6, 44, 30], [0, 0, 0, 0]]], "float32")
LABELS = np.array([[1, 2], [1, -1]])
FORMATS = ("xyxy", "xywh", "center_xywh", "rel_xyxy", "rel_xywh")


def painted(count: int = 8, height: int = HEIGHT, width: int = WIDTH) -> dict[str, Any]:
    """A batch of black images with a rectangle of 100 levels for label 1 and of 200 for label 2."""
    images = np.zeros((count, height, width, 3), "uint8")
    shares = np.rint(RECTANGLES * (np.array([width, height] * 2) / np.array([WIDTH, HEIGHT] * 2))).astype("float32")
    rectangles, labels = (np.tile(part, (count // 2, 1, 1)[: part.ndim]) for part in (shares, LABELS))
    for image, corners, classes in zip(images, rectangles.astype(int), labels, strict=True):
        for (left, top, right, bottom), label in zip(corners, classes, strict=True):
            if label > 0:
                image[top:bottom, left:right] = 100 * label
    return {
        "images": images,
        "segmentation_masks": images[..., :1] // 100,
        "bounding_boxes": {"boxes": rectangles, "labels": labels},
    }


def from_corners(corners: np.ndarray, bounding_box_format: str, height: int, width: int) -> np.ndarray:
    """Boxes `(left, top, right, bottom)` in pixels, written down in another format."""
    left, top, right, bottom = np.moveaxis(corners.astype("float64"), -1, 0)
    if bounding_box_format.startswith("rel_"):
        left, top, right, bottom = left / width, top / height, right / width, bottom / height
    numbers = {
        "xyxy": (left, top, right, bottom),
        "xywh": (left, top, right - left, bottom - top),
        "center_xywh": ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top),
    }
    return np.stack(numbers[bounding_box_format.removeprefix("rel_")], axis=-1).astype("float32")


def assert_masks_fit_the_paint(batch: dict[str, Any], share: float = 0.9) -> None:
    """The masks of `batch` show the paint's labels: all but the pixels that are blends, at the edges."""
    labels = np.rint(to_numpy(batch["images"])[..., :1].astype("float64") / 100)
    masks = to_numpy(batch["segmentation_masks"])
    assert (labels == masks).mean() > share
    assert masks.any()


def numbered(count: int = 64) -> dict[str, Any]:
    """A batch in which image `i` has one rectangle, of a place of its own, of label `i` and of level `i`."""
    generator = np.random.default_rng(2)
    low = generator.integers(0, [WIDTH // 2, HEIGHT // 2], (count, 1, 2))
    corners = np.concatenate([low, low + generator.integers(6, [WIDTH // 2, HEIGHT // 2], (count, 1, 2))], -1)
    images = np.full((count, HEIGHT, WIDTH, 1), 255, "uint8")
    for number, (left, top, right, bottom) in enumerate(corners[:, 0]):
        images[number, top:bottom, left:right] = number
    boxes = {"boxes": corners.astype("float32"), "labels": np.arange(count)[:, None]}
    return {"images": images, "segmentation_masks": images, "bounding_boxes": boxes}


def assert_boxes_fit_the_paint(batch: dict[str, Any], tolerance: float, least_area: int = 12) -> None:
    """Every box of `batch`, `xyxy`, is the rectangle around the mask's pixels of its label, to `tolerance` pixels."""
    for box, edges in _boxes_and_edges(batch, least_area):
        np.testing.assert_allclose(box, edges, atol=tolerance)


def assert_boxes_hold_the_paint(batch: dict[str, Any], tolerance: float, least_area: int = 12) -> None:
    """No pixel of a label in the mask lies more than `tolerance` pixels outside its box."""
    for box, edges in _boxes_and_edges(batch, least_area):
        outwards = (box - edges) * np.array([1, 1, -1, -1])
        assert outwards.max() <= tolerance, (box, edges)


def _boxes_and_edges(batch: dict[str, Any], least_area: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each box with the edges of its label's pixels in the mask; for half of the images at least."""
    boxes = {name: to_numpy(part) for name, part in batch["bounding_boxes"].items()}
    masks = to_numpy(batch["segmentation_masks"])[..., 0]
    checked = 0
    for mask, corners, labels in zip(masks, boxes["boxes"], boxes["labels"], strict=True):
        for (left, top, right, bottom), label in zip(corners, labels, strict=True):
            rows, columns = np.nonzero(mask == label)
            if label < 0:
                assert (left, top, right, bottom) == (0, 0, 0, 0)
            elif len(rows) >= least_area:
                edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                yield np.array([left, top, right, bottom]), np.array(edges)
                checked += 1
    assert checked >= len(masks) // 2
