"""AutoContrast."""

from typing import Any

from keras_tricks._core import ops
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class AutoContrast(ColorAugmentation):
    """Stretches each channel of each image, so that its darkest pixel becomes 0 and its brightest 255.

    `level = floor(255 * (level - low) / (high - low))`, with `low` and `high` of that image and channel, as Pillow's;
    a channel of one level stays as it is.

    Helps when: images differ in exposure; it is one of the operations of most policies.
    Hurts when: brightness or the tint of the light carries the class.
    Cost: two passes over the batch.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given; floats become whole levels.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        ```python
        stretched = keras.ops.convert_to_numpy(kt.augment.AutoContrast()(images))
        assert (stretched.min((1, 2)) == 0).all()
        ```

    Reference: [Cubuk et al., 2018](https://arxiv.org/abs/1805.09501)
    """

    drawn_from = ()
    keeps_dtype = True
    rounds_floats = True
    samples_rate = True

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Which images to stretch."""
        return self.draw_changed(shape, seed)

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """Each channel stretched."""
        scale, offset = _levels.autocontrast_lines(levels)
        scale = self.where_changed(params, scale, ops.ones_like(scale))
        offset = self.where_changed(params, offset, ops.zeros_like(offset))

        def stretched(levels: Tensor) -> Tensor:
            if ops.is_torch(levels) and levels.shape[-1] == scale.shape[-1]:
                from keras_tricks.augment._torch_colors import on_lines

                return on_lines(levels, scale, offset)
            return ops.cast(ops.floor(ops.cast(levels, "float32") * scale + offset), levels.dtype)

        return _levels.by_table(levels, stretched, levels.shape[-1])
