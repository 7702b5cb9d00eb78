"""augment."""

import importlib
from typing import Any

import keras

from keras_tricks._core import checks


def augment(dataset: Any, layer: keras.layers.Layer, num_parallel_calls: int | None = None) -> Any:
    """Maps an augmentation over the batches of a `tf.data.Dataset`, in parallel and reproducibly, under every backend.

    `dataset.map(layer, num_parallel_calls=...)` gives each batch the number of the call that happened to come first.
    Here the batches are numbered: batch `n` of the first pass over the data set is drawn as call `n` of the layer,
    and every later pass has numbers of its own. So each run with one seed sees the same batches, and no epoch
    repeats another.

    Args:
        dataset: A `tf.data.Dataset` of batches (or single images), each in a form that the layer takes: images,
            `(images, labels)`, `(images, labels, sample_weight)` or a dict.
        layer: An augmentation of `keras_tricks.augment`.
        num_parallel_calls: How many batches are made at once; None is one, -1 leaves it to TensorFlow.

    Returns:
        A `tf.data.Dataset` in the same order and of the same length.

    Raises:
        ValueError: if `dataset` is no `tf.data.Dataset`, or `layer` no augmentation, or one that counts calls
            (`AlternatingFlip`).

    Example:
        ```python
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
        dataset = kt.data.augment(dataset, kt.augment.MixUp(0.2, num_classes=10, seed=1), num_parallel_calls=2)
        mixed, rows = next(iter(dataset))
        ```
    """
    if not hasattr(dataset, "element_spec"):
        raise checks.fail("dataset", "a tf.data.Dataset", dataset)
    if not hasattr(layer, "numbered"):
        raise checks.fail("layer", "an augmentation of keras_tricks.augment", layer)
    if layer.counts_calls:
        raise ValueError(
            f"{layer.name} tells the epoch from the number of the call, and here every pass has numbers of its own. "
            "Use `keras_tricks.Trainer(model, augment=[...])`, or `dataset.map(layer)` without parallel calls."
        )
    if num_parallel_calls != -1:
        checks.optional_count("num_parallel_calls", num_parallel_calls)
    # TensorFlow is loaded for those who have a tf.data pipeline, whatever their backend.
    return importlib.import_module("keras_tricks.data._tensorflow").map_numbered(
        dataset, layer.numbered, num_parallel_calls
    )
