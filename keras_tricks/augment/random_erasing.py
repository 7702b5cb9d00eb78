"""RandomErasing."""

import math
from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._erasing import ErasingAugmentation, lines_between

TRIES = 10


class RandomErasing(ErasingAugmentation):
    """Fills a rectangle of random size, shape and place with noise, or with a colour.

    `share ~ U(area) / count` of the image, `log(height / width) ~ U(log(aspect))`, sides rounded to whole pixels, at
    least one; the first of ten tries that fits inside the image is put at a uniform place. If none of them fits, the
    box is left out.

    Helps when: objects are partly hidden in use, or the model overfits; the paper claims half a point to a point of
    accuracy on CIFAR-10 and re-identification.
    Hurts when: small objects decide the class: the box may hide them.
    Cost: one pass over the batch for each box, in the dtype it has; the noise about as much again.

    Args:
        rate: Probability that an image is erased.
        area: Share of the image that a box covers, a pair `(low, high)` or one number, in (0, 1].
        aspect: Height over width of the box, a pair `(low, high)` or one number, above 0.
        fill: "pixel", noise uniform over the 256 levels of `value_range`; "color", one such colour for each box;
            "normal", N(0, 1), for images that are normalised already; "black", the low end of `value_range`; or a
            number or colour in its units.
        count: Boxes in each image; they share the area, and may overlap.
        **kwargs: `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them: masks and boxes stay.
    Output shape: the same, in the dtype given.

    Raises:
        ValueError: for an argument out of its range; for "normal" noise in integer images; for a colour that has not
            one number for each channel.

    Example:
        ```python
        erased = kt.augment.RandomErasing(rate=0.25, seed=1)(images)
        assert keras.backend.standardize_dtype(erased.dtype) == "uint8"
        ```

    Reference: [Zhong et al., 2017](https://arxiv.org/abs/1708.04896)
    """

    samples_rate = True

    def __init__(
        self,
        rate: float = 0.5,
        area: float | tuple[float, float] = (0.02, 1 / 3),
        aspect: float | tuple[float, float] = (0.3, 10 / 3),
        fill: str | float | tuple[float, ...] = "pixel",
        count: int = 1,
        **kwargs: Any,
    ):
        super().__init__(fill, rate=rate, **kwargs)
        self.area = checks.span("area", area, 0.0, 1.0)
        self.aspect = checks.span("aspect", aspect, 0.0)
        for name, span in (("area", self.area), ("aspect", self.aspect)):
            if checks.ends(span)[0] == 0:
                raise checks.fail(name, "above 0", span)
        self.count = checks.count("count", count)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The lines of each image's boxes, and what is in them."""
        box_seed, fill_seed = random.split(seed, 2)
        count, height, width, _ = shape
        draws = random.uniform(box_seed, (count, 1 + self.count * (2 * TRIES + 2)))
        touched = ops.cast(draws[:, :1] < self.rate, "float32")
        draws = ops.reshape(draws[:, 1:], (count, self.count, 2 * TRIES + 2))
        heights, widths = self._sides(draws[..., :TRIES], draws[..., TRIES : 2 * TRIES], height, width)
        chosen = _first(ops.logical_and(heights <= ops.number(height), widths <= ops.number(width)))
        lines = {}
        for name, size, sides, place in (("rows", height, heights, -2), ("columns", width, widths, -1)):
            length = touched * ops.sum(chosen * sides, axis=-1)
            start = ops.floor(draws[..., place] * (ops.number(size) - length + 1.0))
            lines[name] = lines_between(size, start, length)
        return lines | self.draw_filling(shape, fill_seed, self.count)

    def _sides(self, area_draws: Tensor, aspect_draws: Tensor, height: Any, width: Any) -> tuple[Tensor, Tensor]:
        pixels = ops.number(height * width) * (1 / self.count)
        area = random.spread(area_draws, self.area) * pixels
        low, high = map(math.log, checks.ends(self.aspect))
        log_aspect = random.spread(aspect_draws, (low, high))
        side, stretch = ops.sqrt(area), ops.exp(0.5 * log_aspect)
        sides = (ops.round(side * stretch), ops.round(side / stretch))
        return tuple(ops.maximum(length, ops.ones_like(length)) for length in sides)


def _first(fits: Tensor) -> Tensor:
    """1 at the first True of each line, else 0: float32."""
    fits = ops.cast(fits, "int32")
    return ops.cast(ops.equal(fits * ops.cumsum(fits, axis=-1), ops.ones_like(fits)), "float32")
