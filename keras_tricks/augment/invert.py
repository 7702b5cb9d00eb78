"""Invert."""

from typing import Any

from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class Invert(ColorAugmentation):
    """Turns images into their negatives.

    `level = 255 - level`, for the share `rate` of the images.

    Helps when: it is one of many operations of a policy; shapes carry the class and shades do not.
    Hurts when: light and dark carry the class, at a high `rate`.
    Cost: one pass over the batch, in the dtype it has.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        ```python
        negatives = kt.augment.Invert()(images)
        assert np.array_equal(keras.ops.convert_to_numpy(negatives), 255 - images)
        ```

    Reference: [Cubuk et al., 2018](https://arxiv.org/abs/1805.09501)
    """

    drawn_from = ()
    keeps_dtype = True
    rounds_levels = False
    samples_rate = True

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Which images to invert."""
        return self.draw_changed(shape, seed)

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The negatives of some."""
        return self.where_changed(params, _levels.invert(levels), levels)
