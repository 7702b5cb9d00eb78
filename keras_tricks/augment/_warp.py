"""How the augmentations work that bend the plane: rotation, shear, perspective, a lens."""

from collections.abc import Callable
from typing import Any

from keras_tricks._core import checks, ops
from keras_tricks.augment import _boxes, _levels, _resampling
from keras_tricks.augment._base import BatchAugmentation, Boxes, Params, Tensor

# A matrix, (batch, 4) by rows, that multiplies points from the centre, and what is added to them, (batch, 2).
Affine = tuple[Tensor, Tensor]


class WarpAugmentation(BatchAugmentation):
    """Base of the warps: a trick writes `sample` and the way of a point there and back.

    Points are `(x, y)`, columns and rows in pixels from the centre of the image. One resampling does it all.

    Args:
        fill: What is seen outside the image: "black", the low end of `value_range`; a number in its units; "reflect";
            "edge".
        interpolation: "bilinear" or "nearest".
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.
    """

    # Into how many parts the sides of a box are cut before its points move: 1 where lines stay straight.
    side_parts = 1
    works_in_parts = True

    def __init__(self, fill: float | str = "black", interpolation: str = "bilinear", **kwargs: Any):
        super().__init__(**kwargs)
        self.fill = _resampling.check_fill(fill)
        self.interpolation = checks.one_of("interpolation", interpolation, ("bilinear", "nearest"))

    def source_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """Where in the image given the points (batch or 1, ..., ...) of the new image are seen."""
        raise NotImplementedError(f"{type(self).__name__} must write `source_points`")

    def target_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """Where in the new image the points (batch, ..., ...) of the image given go."""
        raise NotImplementedError(f"{type(self).__name__} must write `target_points`")

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, bent."""
        return self._warp(images, params, _levels.filling(self.fill, self.value_range), self.interpolation)

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """The masks, bent; the nearest class, and class 0 where a constant is seen."""
        return self._warp(masks, params, self.fill if self.fill in _resampling.FILLS else 0, "nearest")

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """The upright boxes around the bent ones."""
        return move_boxes(
            boxes,
            params["height"],
            params["width"],
            lambda x, y: self.target_points(x, y, params),
            self.side_parts,
        )

    def _warp(self, images: Tensor, params: Params, fill: float | str, interpolation: str) -> Tensor:
        _, height, width, _ = ops.shape(images)
        x, y = self.source_points(*_resampling.from_centre(height, width), params)
        x, y = x + 0.5 * ops.number(width - 1), y + 0.5 * ops.number(height - 1)
        return _resampling.resample(images, x, y, fill, interpolation)


def move_boxes(
    boxes: Boxes,
    height: Any,
    width: Any,
    target_points: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    side_parts: int = 1,
) -> Boxes:
    """The upright boxes around the places where points on the sides of each box go, from the centre of the image."""
    corners = boxes["boxes"]
    shares = ops.cast(ops.arange(side_parts + 1, dtype="int32"), "float32") * (1 / side_parts)
    left, top, right, bottom = (corners[..., side : side + 1] for side in range(4))
    x, y = left + (right - left) * shares, top + (bottom - top) * shares
    outline_x = ops.concatenate([x, x, left + 0 * y, right + 0 * y], axis=-1)
    outline_y = ops.concatenate([top + 0 * x, bottom + 0 * x, y, y], axis=-1)
    half_height, half_width = 0.5 * ops.number(height), 0.5 * ops.number(width)
    moved_x, moved_y = target_points(outline_x - half_width, outline_y - half_height)
    return boxes | {"boxes": _boxes.rectangles(moved_x + half_width, moved_y + half_height)}


def source_points(x: Tensor, y: Tensor, affine: Affine) -> tuple[Tensor, Tensor]:
    """Where the points `(x, y)`, from the centre, come from."""
    a, b, c, d = (affine[0][:, entry] for entry in range(4))
    move_x, move_y = affine[1][:, 0], affine[1][:, 1]
    # Inverted once for each image, so that a pixel costs two multiplications.
    determinant = a * d - b * c
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    start_x, start_y = -(a * move_x + b * move_y), -(c * move_x + d * move_y)
    back_x = per_image(a) * x + (per_image(b) * y + per_image(start_x))
    return back_x, per_image(c) * x + (per_image(d) * y + per_image(start_y))


def target_points(x: Tensor, y: Tensor, affine: Affine) -> tuple[Tensor, Tensor]:
    """Where the points `(x, y)`, from the centre, go."""
    a, b, c, d = (per_image(affine[0][:, entry]) for entry in range(4))
    move_x, move_y = (per_image(affine[1][:, axis]) for axis in range(2))
    return a * x + b * y + move_x, c * x + d * y + move_y


def per_image(values: Tensor) -> Tensor:
    """(batch,) as (batch, 1, 1)."""
    return values[:, None, None]
