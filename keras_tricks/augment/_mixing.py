"""How the augmentations work that blend each sample with another of its batch, labels included."""

from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks, host, ops, random
from keras_tricks.augment import _boxes
from keras_tricks.augment._base import BatchAugmentation, Boxes, Params, Tensor
from keras_tricks.augment._checking import check_rank


class MixingAugmentation(BatchAugmentation):
    """Base of MixUp and CutMix: `params` hold `partner`, and the shares `weight` and `rest` of the two labels.

    Sample `i` is blended with `partner[i]`, the batch rotated by an offset drawn anew for each call: pairs are as
    random as the order of the batch is, so the data has to be shuffled. A batch of one stays as it is.

    `sample_weight` is blended too, such that the weighted loss of a mixed sample is the blend of the two weighted
    losses; class weights reach a mixed sample by this way. Bounding boxes are joined: each sample's own and then its
    partner's, those that are not in its image with label -1.

    Args:
        num_classes: Needed for integer labels; they become soft rows.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.
    """

    mixes_samples = True
    box_growth = 2

    def __init__(self, num_classes: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = checks.optional_count("num_classes", num_classes, minimum=2)

    def draw_partner(self, count: Any, seed: Tensor) -> Tensor:
        """For each of `count` samples the index of another one."""
        offset = random.integers(seed, (), 1, _at_least(count, 2))
        return (ops.arange(count, dtype="int32") + offset) % count

    def transform_labels(self, labels: Tensor, params: Params) -> Tensor:
        """The rows of each sample and of its partner, each with its share."""
        rows = self.soft_rows(labels)
        return _blend(rows, params)

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """Each sample's boxes, then its partner's where that one is in the image."""
        partners = partners_of(boxes, params)
        mixed = params["rest"][:, None] > 0
        return joined(boxes, partners | _boxes.mark(partners["boxes"], partners["labels"], mixed))

    def transform(self, batch: dict[str, Any], params: Params) -> dict[str, Any]:
        """As the base, with the shares of the labels scaled by the weights of their samples."""
        weights = batch.get("sample_weight")
        if weights is None:
            return super().transform(batch, params)
        if any(size != 1 for size in weights.shape[1:]):
            raise ValueError(
                f"{type(self).__name__} takes one `sample_weight` for each sample. Received: shape {weights.shape}"
            )
        flat = ops.cast(ops.reshape(weights, (-1,)), "float32")
        own, partners = params["weight"] * flat, params["rest"] * ops.take(flat, params["partner"], axis=0)
        total = own + partners
        weightless = total == 0
        divisor = ops.where(weightless, ops.ones_like(total), total)
        shares = {
            "weight": ops.where(weightless, params["weight"], own / divisor),
            "rest": ops.where(weightless, params["rest"], partners / divisor),
        }
        mixed = super().transform({name: part for name, part in batch.items() if name != "labels"}, params)
        if batch.get("labels") is not None:
            mixed["labels"] = self.transform_labels(batch["labels"], params | shares)
        return {name: mixed[name] for name in batch} | {"sample_weight": ops.reshape(total, ops.shape(weights))}

    def soft_rows(self, labels: Tensor) -> Tensor:
        """Labels as float32 rows of shares of the classes; what is no class becomes a row of zeros."""
        self._check_label_form(labels)
        if not self._are_class_ids(labels):
            return ops.cast(labels, "float32")
        dtype = "int32" if "int" in _dtype(labels) else "float32"
        ids = ops.cast(ops.reshape(labels, (-1, 1)), dtype)
        classes = ops.cast(ops.arange(self.num_classes, dtype="int32")[None, :], dtype)
        return ops.cast(ops.equal(ids, classes), "float32")

    def check_labels(self, labels: Tensor) -> None:
        """Raises for labels of a form that cannot be mixed and for class ids, if known, out of range."""
        if isinstance(labels, keras.KerasTensor):
            return
        self._check_label_form(labels)
        if not self._are_class_ids(labels):
            return
        values = host.value(labels)
        if values is None:
            return
        if (wrong := values[(values < 0) | (values >= self.num_classes) | (values % 1 != 0)]).size:
            raise ValueError(
                f"Labels of one number must be classes, integers in [0, num_classes={self.num_classes}). "
                f"Received: labels {', '.join(map(str, np.unique(wrong)[:5]))}"
            )

    def _check_label_form(self, labels: Tensor) -> None:
        if not hasattr(labels, "shape"):
            raise ValueError(
                f"{type(self).__name__} mixes labels that are one array, not the several targets of a model. "
                f"Received: labels as a {type(labels).__name__} of {len(labels)}"
            )
        check_rank(self, "labels", labels)
        shape = tuple(labels.shape)
        if self._are_class_ids(labels):
            if self.num_classes is None:
                raise ValueError(
                    f"{type(self).__name__} needs `num_classes` to mix integer labels. "
                    f"Received: labels of shape {shape} and type {_dtype(labels)}, num_classes=None"
                )
        elif len(shape) < 2 or shape[-1] == 1:
            raise ValueError(
                f"{type(self).__name__} mixes class ids, as integers of shape (batch,) or (batch, 1), or rows of "
                f"shares of shape (batch, classes). Received: labels of shape {shape} and type {_dtype(labels)}"
            )
        elif self.num_classes is not None and shape[-1] not in (None, self.num_classes):
            raise ValueError(
                f"Rows of labels must have num_classes={self.num_classes} entries. Received: labels of shape {shape}"
            )

    def _are_class_ids(self, labels: Tensor) -> bool:
        # KerasCV's layers make floats of class ids; where the number of classes is known, they can be nothing else.
        shape = labels.shape
        if "int" in _dtype(labels):
            return len(shape) < 2 or (len(shape) == 2 and shape[1] == 1)
        return "float" in _dtype(labels) and len(shape) < 2 and self.num_classes is not None


def blend_images(images: Tensor, params: Params) -> Tensor:
    """Each image moved towards its partner's by the share `rest`: exactly itself where that is 0; float32."""
    if ops.is_torch(images):
        from keras_tricks.augment._torch_pixels import blended

        if (mixed := blended(images, params)) is not None:
            return mixed
    images = ops.cast(images, "float32")
    partners = ops.take(images, params["partner"], axis=0)
    rest = ops.reshape(params["rest"], (-1, 1, 1, 1))
    if ops.is_torch(partners):  # in the memory of the partners: most of the time goes into new memory
        return partners.sub_(images).mul_(rest).add_(images)
    return images + rest * (partners - images)


def partners_of(boxes: Boxes, params: Params) -> Boxes:
    """The boxes of each sample's partner; a sample that is its own partner has none."""
    partner = params["partner"]
    taken = {name: ops.take(part, partner, axis=0) for name, part in boxes.items()}
    another = ops.not_equal(partner, ops.arange(ops.shape(partner)[0], dtype="int32"))
    return taken | _boxes.mark(taken["boxes"], taken["labels"], another[:, None])


def joined(own: Boxes, partners: Boxes) -> Boxes:
    """The boxes of each sample, one set after the other."""
    return {name: ops.concatenate([part, partners[name]], axis=1) for name, part in own.items()}


def _blend(rows: Tensor, params: Params) -> Tensor:
    shares = (-1,) + (1,) * (len(rows.shape) - 1)
    partners = ops.take(rows, params["partner"], axis=0)
    return ops.reshape(params["weight"], shares) * rows + ops.reshape(params["rest"], shares) * partners


def _at_least(count: Any, minimum: int) -> Any:
    return max(count, minimum) if isinstance(count, int) else ops.maximum(count, minimum)


def _dtype(tensor: Tensor) -> str:
    dtype = tensor.dtype
    return getattr(dtype, "name", str(dtype))
