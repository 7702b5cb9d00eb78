"""SolarizeAdd."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class SolarizeAdd(ColorAugmentation):
    """Brightens the pixels that are darker than a threshold, and leaves the others.

    `level = clip(level + add, 0, 255) if level < threshold else level`, with `add ~ U(add)` and
    `threshold ~ U(threshold)` per image, `add` in whole levels.

    Helps when: it is one of the operations of a policy (RandAugment, AutoAugment).
    Hurts when: light and dark carry the class.
    Cost: one pass over the batch, in the dtype it has.

    Args:
        add: In levels of 0 to 255 whatever `value_range` is, in [-255, 255]; a pair is a range. Below 0 it darkens.
        threshold: In levels, in [0, 256]; a pair is a range.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given; floats become whole levels.

    Raises:
        ValueError: if `add` or `threshold` is out of its range.

    Example:
        ```python
        brighter = kt.augment.SolarizeAdd(add=(0, 110), seed=1)(images)
        assert (keras.ops.convert_to_numpy(brighter) >= images).all()
        ```

    Reference: [Cubuk et al., 2019](https://arxiv.org/abs/1909.13719)
    """

    keeps_dtype = True
    rounds_floats = True

    def __init__(
        self,
        add: float | tuple[float, float] = (0, 110),
        threshold: float | tuple[float, float] = 128,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.add = checks.span("add", add, -255, 255)
        self.threshold = checks.span("threshold", threshold, 0, 256)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """What to add to each image, and below which level."""
        draws = random.uniform(seed, (shape[0], 1, 1, 2))
        return {
            "add": ops.round(random.spread(draws[..., :1], self.add)),
            "threshold": random.spread(draws[..., 1:], self.threshold),
        }

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The dark pixels brightened."""
        return _levels.solarize_add(levels, params["add"], params["threshold"])

    def spare(self, params: Params, touched: Tensor) -> Params:
        """Nothing to add."""
        return params | {"add": params["add"] * ops.cast(touched, "float32")[:, None, None, None]}
