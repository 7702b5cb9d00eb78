"""RandomChoice."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_tricks._core import checks
from keras_tricks.augment._base import BatchAugmentation
from keras_tricks.augment._members import ChoosingAugmentation


class RandomChoice(ChoosingAugmentation):
    """Applies one of several augmentations, drawn for each image: "mixup or cutmix" in one line.

    All that belongs to an image, its label, weight, masks and boxes, follows the member that was drawn for it; so no
    image is mixed twice. A member that mixes takes the partners from the batch as it came in. If one of them mixes, all
    labels come out as rows.

    Helps when: augmentations are good each, but too much together.
    Cost: that of all members and a pass over the batch for each, as every member sees the whole batch; with
    `per="batch"` only that of the member drawn.

    Args:
        layers: The augmentations; all of them must make images of the same size.
        probabilities: One for each member, of any sum above 0; None is the same for all.
        per: "image", a draw for each image, or "batch", one draw for all of them.
        rate: Share of the images (or batches) to which any is applied; the others are as at inference.
        **kwargs: `seed` for the members that have none, `data_format`, `bounding_box_format`, `name`, `dtype`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: as the members'; images in the dtype given if all members keep it, twice as many boxes if one mixes.

    Raises:
        ValueError: if there is no member, or one is no augmentation of this package, or has another `data_format` or
            `bounding_box_format`; for probabilities that do not fit; for members that make images of different sizes.

    Example:
        ```python
        mix = kt.augment.RandomChoice([kt.augment.MixUp(0.2, num_classes=10), kt.augment.CutMix(1.0)], seed=1)
        mixed, rows = mix((images, labels))
        assert rows.shape == (8, 10)
        ```
    """

    def __init__(
        self,
        layers: Iterable[BatchAugmentation],
        probabilities: Sequence[float] | None = None,
        per: str = "image",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.layers = self.checked_members("layers", layers)
        if not self.layers:
            raise checks.fail("layers", "a list of at least one augmentation", layers)
        self.probabilities = None if probabilities is None else [float(share) for share in probabilities]
        if self.probabilities is not None:
            shares = np.array(self.probabilities)
            if (
                len(shares) != len(self.layers)
                or not np.isfinite(shares).all()
                or (shares < 0).any()
                or not shares.any()
            ):
                raise checks.fail(
                    "probabilities", f"{len(self.layers)} numbers not below 0, of a sum above 0", probabilities
                )
        self.per = checks.one_of("per", per, ("image", "batch"))

    @property
    def members(self) -> list[BatchAugmentation]:
        """The augmentations to choose from."""
        return self.layers

    def shares(self) -> list[float]:
        """The probability of each member."""
        weights = self.probabilities or [1.0] * len(self.layers)
        return [weight / sum(weights) for weight in weights]
