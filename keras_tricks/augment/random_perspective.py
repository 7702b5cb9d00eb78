"""RandomPerspective."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._warp import WarpAugmentation, per_image


class RandomPerspective(WarpAugmentation):
    """Sees each image from another angle: its corners move inwards, each by a draw of its own.

    A corner moves by up to `distortion / 2` of the width and of the height, uniformly.

    Helps when: what is photographed is flat and seen from many sides: signs, documents, shelves.
    Hurts when: shapes decide, or the black that surrounds the moved image gives the class away.
    Cost: one gather of four pixels for each pixel.

    Args:
        distortion: How far corners may move, in [0, 1]; at 1 they may meet in the middle.
        rate: Share of the images touched, in [0, 1], 0.5 by default.
        fill: What is seen outside the image: "black", the low end of `value_range`; a number in its units; "reflect";
            "edge".
        interpolation: "bilinear" or "nearest".
        **kwargs: `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and masks and boxes that belong to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: for a `distortion` out of [0, 1].

    Example:
        ```python
        assert kt.augment.RandomPerspective(0.4, rate=1.0, seed=1)(images).shape == images.shape
        ```

    Reference: [Hartley & Zisserman, 2004](https://www.robots.ox.ac.uk/~vgg/hzbook/), chapter 4
    """

    def __init__(
        self,
        distortion: float = 0.5,
        rate: float = 0.5,
        fill: float | str = "black",
        interpolation: str = "bilinear",
        **kwargs: Any,
    ):
        super().__init__(fill, interpolation, rate=rate, **kwargs)
        self.distortion = checks.rate("distortion", distortion)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """For each image the projective map that takes its points to their new places, (batch, 9)."""
        # Corners in the order of _square_to_quadrilateral; just short of the middle, where they would meet.
        moves = random.uniform(seed, (shape[0], 4, 2)) * (0.5 * self.distortion * (1 - 1e-3))
        height, width = ops.number(shape[1]), ops.number(shape[2])
        left, top = moves[..., 0], moves[..., 1]
        x = ops.stack([left[:, 0], 1.0 - left[:, 1], 1.0 - left[:, 2], left[:, 3]], axis=-1) - 0.5
        y = ops.stack([top[:, 0], top[:, 1], 1.0 - top[:, 2], 1.0 - top[:, 3]], axis=-1) - 0.5
        forward = _square_to_quadrilateral(x * width, y * height)
        # From pixels around the centre to the unit square, and then on.
        scaled = [
            (entry[0] / width, entry[1] / height, 0.5 * (entry[0] + entry[1]) + entry[2])
            for entry in (forward[0:3], forward[3:6], forward[6:9])
        ]
        matrix = ops.stack([entry for row in scaled for entry in row], axis=-1)
        return {"matrix": matrix, "height": shape[1], "width": shape[2]}

    def source_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """Back through the map, by the adjugate of its matrix."""
        a, b, c, d, e, f, g, h, i = (params["matrix"][:, entry] for entry in range(9))
        back = (
            e * i - f * h, c * h - b * i, b * f - c * e,
            f * g - d * i, a * i - c * g, c * d - a * f,
            d * h - e * g, b * g - a * h, a * e - b * d,
        )  # fmt: skip
        return _project(back, x, y)

    def target_points(self, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Tensor]:
        """Through the map."""
        return _project(tuple(params["matrix"][:, entry] for entry in range(9)), x, y)


def _project(matrix: tuple[Tensor, ...], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    a, b, c, d, e, f, g, h, i = map(per_image, matrix)
    depth = g * x + h * y + i
    return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth


def _square_to_quadrilateral(x: Tensor, y: Tensor) -> list[Tensor]:
    """The 3 x 3 matrix, by rows, that takes the corners (0, 0), (1, 0), (1, 1), (0, 1) to `x` and `y`, (batch, 4).

    Heckbert's closed form (1989).
    """
    sum_x = x[:, 0] - x[:, 1] + x[:, 2] - x[:, 3]
    sum_y = y[:, 0] - y[:, 1] + y[:, 2] - y[:, 3]
    right_x, right_y = x[:, 1] - x[:, 2], y[:, 1] - y[:, 2]
    low_x, low_y = x[:, 3] - x[:, 2], y[:, 3] - y[:, 2]
    determinant = right_x * low_y - low_x * right_y
    g = (sum_x * low_y - low_x * sum_y) / determinant
    h = (right_x * sum_y - sum_x * right_y) / determinant
    return [
        x[:, 1] - x[:, 0] + g * x[:, 1], x[:, 3] - x[:, 0] + h * x[:, 3], x[:, 0],
        y[:, 1] - y[:, 0] + g * y[:, 1], y[:, 3] - y[:, 0] + h * y[:, 3], y[:, 0],
        g, h, ops.ones_like(g),
    ]  # fmt: skip
