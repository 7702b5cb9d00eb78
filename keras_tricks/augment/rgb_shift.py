"""RGBShift."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class RGBShift(ColorAugmentation):
    """Adds a number to each channel: a tint.

    `red = red + shift`, then clipped, with `shift ~ U(red)` per image, and so for green and blue.

    Helps when: images differ in the colour of the light or the white balance.
    Hurts when: the tint carries the class.
    Cost: one pass over the batch.

    Args:
        red: In levels of 0 to 255 whatever `value_range` is, in [-255, 255]; a pair is a range.
        green: As `red`.
        blue: As `red`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 3)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: if a shift is not in [-255, 255]; at the first call for images of another number of channels.

    Example:
        ```python
        warmer = kt.augment.RGBShift(red=(0, 30), green=0, blue=(-30, 0), seed=1)(images)
        assert warmer.shape == images.shape
        ```

    Reference: [Buslaev et al., 2018](https://arxiv.org/abs/1809.06839)
    """

    channels = (3,)

    def __init__(
        self,
        red: float | tuple[float, float] = (-20, 20),
        green: float | tuple[float, float] = (-20, 20),
        blue: float | tuple[float, float] = (-20, 20),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.red = checks.span("red", red, -255, 255)
        self.green = checks.span("green", green, -255, 255)
        self.blue = checks.span("blue", blue, -255, 255)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The three shifts of each image."""
        draws = random.uniform(seed, (shape[0], 1, 1, 3))
        spans = (self.red, self.green, self.blue)
        shifts = [random.spread(draws[..., index : index + 1], span) for index, span in enumerate(spans)]
        return {"shift": ops.concatenate(shifts, axis=-1)}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The channels shifted."""
        return _levels.scaled(levels, None, params["shift"])

    def spare(self, params: Params, touched: Tensor) -> Params:
        """Shifts of 0."""
        return {"shift": params["shift"] * ops.cast(touched, "float32")[:, None, None, None]}
