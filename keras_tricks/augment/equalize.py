"""Equalize."""

from typing import Any

from keras_tricks._core import ops
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class Equalize(ColorAugmentation):
    """Redistributes the levels of each channel of each image, so that all are about equally frequent.

    A level becomes the share of the pixels that are darker, times 255; exactly as Pillow rounds it.

    Helps when: images differ in exposure; it is one of the operations of most policies.
    Hurts when: brightness or the tint of the light carries the class.
    Cost: a histogram of each channel of each image, and a gather.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given; floats become whole levels.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        ```python
        equalized = kt.augment.Equalize(rate=0.5, seed=1)(images)
        assert keras.backend.standardize_dtype(equalized.dtype) == "uint8"
        ```

    Reference: [Cubuk et al., 2018](https://arxiv.org/abs/1805.09501)
    """

    drawn_from = ()
    keeps_dtype = True
    rounds_floats = True
    asks_for_channels = True
    samples_rate = True

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Which images to equalize."""
        return self.draw_changed(shape, seed)

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """Each channel equalized."""
        if not _levels.is_uint8(levels):
            # A level is a place in a table: what is none, or no number, must not point outside.
            levels = ops.clip(ops.where(levels >= 0, levels, ops.zeros_like(levels)), 0.0, 255.0)
        return _levels.equalize(levels, params.get("changed"))
