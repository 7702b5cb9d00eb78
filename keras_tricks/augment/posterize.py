"""Posterize."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class Posterize(ColorAugmentation):
    """Keeps only the highest bits of each level: fewer shades.

    `level = level - level % 2 ** (8 - bits)`, with `bits` uniform over the range, both ends included, per image.

    Helps when: it is one of the operations of a policy (RandAugment, AutoAugment).
    Hurts when: fine shades carry the class, with 3 bits or fewer.
    Cost: one pass over the batch, in the dtype it has.

    Args:
        bits: Of the 8 that a level has, an integer from 1 to 8; a pair is a range. 8 changes nothing.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given; floats become whole levels.

    Raises:
        ValueError: if `bits` is not from 1 to 8.

    Example:
        ```python
        fewer = kt.augment.Posterize(bits=4)(images)
        assert (keras.ops.convert_to_numpy(fewer) % 16 == 0).all()
        ```

    Reference: [Cubuk et al., 2018](https://arxiv.org/abs/1805.09501)
    """

    drawn_from = ("bits",)
    keeps_dtype = True
    rounds_floats = True
    rounds_levels = False  # in the same step
    clips_levels = False

    def __init__(self, bits: int | tuple[int, int] = 4, **kwargs: Any):
        super().__init__(**kwargs)
        ends = bits if isinstance(bits, (tuple, list)) else (bits,)
        if not all(map(checks.is_integer, ends)):
            raise checks.fail("bits", "an integer or a pair of integers from 1 to 8", bits)
        checks.span("bits", bits, 1, 8)
        self.bits = (int(ends[0]), int(ends[1])) if len(ends) == 2 else int(ends[0])

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The bits that each image keeps."""
        each = (shape[0], 1, 1, 1)
        if not isinstance(self.bits, tuple):
            return {"bits": ops.zeros(each, "int32") + self.bits}
        return {"bits": random.integers(seed, each, self.bits[0], self.bits[1] + 1)}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The levels without their lower bits."""
        return _levels.posterize(levels, params["bits"])

    def spare(self, params: Params, touched: Tensor) -> Params:
        """All 8 bits."""
        bits = params["bits"]
        return {"bits": ops.where(touched[:, None, None, None], bits, ops.zeros_like(bits) + 8)}
