"""How the policies work: a few slots, one after another, each of which draws an operation for each image."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from keras_tricks._core import checks, ops
from keras_tricks.augment import _boxes, _levels, _operations, _resampling
from keras_tricks.augment._base import Boxes, Params, Tensor
from keras_tricks.augment._color import LEVELS, ColorAugmentation
from keras_tricks.augment._warp import Affine, move_boxes, source_points, target_points


class PolicyAugmentation(ColorAugmentation):
    """Base of the policies: a trick writes `sample`, which gives for each slot operations and amounts, and `chances`.

    Images are uint8 in between, whatever their dtype: levels are whole numbers after each operation. Consecutive
    affine operations are composed and resampled once.

    Args:
        fill: What is seen outside the image: a number, in the units of `value_range`, "black", "reflect", "edge"; None
            is the middle of `value_range`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.
    """

    keeps_dtype = True
    rounds_floats = True
    keeps_places = False
    channels = (1, 3)
    works_in_parts = False  # each operation does, on the images that it is drawn for

    def __init__(self, fill: float | str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.fill = None if fill is None else _resampling.check_fill(fill)
        if isinstance(self.fill, (int, float)) and not self.value_range[0] <= self.fill <= self.value_range[1]:
            raise checks.fail("fill", f"in value_range={self.value_range}, between which levels are", fill)

    @property
    def computes_pixels(self) -> bool:
        """Always, in levels of 8 bits."""
        return True

    def chances(self) -> Sequence[Mapping[str, float]]:
        """For each slot the probability of each operation."""
        raise NotImplementedError(f"{type(self).__name__} must write `chances`")

    def slots(self, operations: Sequence[Tensor], amounts: Sequence[Tensor], shape: tuple[Any, ...]) -> Params:
        """The hooks' params: for each slot the number of an operation and its amount for each image, (batch,)."""
        drawn = {"operations": list(map(ops.once, operations)), "amounts": list(map(ops.once, amounts))}
        return drawn | {"height": shape[1], "width": shape[2]}

    def spare(self, params: Params, touched: Tensor) -> Params:
        """The operation that changes nothing."""
        return params | {
            "operations": [ops.where(touched, part, ops.zeros_like(part)) for part in params["operations"]]
        }

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images after every slot."""
        self._check_channels(images)
        if "uint8" in str(images.dtype):
            return self.change_levels(images, params)
        levels = _levels.whole(self.to_levels(ops.cast(images, "float32")))
        changed = self.change_levels(ops.once(ops.cast(levels, "uint8")), params)
        return _levels.as_pixels(self.from_levels(ops.cast(changed, "float32")), images.dtype)

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The uint8 levels after every slot."""
        return self.after_slots(_levels.own(levels), params)

    def after_slots(self, levels: Tensor, params: Params) -> Tensor:
        """The uint8 levels after every slot; on torch they may be written to."""
        chances = self.chances()
        moves = self._moves(params)
        for slot, (operation, amount) in enumerate(zip(params["operations"], params["amounts"], strict=True)):
            levels = _operations.change_colors(levels, operation, amount, chances[slot])
            if slot < len(moves):
                affine, moved, chance = moves[slot]
                if chance > 0:
                    levels = _operations.move(levels, affine, moved, chance, self._fill_level())
        return levels

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """The masks, moved; the nearest class, and class 0 where a constant is seen."""
        _, height, width, _ = ops.shape(masks)
        fill = self.fill if self.fill in _resampling.FILLS else 0
        for affine, _, _ in self._moves(params):
            x, y = source_points(*_resampling.from_centre(height, width), affine)
            x, y = x + 0.5 * ops.number(width - 1), y + 0.5 * ops.number(height - 1)
            masks = _resampling.resample(masks, x, y, fill, "nearest")
        return masks

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """The upright boxes around the moved ones."""
        height, width = params["height"], params["width"]
        for index, (affine, _, _) in enumerate(self._moves(params)):
            if index:  # what the image before does not show cannot come back
                boxes = _boxes.clip(boxes, height, width, self.min_visible)
            boxes = move_boxes(boxes, height, width, functools.partial(target_points, affine=affine))
        return boxes

    def _moves(self, params: Params) -> list[tuple[Affine, Tensor, float]]:
        """The affine map after each slot but the last (which joins the one before), who is moved, and how likely."""
        count = len(params["operations"])

        def moves(*drawn: Tensor) -> list[tuple[Affine, Tensor, float]]:
            return self._moves_of(drawn[:count], drawn[count:], params["height"], params["width"])

        found: list[tuple[Affine, Tensor, float]] = _operations.by_numpy(
            moves, *params["operations"], *params["amounts"]
        )
        return found

    def _moves_of(
        self, operations: Sequence[Tensor], amounts: Sequence[Tensor], height: Any, width: Any
    ) -> list[tuple[Affine, Tensor, float]]:
        chances = [_operations.chance_of(chance, _operations.AFFINE) for chance in self.chances()]
        moves: list[tuple[Affine, Tensor, float]] = []
        for slot, (operation, amount) in enumerate(zip(operations, amounts, strict=True)):
            affine = _operations.affine_map(operation, amount, height, width)
            moved, chance = _operations.is_one_of(operation, _operations.AFFINE), chances[slot]
            # Whoever is moved in slot 2 has no colours changed there: the map can come before its colours.
            if slot == 1:
                first, first_moved, first_chance = moves.pop()
                affine = _operations.compose(affine, first)
                moved, chance = ops.logical_or(moved, first_moved), 1 - (1 - chance) * (1 - first_chance)
            moves.append((affine, moved, chance))
        return moves

    def _fill_level(self) -> float | str:
        low, high = self.value_range
        if self.fill in _resampling.FILLS:
            return self.fill
        return (
            128.0
            if self.fill is None
            else (_levels.filling(self.fill, self.value_range) - low) * (LEVELS / (high - low))
        )
