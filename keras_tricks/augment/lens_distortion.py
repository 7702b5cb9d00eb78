"""LensDistortion."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._warp import WarpAugmentation, per_image

Span = float | tuple[float, float]
INVERSION_STEPS = 20


class LensDistortion(WarpAugmentation):
    """Bends each image as a lens does, outwards (barrel) or inwards (pincushion).

    What is seen at distance `r` from the centre is what was at `r * (1 + k1 * r**2 + k2 * r**4)`, with `r` = 1 at the
    corners: a positive `k1` is a barrel, a negative one a pincushion.

    Helps when: cameras differ.
    Hurts when: straight lines decide.
    Cost: one gather of four pixels for each pixel.

    Args:
        k1: From -0.3 to 1: a pair `(low, high)` is a range, drawn uniformly for each image; a number is fixed.
        k2: The same, from -0.1 to 1.
        fill: What is seen outside the image: "black", the low end of `value_range`; a number in its units; "reflect";
            "edge".
        interpolation: "bilinear" or "nearest".
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: for a `k1` or `k2` out of its range: below it, places would be seen twice.

    Example:
        ```python
        assert kt.augment.LensDistortion(k1=(-0.2, 0.2), seed=1)(images).shape == images.shape
        ```

    Reference: [Brown, 1966](https://web.archive.org/web/20180312205006/https://www.asprs.org/wp-content/uploads/pers/1966journal/may/1966_may_444-462.pdf)
    """

    side_parts = 8

    def __init__(
        self,
        k1: Span = (-0.15, 0.3),
        k2: Span = 0.0,
        fill: float | str = "black",
        interpolation: str = "bilinear",
        **kwargs: Any,
    ):
        super().__init__(fill, interpolation, **kwargs)
        # r * (1 + k1 r^2 + k2 r^4) rises up to r = 1 as long as 1 + 3 k1 + 5 k2 is above 0 there and before.
        self.k1 = checks.span("k1", k1, minimum=-0.3, maximum=1.0)
        self.k2 = checks.span("k2", k2, minimum=-0.1, maximum=1.0)
        lowest = [checks.ends(span)[0] for span in (self.k1, self.k2)]
        if 1 + 3 * min(lowest[0], 0) + 5 * min(lowest[1], 0) <= 0:
            raise checks.fail("k2", f"above {-(1 + 3 * lowest[0]) / 5:.3f} with k1={k1}", k2)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The two coefficients of each image."""
        draws = random.uniform(seed, (shape[0], 2))
        return {
            "k1": random.spread(draws[:, 0], self.k1),
            "k2": random.spread(draws[:, 1], self.k2),
            "height": shape[1],
            "width": shape[2],
        }

    def spare(self, params: Params, touched: Tensor) -> Params:
        """No distortion."""
        return params | {name: params[name] * ops.cast(touched, "float32") for name in ("k1", "k2")}

    def source_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """Further out, or further in."""
        factor = self._factor((x * x + y * y) / _corner_square(params), params)
        return x * factor, y * factor

    def target_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """By Newton's method: the distance whose source is the point."""
        square = (x * x + y * y) / _corner_square(params)
        wanted = ops.sqrt(square)
        k1, k2 = per_image(params["k1"]), per_image(params["k2"])
        distance = wanted
        for _ in range(INVERSION_STEPS):
            r2 = distance * distance
            error = distance * (1.0 + r2 * (k1 + r2 * k2)) - wanted
            slope = 1.0 + r2 * (3.0 * k1 + 5.0 * r2 * k2)
            distance = ops.clip(distance - error / ops.maximum(slope, 0 * slope + 0.05), 0.0, 4.0)
        shrunk = distance / ops.maximum(wanted, 0 * wanted + 1e-6)
        return x * shrunk, y * shrunk

    def _factor(self, square: Tensor, params: Params) -> Tensor:
        return 1.0 + square * (per_image(params["k1"]) + square * per_image(params["k2"]))


def _corner_square(params: Params) -> Any:
    """The squared distance of the corners from the centre, in pixels."""
    height, width = ops.number(params["height"]), ops.number(params["width"])
    return 0.25 * (height * height + width * width)
