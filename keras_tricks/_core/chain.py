"""Augmentations one after another, as `Sequence` and `Trainer` run them, and as layers of a model do."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from keras_tricks._core import compiled, ops

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


# The images that augmentations gave back to functions that are being compiled, each under its identity.
_given_back: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()


def after_another(augment: Callable[[Batch], Batch], batch: Batch) -> Batch:
    """`augment(batch)`, where its images may be those of the augmentation before it in a model that is compiled."""
    images = batch["images"]
    if ops.is_torch(images):
        return augment(batch)
    if _given_back.get(id(images)) is images:
        batch = batch | {"images": ops.once(images)}
    changed = augment(batch)
    # What `tf.data` calls is compiled layer by layer, in each a function of its own.
    if ops.is_traced(changed["images"]) and not (ops.is_tensorflow() and compiled.is_outside()):
        _given_back[id(changed["images"])] = changed["images"]
    return changed
