"""Augmentations one after another, as `Sequence` and `Trainer` run them."""

from collections.abc import Iterable
from typing import Any

from keras_tricks._core import ops

Tensor = Any
Batch = dict[str, Any]


def augment_in_order(layers: Iterable[Any], batch: Batch, call: Tensor, place: str, seed: Tensor | None) -> Batch:
    """The batch after every layer; each draws at its position after `place`, without a seed of its own from `seed`."""
    for position, layer in enumerate(layers):
        if position:
            # A pixel is read for several others, for each of which XLA would compute it anew.
            batch = batch | {"images": ops.once(batch["images"])}
        batch = layer.augment(batch, call, f"{place}/{position}", seed)
    return dict(batch)
