"""Trainer."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
from keras import ops

from keras_tricks._core import averaging, chain, checks, compiled
from keras_tricks._core.stream import RandomLayer
from keras_tricks.training import _loss
from keras_tricks.training._guard import StepGuard
from keras_tricks.training._steps import AugmentedStep
from keras_tricks.training.sam import SAM

Tensor = Any


class Trainer(AugmentedStep, RandomLayer, keras.Model):
    """Trains a model with augmentations in the compiled step, on the device.

    A `keras.Model` around yours: `compile`, `fit`, `evaluate`, `predict`, callbacks and saving as usual. Validation and
    prediction see the images as they are (a layer that changes their size cuts the middle). Your `model` holds the
    trained weights: it is what you ship.

    After an error or an interrupt inside `fit`, `evaluate` or `predict` the model keeps the weights of its last
    finished step, on every backend (a plain model on JAX can lose them).

    Helps when: images are augmented. As uint8 they reach the device four times faster than as float32, no worker
    processes are needed, and the random numbers are the same on every backend.
    Cost: that of the augmentations, fused into the step on TensorFlow and JAX.

    Args:
        model: The model to train, with one image input; or with a dict of inputs, of which "images" is augmented.
        augment: Augmentations of `keras_tricks.augment`, one or a list, applied in order to each training batch. Each
            draws from the stream of its own seed and position; the first training step is call 0.
        seed: For the augmentations that have none of their own.
        micro_batch_size: None, or how many samples go through the model at once: a larger batch (after its
            augmentation) is done in pieces, one after another, and their gradients make one update. It is that of the
            whole batch, for losses that are means over the batch (over its unmasked entries they are not);
            BatchNormalization and dropout see the pieces. It takes the memory of a piece, beside the batch itself, and
            the time of as many small steps; the gradient of an embedding is a dense one.
        sharpness: None, or a `kt.training.SAM`: each step takes two passes over its batch, or over each piece of it.
        **kwargs: `name`, `dtype`; by default the model's dtype policy.

    Raises:
        ValueError: if `model` is no Keras model, `augment` holds something else than augmentations, or `sharpness` is
            something else; in `fit`, for labels given as an array that the augmentations cannot mix.

    Example:
        ```python
        trainer = kt.Trainer(model, augment=[kt.augment.RandomCrop(padding=4), kt.augment.MixUp(0.2, num_classes=10)])
        trainer.compile("adam", kt.losses.Crossentropy(from_logits=True), metrics=[kt.metrics.Accuracy()])
        trainer.fit(images, labels, verbose=0)
        model.predict(images, verbose=0)
        ```
    """

    def __init__(
        self,
        model: keras.Model,
        augment: Iterable[keras.layers.Layer] | keras.layers.Layer = (),
        seed: int | None = None,
        micro_batch_size: int | None = None,
        sharpness: SAM | None = None,
        **kwargs: Any,
    ):
        if not isinstance(model, keras.Model):
            raise checks.fail("model", "a keras.Model", model)
        kwargs.setdefault("dtype", model.dtype_policy)
        super().__init__(seed, **kwargs)
        self.model = model
        self.augment = [augment] if isinstance(augment, keras.layers.Layer) else list(augment)
        for layer in self.augment:
            if not all(hasattr(layer, hook) for hook in ("augment", "infer", "check_labels")):
                raise checks.fail("augment", "keras_tricks.augment layers", layer)
        self.micro_batch_size = checks.optional_count("micro_batch_size", micro_batch_size)
        if sharpness is not None and not isinstance(sharpness, SAM):
            raise checks.fail("sharpness", "a keras_tricks.training.SAM, or None", sharpness)
        self.sharpness = sharpness
        self._guard = StepGuard()
        self.built = model.built

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The model's output; at inference of the images that the augmentations make at inference."""
        if self.augment and not training:
            batch = {"images": inputs} if not isinstance(inputs, Mapping) else dict(inputs)
            for layer in self.augment:
                batch = layer.infer(batch)
            inputs = self._model_inputs(batch, inputs)
        return self.model(inputs, training=training)

    def augment_data(self, data: Any) -> Any:
        """A training batch `(x, y, sample_weight)` after the augmentations; advances their streams by one call."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if not self.augment:
            return x, y, sample_weight
        if keras.backend.backend() == "torch":  # a `DataLoader` of one's own leaves batches where they were made
            x, y, sample_weight = keras.tree.map_structure(_on_device, (x, y, sample_weight))
        batch = dict(x) if isinstance(x, Mapping) else {"images": x}
        if "images" not in batch or not hasattr(batch["images"], "shape"):
            raise ValueError(
                'Trainer augments a model\'s one image input, or the input named "images" of a dict. '
                f"Received: inputs {sorted(batch) if isinstance(x, Mapping) else type(x).__name__}"
            )
        batch |= {"labels": y, "sample_weight": sample_weight}
        state = self.stream.next_state()

        def augmented(batch: dict[str, Any], state: Tensor) -> dict[str, Any]:
            return chain.augment_in_order(self.augment, batch, state[1], "", state[0])

        can_compile = all(layer.supports_jit for layer in self.augment)
        batch = compiled.in_graph(augmented, batch, state) if can_compile else augmented(batch, state)
        y, sample_weight = batch.pop("labels"), batch.pop("sample_weight")
        return self._model_inputs(batch, x), y, sample_weight

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """As `keras.Model.fit`."""
        if y is not None and hasattr(y, "shape"):
            self._check_labels(y)
        if self.micro_batch_size is not None:
            _loss.check_means(self, "micro_batch_size")
        if averaging.find_keeper(self.optimizer) is not None:
            averaging.average_statistics_of(self)
        with self.weights_kept(), averaging.given_back_on_error(self, training=True):
            return super().fit(x, y, *args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`."""
        with self.weights_kept(), averaging.given_back_on_error(self):
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.predict`."""
        with self.weights_kept(), averaging.given_back_on_error(self):
            return super().predict(*args, **kwargs)

    @property
    def output_names(self) -> list[str]:
        """The model's, by which losses and metrics of several outputs are named."""
        return self.model.output_names

    def _check_labels(self, labels: Any) -> None:
        """Refuses, before training, labels that the first augmentation that mixes them cannot use."""
        mixing = next((layer for layer in self.augment if layer.mixes_samples), None)
        if mixing is None:
            return
        mixing.check_labels(labels)
        are_class_ids = len(labels.shape) < 2 or labels.shape[-1] == 1
        names = _takers_of_one_kind(self)
        if are_class_ids and names:
            raise ValueError(
                f"{type(mixing).__name__} makes rows of shares out of class ids, and validation keeps the ids: compile "
                "with `keras_tricks.losses.Crossentropy` and `keras_tricks.metrics.Accuracy`, which take both. "
                f"Received: {', '.join(names)}"
            )

    def _model_inputs(self, batch: Mapping[str, Any], inputs: Any) -> Any:
        """The augmented images in the model's dtype, in the place where `inputs` had them."""
        images = ops.cast(batch["images"], self.compute_dtype)
        return {**inputs, "images": images} if isinstance(inputs, Mapping) else images


def _takers_of_one_kind(model: keras.Model) -> list[str]:
    """The losses and metrics of Keras, as given to `compile`, that take class ids alone or rows alone."""
    try:
        config = model.get_compile_config() or {}
    except Exception:  # something that cannot be saved, and is not Keras' own then
        return []
    parts = [config.get("loss")]
    for kind in ("metrics", "weighted_metrics"):
        parts += config[kind] if isinstance(config.get(kind), (list, tuple)) else [config.get(kind)]
    names = [part.get("class_name", "") if isinstance(part, dict) else str(part) for part in parts]
    return [name for name in names if name in ("acc", "accuracy") or "categorical" in name.lower()]


def _on_device(part: Any) -> Any:
    return None if part is None else keras.ops.convert_to_tensor(part)
