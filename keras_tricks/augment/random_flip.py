"""RandomFlip."""

from typing import Any

from keras_tricks._core import ops, random
from keras_tricks.augment._base import BatchAugmentation, Boxes, Params, Tensor


class RandomFlip(BatchAugmentation):
    """Mirrors images left-right, top-down, or both, each axis by a draw of its own.

    Helps when: a mirrored image is as likely as the original: most photographs, horizontally.
    Hurts when: the direction matters: text, digits, traffic signs.
    Cost: one pass over the batch for each axis, in the dtype it has.

    Args:
        horizontal: Whether to mirror left and right.
        vertical: Whether to mirror top and bottom.
        rate: Probability of a flip along each axis, 0.5 by default.
        **kwargs: `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given.

    Raises:
        ValueError: if neither axis is chosen.

    Example:
        ```python
        flipped = kt.augment.RandomFlip(seed=1)(images)
        assert keras.backend.standardize_dtype(flipped.dtype) == "uint8"
        ```

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824)
    """

    keeps_dtype = True
    samples_rate = True

    def __init__(self, horizontal: bool = True, vertical: bool = False, rate: float = 0.5, **kwargs: Any):
        super().__init__(rate=rate, **kwargs)
        self.horizontal, self.vertical = bool(horizontal), bool(vertical)
        if not (self.horizontal or self.vertical):
            raise ValueError(
                f"`horizontal` or `vertical` must be True. Received: horizontal={horizontal!r}, vertical={vertical!r}"
            )

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Whether to mirror each image along each axis."""
        flips = random.bernoulli(seed, (shape[0], 2), self.rate)
        return {"horizontal": flips[:, 0], "vertical": flips[:, 1], "height": shape[1], "width": shape[2]}

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, some of them mirrored."""
        for axis, name in ((2, "horizontal"), (1, "vertical")):
            if getattr(self, name):
                mirrored = ops.reshape(params[name], (-1, 1, 1, 1))
                images = ops.where(mirrored, ops.flip(images, axis=axis), images)
        return images

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """The masks, mirrored as their images."""
        return self.transform_images(masks, params)

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """The boxes, mirrored as their images."""
        left, top, right, bottom = (boxes["boxes"][..., side] for side in range(4))
        if self.horizontal:
            left, right = _mirror(left, right, params["horizontal"], params["width"])
        if self.vertical:
            top, bottom = _mirror(top, bottom, params["vertical"], params["height"])
        return boxes | {"boxes": ops.stack([left, top, right, bottom], axis=-1)}


def _mirror(low: Tensor, high: Tensor, mirrored: Tensor, size: Any) -> tuple[Tensor, Tensor]:
    """Both ends of intervals in a line of `size`, where `mirrored`."""
    length = ops.number(size)
    return ops.where(mirrored[:, None], length - high, low), ops.where(mirrored[:, None], length - low, high)
