"""Images with rectangles painted into them, and the boxes around them: where the paint goes, the boxes must go."""

from typing import Any

import numpy as np

from tests.running import to_numpy

HEIGHT, WIDTH = 48, 64
RECTANGLES = np.array([[[8, 10, 30, 22], [34, 14, 52, 40]], [[20, 6, 44, 30], [0, 0, 0, 0]]], "float32")
LABELS = np.array([[1, 2], [1, -1]])


def painted(count: int = 8) -> dict[str, Any]:
    """A batch of black images with a rectangle of 100 levels for label 1 and of 200 for label 2."""
    images = np.zeros((count, HEIGHT, WIDTH, 3), "uint8")
    rectangles, labels = (np.tile(part, (count // 2, 1, 1)[: part.ndim]) for part in (RECTANGLES, LABELS))
    for image, corners, classes in zip(images, rectangles.astype(int), labels, strict=True):
        for (left, top, right, bottom), label in zip(corners, classes, strict=True):
            if label > 0:
                image[top:bottom, left:right] = 100 * label
    return {
        "images": images,
        "segmentation_masks": images[..., :1] // 100,
        "bounding_boxes": {"boxes": rectangles, "labels": labels},
    }


def assert_boxes_fit_the_paint(batch: dict[str, Any], tolerance: float, least_area: int = 12) -> None:
    """Every box of `batch`, `xyxy`, is the rectangle around the mask's pixels of its label, to `tolerance` pixels."""
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
                np.testing.assert_allclose([left, top, right, bottom], edges, atol=tolerance)
                checked += 1
    assert checked >= len(masks) // 2
