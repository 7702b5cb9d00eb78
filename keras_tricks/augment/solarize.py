"""Solarize."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class Solarize(ColorAugmentation):
    """Inverts the pixels that are not darker than a threshold.

    `level = level if level < threshold else 255 - level`, with `threshold ~ U(threshold)` per image.

    Helps when: it is one of the operations of a policy (RandAugment, ThreeAugment, BYOL's second view).
    Hurts when: light and dark carry the class.
    Cost: one pass over the batch, in the dtype it has.

    Args:
        threshold: In levels of 0 to 255 whatever `value_range` is; a pair is a range. 0 inverts, 256 changes nothing.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given; floats become whole levels.

    Raises:
        ValueError: if a threshold is not in [0, 256].

    Example:
        ```python
        solarized = kt.augment.Solarize(threshold=128)(images)
        assert keras.ops.convert_to_numpy(solarized).max() < 128
        ```

    Reference: [Cubuk et al., 2018](https://arxiv.org/abs/1805.09501)
    """

    drawn_from = ("threshold",)
    keeps_dtype = True
    rounds_floats = True

    def __init__(self, threshold: float | tuple[float, float] = 128, **kwargs: Any):
        super().__init__(**kwargs)
        self.threshold = checks.span("threshold", threshold, 0, 256)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The threshold of each image."""
        return {"threshold": random.within(seed, (shape[0], 1, 1, 1), self.threshold)}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The bright pixels inverted."""
        return _levels.solarize(levels, params["threshold"])

    def spare(self, params: Params, touched: Tensor) -> Params:
        """Nothing is as bright as 256."""
        threshold = params["threshold"]
        return {"threshold": ops.where(touched[:, None, None, None], threshold, ops.zeros_like(threshold) + 256.0)}
