"""Sequence."""

import math
from collections.abc import Iterable
from typing import Any

from keras_tricks._core import chain
from keras_tricks.augment._base import Batch, BatchAugmentation, Tensor
from keras_tricks.augment._members import CompositeAugmentation


class Sequence(CompositeAugmentation):
    """Several augmentations, one after another, as one.

    Each member draws from a stream of its own: keyed by its seed (or else by the sequence's), its class, an explicit
    name and its position. The images are cast once, at the end, to the sequence's compute dtype.

    Helps when: a recipe has more than one augmentation.
    Cost: its members'; compiled together no intermediate batch is stored.

    Args:
        layers: The augmentations, in the order in which they are applied.
        seed: For the members that have none of their own.
        **kwargs: `data_format`, `bounding_box_format`, `name`, `dtype`; the `rate` is each member's own.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: as the last member's.

    Raises:
        ValueError: if a member is no augmentation of this package, or has another `data_format` or
            `bounding_box_format`.

    Example:
        ```python
        chain = kt.augment.Sequence([kt.augment.RandomFlip(), kt.augment.MixUp(0.2, num_classes=10)], seed=1)
        mixed, rows = chain((images, labels))
        ```
    """

    def __init__(self, layers: Iterable[BatchAugmentation], seed: int | None = None, **kwargs: Any):
        if kwargs.pop("rate", 1.0) != 1.0:
            raise ValueError("`rate` is for each member of a Sequence to say, not for the whole.")
        super().__init__(seed=seed, **kwargs)
        self.layers = self.checked_members("layers", layers)
        self.box_growth = math.prod(layer.box_growth for layer in self.layers)
        self.copies = math.prod(layer.copies for layer in self.layers)

    @property
    def members(self) -> list[BatchAugmentation]:
        """The augmentations, in order."""
        return self.layers

    def augment(self, batch: Batch, call: Tensor, place: str = "", seed: Tensor | None = None) -> Batch:
        """The batch after every member, in order."""
        own, inside = self.inner_stream(place, seed)
        return chain.augment_in_order(self.layers, batch, call, inside, own)

    def infer(self, batch: Batch) -> Batch:
        """The batch after what every member does at inference."""
        for layer in self.layers:
            batch = layer.infer(batch)
        return dict(batch)

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """The last member's."""
        for layer in self.layers:
            height, width = layer.output_size(height, width)
        return height, width

    def check_labels(self, labels: Tensor) -> None:
        """Asks the first member that mixes: the others see what it made of the labels."""
        for layer in self.layers:
            if layer.mixes_samples:
                return layer.check_labels(labels)
        return None
