"""MixUp."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._mixing import MixingAugmentation, blend_images


class MixUp(MixingAugmentation):
    """Blends each image, and its label, with a partner's.

    `weight ~ Beta(alpha, alpha)`, one for each sample; then `x = weight * x + (1 - weight) * x[partner]`, and the
    same for `y`.

    The partner stands at a distance in the batch that is drawn anew for each call, the same for all of its images: the
    data has to be shuffled, for in the order 0, 1, 0, 1, ... of classes many would meet their own.

    Segmentation masks that hold a share for each class are blended too; masks of class ids cannot be, and are refused.
    Bounding boxes become twice as many: each image's own, then its partner's.

    Helps when: the model overfits; the paper claims about one point of accuracy on ImageNet and on CIFAR-10, calmer
    training of GANs and robustness to wrong labels.
    Hurts when: training is short or the model too small to fit the data as it is: the training loss is higher.
    Cost: one pass over the batch.

    Args:
        alpha: Strength, above 0. Near 0 one image of the pair dominates; 1 is uniform.
        num_classes: Needed for integer labels, and for classes as floats of shape (batch,), as KerasCV's layers make
            them; they become soft rows.
        **kwargs: `rate`, `seed`, `data_format`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, labels `(batch,)` or `(batch, 1)` of integers or
        `(batch, classes)`, optionally `sample_weight` `(batch,)`, `segmentation_masks` of floating-point shares,
        `(batch, height, width, classes)`, `bounding_boxes`.
    Output shape: the same images, in the layer's compute dtype; labels `(batch, classes)` float32; twice as many boxes.

    Raises:
        ValueError: if `alpha` is not above 0; for integer labels without `num_classes` or out of its range; for
            floating-point labels without a class axis; for masks of class ids; at the head of a model.

    Example:
        ```python
        mixed, rows = kt.augment.MixUp(0.2, num_classes=10, seed=1)((images, labels))
        assert mixed.shape == images.shape
        assert rows.shape == (len(images), 10)
        ```

    Reference: [Zhang et al., 2018](https://arxiv.org/abs/1710.09412)
    """

    any_data_format = True

    def __init__(self, alpha: float = 0.2, num_classes: int | None = None, **kwargs: Any):
        super().__init__(num_classes, **kwargs)
        self.alpha = checks.positive("alpha", alpha)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """A partner and the two shares for each sample."""
        weight_seed, partner_seed = random.split(seed, 2)
        weight, rest = random.beta(weight_seed, shape[:1], self.alpha, self.alpha)
        return {"partner": self.draw_partner(shape[0], partner_seed), "weight": weight, "rest": rest}

    def spare(self, params: Params, touched: Tensor) -> Params:
        """A share of 1, and no other partner: one that is no number would show even with a share of 0."""
        partner = params["partner"]
        own = ops.arange(ops.shape(partner)[0], dtype="int32")
        return params | {
            "partner": ops.where(touched, partner, own),
            "weight": ops.where(touched, params["weight"], ops.ones_like(params["weight"])),
            "rest": ops.where(touched, params["rest"], ops.zeros_like(params["rest"])),
        }

    def _transform_part(self, images: Tensor, params: Params) -> Tensor:
        return self.transform_images(images, params)  # which makes float32 of them

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The blend of each image and its partner."""
        return blend_images(images, params)

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """The blend of each mask and its partner's: shares of the classes."""
        classes = masks.shape[-1] if self.data_format == "channels_last" else masks.shape[1]
        if "float" not in str(masks.dtype) or classes == 1:
            raise ValueError(
                "MixUp blends `segmentation_masks` that hold a share for each class, floating-point numbers of shape "
                "(batch, height, width, classes): a blend of class ids means nothing. "
                f"Received: masks of shape {tuple(masks.shape)} and type {masks.dtype}"
            )
        return blend_images(masks, params)
