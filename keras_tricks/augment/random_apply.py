"""RandomApply."""

from typing import Any

from keras_tricks.augment._base import BatchAugmentation
from keras_tricks.augment._members import ChoosingAugmentation


class RandomApply(ChoosingAugmentation):
    """Applies an augmentation, or a whole `Sequence`, to a share of the images.

    `touched ~ Bernoulli(rate)`, one for each image; the others are what the augmentation makes of them at inference.
    A single augmentation has a `rate` of its own, which costs less; this is for a sequence, where one draw decides
    about all its members.

    Helps when: several augmentations belong together.
    Cost: the layer's, for the whole batch, and a pass over the batch.

    Args:
        layer: The augmentation.
        rate: Probability that an image is touched.
        **kwargs: `seed` for a layer that has none, `data_format`, `bounding_box_format`, `name`, `dtype`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: as the layer's; images in the dtype given if the layer keeps it, labels as rows if it mixes.

    Raises:
        ValueError: if `layer` is no augmentation of this package, or has another `data_format` or
            `bounding_box_format`.

    Example:
        ```python
        strong = kt.augment.Sequence([kt.augment.RandomFlip(), kt.augment.RandomCrop(padding=4)])
        changed = kt.augment.RandomApply(strong, rate=0.3, seed=1)(images)
        ```
    """

    def __init__(self, layer: BatchAugmentation, rate: float = 0.5, **kwargs: Any):
        super().__init__(rate=rate, **kwargs)
        self.layer = self.checked_members("layer", [layer])[0]

    @property
    def members(self) -> list[BatchAugmentation]:
        """The one augmentation."""
        return [self.layer]

    def shares(self) -> list[float]:
        """All for the one augmentation."""
        return [1.0]
