"""RepeatedAugmentation."""

from typing import Any

import numpy as np

from keras_tricks._core import checks, ops
from keras_tricks.augment._base import Batch, BatchAugmentation, Params, Tensor
from keras_tricks.augment._batch import map_arrays


class RepeatedAugmentation(BatchAugmentation):
    """Repeats each image of the batch, so that the augmentations after it make several versions of it.

    The `count` copies of an image follow one another, and so do those of all that belongs to it: labels, weights,
    masks, boxes, and every other part of the batch. At inference nothing is repeated.

    Helps when: batches are large, as the gradients of one image's versions average out what the augmentation did; the
    papers claim better accuracy on ImageNet at an equal number of updates.
    Hurts when: the number of images seen counts: with batches of the same size an epoch takes `count` times as long.
    Cost: one pass over the batch; the step after it is `count` times as large, so hand in smaller batches.
        `keras_tricks.data.RepeatedAugmentation` repeats by the order of the images instead.

    Args:
        count: How many of each image, at least 1.
        **kwargs: `data_format`, `name`, `dtype`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: `(count * batch, ...)` each, in the dtype given; one image without a batch stays one.

    Raises:
        ValueError: if `count` is not an integer of at least 1; at the head of a model, where labels cannot be repeated.

    Example:
        ```python
        chain = kt.augment.Sequence([kt.augment.RepeatedAugmentation(3), kt.augment.RandomFlip()], seed=1)
        views, repeated = chain((images, labels))
        assert views.shape == (24, 32, 32, 3)
        ```

    Reference: [Hoffer et al., 2019](https://arxiv.org/abs/1901.09335);
        [Berman et al., 2019](https://arxiv.org/abs/1902.05509)
    """

    keeps_dtype = True
    any_data_format = True
    keeps_places = True

    def __init__(self, count: int = 3, **kwargs: Any):
        if kwargs.pop("rate", 1.0) != 1.0:
            raise ValueError("`rate` is not for RepeatedAugmentation: every image of a batch is repeated as often.")
        super().__init__(**kwargs)
        self.count = checks.count("count", count)
        self.copies = self.count

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Nothing: which images are repeated, and how often, is fixed."""
        return {}

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, each `count` times."""
        return self._repeat(images)

    def transform(self, batch: Batch, params: Params) -> Batch:
        """Every part of the batch, each entry `count` times."""
        return {name: map_arrays(self._repeat, part) for name, part in batch.items()}

    def _repeat(self, part: Any) -> Any:
        if not getattr(part, "shape", ()):
            return part
        repeat = np.repeat if isinstance(part, np.ndarray) else ops.repeat
        return repeat(part, self.count, axis=0)
