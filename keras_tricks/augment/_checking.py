"""What is asked of a batch before it is augmented."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_tricks._core import ops

Tensor = Any
Batch = dict[str, Any]


def check_batch(layer: Any, batch: Batch) -> None:
    """Raises for a batch that `layer` cannot take."""
    images = batch["images"]
    if hasattr(images, "shape"):
        check_rank(layer, "images", images)
    if not hasattr(images, "shape") or len(images.shape) not in (3, 4):
        axes = "height, width, channels" if layer.data_format == "channels_last" else "channels, height, width"
        raise ValueError(
            f"{type(layer).__name__} takes images of shape (batch, {axes}) or ({axes}). "
            f"Received: {getattr(images, 'shape', type(images).__name__)}"
        )
    if isinstance(images, keras.KerasTensor) and len(images.shape) == 3:
        raise ValueError(
            f"Inside a model {type(layer).__name__} takes images of four axes, the batch's and the channels' among "
            f"them. Received: {images.shape}"
        )
    if isinstance(images, keras.KerasTensor) and (layer.mixes_samples or layer.copies != 1):
        what = "mixes" if layer.mixes_samples else "repeats"
        raise ValueError(
            f"{type(layer).__name__} {what} labels too, which a layer inside a model cannot reach: the model would "
            "train on images with the labels of others. Use `keras_tricks.Trainer(model, augment=[...])`, or map "
            "it over the data set: `dataset.map(layer)`."
        )
    if len(images.shape) == 4:
        check_counts(layer, batch)
    weights = batch.get("sample_weight")
    if layer.mixes_samples and weights is not None and not hasattr(weights, "shape"):
        raise ValueError(
            f"{type(layer).__name__} mixes samples, and takes one `sample_weight` for each. "
            f"Received: sample_weight as a {type(weights).__name__} of {len(weights)}"
        )
    if batch.get("labels") is not None:
        layer.check_labels(batch["labels"])


def check_masks(layer: Any, masks: Tensor, shape: tuple[Any, ...]) -> None:
    """Raises unless there is a mask for each of the images of `shape`, channels last, as high and as wide."""
    if len(masks.shape) not in (3, 4):
        raise ValueError(
            "`segmentation_masks` must be laid out as the images, with or without an axis of channels. "
            f"Received: masks of shape {tuple(masks.shape)}"
        )
    sides = layer.channels_last_shape(masks) if len(masks.shape) == 4 else ops.shape(masks)
    compared = 1 if layer.moves_masks_of_any_size else 3
    pairs = zip(sides[:compared], shape[:compared], strict=True)
    known = [pair for pair in pairs if all(isinstance(side, int) for side in pair)]
    if any(own != wanted for own, wanted in known):
        raise ValueError(
            "`segmentation_masks` must be as many, as high and as wide as the images. "
            f"Received: masks of shape {tuple(masks.shape)} for {shape[0]} images of {shape[1]} x {shape[2]}"
        )


def known_channels(layer: Any, images: Tensor) -> int:
    """The number of channels of images, channels last, for a trick that has to know it before it runs."""
    channels = images.shape[-1]
    if channels is None:
        raise ValueError(
            f"{type(layer).__name__} has to know how many channels images have: name it where they are read "
            "(`tf.io.decode_jpeg(..., channels=3)`) or with `tf.ensure_shape`. "
            f"Received: images of shape {tuple(images.shape)}"
        )
    return channels


def check_rank(layer: Any, name: str, part: Tensor) -> None:
    """Raises for a part of a batch whose number of axes is not known."""
    if rank(part) is None:
        raise ValueError(
            f"{type(layer).__name__} has to know how many axes {name} have: name their shape where they are read, "
            f"or with `tf.ensure_shape`. Received: {name} of unknown shape"
        )


def rank(tensor: Any) -> int | None:
    """The number of axes; None where it is not known."""
    rank = getattr(tensor.shape, "rank", 0)
    return None if rank is None else len(tensor.shape)


def check_counts(layer: Any, batch: Batch) -> None:
    """Raises for labels, weights or boxes that `layer` changes together with images, and that are not as many."""
    count, boxes = batch["images"].shape[0], batch.get("bounding_boxes")
    mixed = ("labels", "sample_weight") if layer.mixes_samples else ()
    parts: dict[str, Any] = {name: batch.get(name) for name in mixed}
    if isinstance(boxes, Mapping) and (layer.mixes_samples or not layer.keeps_places):
        parts |= {f'bounding_boxes["{name}"]': boxes.get(name) for name in ("boxes", "labels", "classes")}
    for name, part in parts.items():
        if not hasattr(part, "shape") or rank(part) is None or not isinstance(count, int):
            continue
        if tuple(part.shape[:1]) not in ((count,), (None,)):
            raise ValueError(
                f"`{name}` must hold something for each of the {count} images. "
                f"Received: {name} of shape {tuple(part.shape)}"
            )
