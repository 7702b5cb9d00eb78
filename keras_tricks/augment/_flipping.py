"""How the augmentations work that mirror images: masks and boxes along with them."""

from typing import Any

from keras_tricks._core import ops
from keras_tricks.augment._base import BatchAugmentation, Boxes, Params, Tensor

AXES = {"horizontal": 2, "vertical": 1}


class FlippingAugmentation(BatchAugmentation):
    """Base of the augmentations that flip.

    `params` hold which images to mirror, (batch,) bools, under "horizontal", "vertical" or both, and the images'
    `height` and `width`.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.
    """

    keeps_dtype = True
    samples_rate = True
    moves_masks_of_any_size = True

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, some of them mirrored."""
        for name, axis in AXES.items():
            if name in params:
                images = _mirrored(images, params[name], axis)
        return images

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """The masks, mirrored as their images."""
        return self.transform_images(masks, params)

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """The boxes, mirrored as their images."""
        left, top, right, bottom = (boxes["boxes"][..., side] for side in range(4))
        if "horizontal" in params:
            left, right = _mirror(left, right, params["horizontal"], params["width"])
        if "vertical" in params:
            top, bottom = _mirror(top, bottom, params["vertical"], params["height"])
        return boxes | {"boxes": ops.stack([left, top, right, bottom], axis=-1)}


def _mirrored(images: Tensor, chosen: Tensor, axis: int) -> Tensor:
    if ops.is_torch(images):
        from keras_tricks.augment._torch_pixels import mirrored

        return mirrored(images, chosen, axis)
    return ops.where(ops.reshape(chosen, (-1, 1, 1, 1)), ops.flip(images, axis=axis), images)


def _mirror(low: Tensor, high: Tensor, mirrored: Tensor, size: Any) -> tuple[Tensor, Tensor]:
    """Both ends of intervals in a line of `size`, where `mirrored`."""
    length = ops.number(size)
    return ops.where(mirrored[:, None], length - high, low), ops.where(mirrored[:, None], length - low, high)
