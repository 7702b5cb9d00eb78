"""RandomAffine."""

import math
from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._warp import WarpAugmentation, source_points, target_points

Span = float | tuple[float, float]


class RandomAffine(WarpAugmentation):
    """Rotates, moves, scales, stretches and shears each image, by draws of its own, in one resampling.

    A point at `p` from the centre goes to `R(rotation) @ shear @ diag(scale * sqrt(stretch), scale / sqrt(stretch)) @ p
    + translation`. A pair `(low, high)` is a range, drawn uniformly for each image; a single number is fixed, except
    for `rotation`, `shear` and `translation`, where `r` means `(-r, r)`.

    Helps when: the class does not depend on the angle, the place or the size of what is seen.
    Hurts when: it does (6 and 9), and when much of an image is filled because the ranges are wide.
    Cost: one gather of four pixels for each pixel.

    Args:
        rotation: Degrees, counter-clockwise where positive.
        translation: `(x, y)`, shares of the width and of the height, each a number or a pair; one number for both.
            Positive is to the right and down.
        scale: Above 0; above 1 enlarges.
        stretch: Above 0: the horizontal scale divided by the vertical one.
        shear: Degrees by which vertical lines lean, above -90 and below 90; to the left at the top where positive.
        fill: What is seen outside the image: "black", the low end of `value_range`; a number in its units; "reflect";
            "edge".
        interpolation: "bilinear" or "nearest".
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: for a range that is none, a `scale` or `stretch` not above 0, a `shear` of 90 degrees or more.

    Example:
        ```python
        turned = kt.augment.RandomAffine(rotation=15, translation=0.1, scale=(0.9, 1.1), fill="reflect", seed=1)(images)
        assert turned.shape == images.shape
        like_albumentations = kt.augment.RandomAffine.shift_scale_rotate(seed=1)
        ```

    Reference: [Ciresan et al., 2010](https://arxiv.org/abs/1003.0358)
    """

    def __init__(
        self,
        rotation: Span = 0.0,
        translation: Span | tuple[Span, Span] = (0.0, 0.0),
        scale: Span = 1.0,
        stretch: Span = 1.0,
        shear: Span = 0.0,
        fill: float | str = "black",
        interpolation: str = "bilinear",
        **kwargs: Any,
    ):
        super().__init__(fill, interpolation, **kwargs)
        self.rotation = checks.span("rotation", rotation)
        self.translation = _pair_of_spans(translation)
        self.scale = checks.span("scale", scale, minimum=1e-6)
        self.stretch = checks.span("stretch", stretch, minimum=1e-6)
        self.shear = checks.span("shear", shear, minimum=-89.9, maximum=89.9)

    @classmethod
    def shift_scale_rotate(
        cls, shift: float = 0.0625, scale: float = 0.1, rotation: float = 45, rate: float = 0.5, **kwargs: Any
    ) -> "RandomAffine":
        """Albumentations' ShiftScaleRotate, with its defaults: limits of each, to both sides."""
        arguments = {"fill": "reflect", "translation": (shift, shift), "scale": (1 - scale, 1 + scale)}
        return cls(rotation=rotation, rate=rate, **(arguments | kwargs))

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """For each image the matrix that its points are multiplied with, and what is added to them."""
        draws = random.uniform(seed, (shape[0], 6))
        rotation, shear, move_x, move_y = (
            random.spread(draws[:, index], checks.both_ways(span))
            for index, span in enumerate((self.rotation, self.shear, *self.translation))
        )
        scale, stretch = (
            random.spread(draws[:, 4 + index], span) for index, span in enumerate((self.scale, self.stretch))
        )
        # Rows count downwards: counter-clockwise on the screen is clockwise in these coordinates.
        angle, lean = rotation * (math.pi / 180), ops.tan(shear * (math.pi / 180))
        cos, sin = ops.cos(angle), ops.sin(angle)
        wide, tall = scale * ops.sqrt(stretch), scale / ops.sqrt(stretch)
        matrix = [cos * wide, (cos * lean + sin) * tall, -sin * wide, (cos - sin * lean) * tall]
        return {
            "matrix": ops.stack(matrix, axis=-1),
            "translation": ops.stack([move_x * ops.number(shape[2]), move_y * ops.number(shape[1])], axis=-1),
            "height": shape[1],
            "width": shape[2],
        }

    def source_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """Back through the matrix."""
        return source_points(x, y, (params["matrix"], params["translation"]))

    def target_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """Through the matrix."""
        return target_points(x, y, (params["matrix"], params["translation"]))


def _pair_of_spans(translation: Any) -> tuple[Span, Span]:
    both = (translation, translation) if checks.is_number(translation) else translation
    if not isinstance(both, (tuple, list)) or len(both) != 2:
        raise checks.fail("translation", "a number, or a pair (x, y) of numbers or pairs (low, high)", translation)
    x, y = (checks.span("translation", span) for span in both)
    return x, y
