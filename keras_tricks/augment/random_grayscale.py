"""RandomGrayscale."""

from typing import Any

from keras_tricks._core import ops
from keras_tricks.augment import _levels, _subset
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class RandomGrayscale(ColorAugmentation):
    """Takes the colour out of some images; they keep their number of channels.

    `level = 0.299 * red + 0.587 * green + 0.114 * blue` in every channel, for the share `rate` of the images.

    Helps when: shapes carry the class; contrastive learning, which would else match images by their colours.
    Hurts when: colour carries the class.
    Cost: one pass over the batch.

    Args:
        rate: Share of the images that become gray, in [0, 1].
        **kwargs: `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 3)`, or of one channel, which stay as they are.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: if `rate` is not in [0, 1]; at the first call for images of another number of channels.

    Example:
        ```python
        gray = keras.ops.convert_to_numpy(kt.augment.RandomGrayscale(rate=1.0)(images))
        assert (gray[..., 0] == gray[..., 2]).all()
        ```

    Reference: [Chen et al., 2020](https://arxiv.org/abs/2002.05709)
    """

    drawn_from = ()
    samples_rate = True
    channels = (1, 3)

    def __init__(self, rate: float = 0.1, **kwargs: Any):
        super().__init__(rate=rate, **kwargs)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Which images become gray."""
        return self.draw_changed(shape, seed)

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """Some without their colour."""
        if not ops.is_torch(levels) or levels.shape[-1] == 1:
            alike = ops.broadcast_to(_levels.grayscale(levels), ops.shape(levels))
            return self.where_changed(params, alike, levels)
        from keras_tricks.augment._torch_colors import gray
        from keras_tricks.augment._torch_parts import own_of

        if "changed" not in params or ops.host_array(levels) is None:
            return self.where_changed(params, gray(levels), levels)
        return _subset.change(own_of(levels), params["changed"][:, 0, 0, 0], self.rate, gray, levels, own=True)
