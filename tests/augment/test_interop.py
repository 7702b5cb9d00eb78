"""Beside others' layers in one chain of `tf.data`: KerasCV's, which take "classes" and ragged boxes, and Keras'."""

import importlib

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.augment.boxes import assert_boxes_fit_the_paint, assert_masks_fit_the_paint, painted
from tests.running import BACKEND, to_numpy

pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="KerasCV's layers run in a tf.data pipeline on the TensorFlow backend alone"
)

COUNT, CLASSES = 16, 5


@pytest.fixture(scope="module")
def cv():
    return importlib.import_module("keras_cv").layers


def batches(label_name, ragged=False):
    """Dicts of painted images with one-hot rows, masks and boxes, eight at a time."""
    tf = importlib.import_module("tensorflow")
    parts = painted(COUNT) | {"labels": np.eye(CLASSES, dtype="float32")[np.arange(COUNT) % CLASSES]}
    boxes, labels = parts["bounding_boxes"]["boxes"], parts["bounding_boxes"]["labels"].astype("float32")
    if ragged:
        known = labels >= 0
        boxes, labels = (tf.RaggedTensor.from_row_lengths(part[known], known.sum(1)) for part in (boxes, labels))
    parts["bounding_boxes"] = {"boxes": boxes, label_name: labels}
    return tf.data.Dataset.from_tensor_slices(parts).batch(8)


def through(dataset, *layers):
    """All batches of a chain, with dense boxes under "labels"."""
    for layer in layers:
        dataset = dataset.map(layer)
    results = []
    for batch in dataset:
        boxes, (label_name,) = batch["bounding_boxes"], set(batch["bounding_boxes"]) - {"boxes"}
        dense = {
            name: part.to_tensor(0 if name == "boxes" else -1) if hasattr(part, "to_tensor") else part
            for name, part in (("boxes", boxes["boxes"]), ("labels", boxes[label_name]))
        }
        results.append(batch | {"bounding_boxes": {name: to_numpy(part) for name, part in dense.items()}})
    assert len(results) == COUNT // 8
    return results


def flip(**changes):
    return kt.augment.RandomFlip(**({"vertical": True, "seed": 1} | changes))


def crop():
    return kt.augment.RandomCrop((44, 56), padding=2, seed=2)


@pytest.mark.parametrize("ragged", [False, True])
def test_masks_and_boxes_follow_their_images_between_kerascvs_layers(cv, ragged):
    chain = [
        cv.Grayscale(output_channels=3),
        flip(),
        cv.RandomFlip("horizontal", bounding_box_format="xyxy", seed=3),
        crop(),
        cv.RandomFlip("vertical", bounding_box_format="xyxy", seed=4),
        kt.augment.RandomAffine(translation=0.1, scale=(0.9, 1.2), seed=5),
    ]
    for batch in through(batches("classes", ragged), *chain):
        assert batch["images"].shape == (8, 44, 56, 3)
        assert_boxes_fit_the_paint(batch, tolerance=1)
        masks = to_numpy(batch["segmentation_masks"])
        # Grey now: only where there is paint shows.
        assert ((to_numpy(batch["images"])[..., :1] > 10) == (masks > 0)).mean() > 0.95


def test_masks_and_boxes_follow_their_images_between_keras_layers():
    chain = [
        keras.layers.RandomFlip("horizontal", bounding_box_format="xyxy", seed=3),
        flip(),
        keras.layers.RandomFlip("vertical", bounding_box_format="xyxy", seed=4),
        crop(),
    ]
    for batch in through(batches("labels"), *chain):
        assert batch["images"].shape == (8, 44, 56, 3)
        assert_boxes_fit_the_paint(batch, tolerance=1e-4)  # Keras' own divides by the sides and multiplies again
        assert_masks_fit_the_paint(batch)


def images_alone(layer):
    """A layer of Keras that knows no dicts, applied to the images of a dict."""
    return lambda batch: batch | {"images": layer(batch["images"])}


def test_labels_mixed_by_one_are_mixed_on_by_the_others(cv):
    dataset = batches("classes").map(lambda batch: {name: batch[name] for name in ("images", "labels")})
    chain = [
        flip(),
        kt.augment.CutMix(num_classes=CLASSES, seed=1),
        cv.MixUp(seed=2),
        kt.augment.MixUp(0.5, num_classes=CLASSES, seed=3),
        cv.RandomSaturation((0.4, 0.6), seed=4),
        keras.layers.CutMix(seed=5),
        images_alone(keras.layers.Rescaling(1 / 255)),
    ]
    for layer in chain:
        dataset = dataset.map(layer)
    for batch in dataset:
        assert 0.5 < to_numpy(batch["images"]).max() <= 1
        rows = to_numpy(batch["labels"])
        np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
        assert ((rows > 0).sum(1) > 1).all()


def test_class_ids_may_come_from_kerascvs_layers_as_floats(cv):
    batch = {"images": painted(COUNT)["images"], "labels": np.arange(COUNT) % CLASSES}
    dataset = importlib.import_module("tensorflow").data.Dataset.from_tensors(batch)
    (turned,) = dataset.map(cv.RandomFlip("horizontal", seed=1))
    assert "float" in str(turned["labels"].dtype)
    (mixed,) = dataset.map(cv.RandomFlip("horizontal", seed=1)).map(kt.augment.CutMix(num_classes=CLASSES, seed=1))
    (plain,) = dataset.map(kt.augment.CutMix(num_classes=CLASSES, seed=1))
    np.testing.assert_array_equal(mixed["labels"], plain["labels"])


def test_relative_boxes_are_kerascvs_relative_boxes(cv):
    (batch, *_) = batches("classes")
    sides = np.array([64, 48, 64, 48], "float32")
    relative = batch | {"bounding_boxes": batch["bounding_boxes"] | {"boxes": batch["bounding_boxes"]["boxes"] / sides}}
    ours = flip(vertical=False, rate=1.0, bounding_box_format="rel_xyxy")(relative)["bounding_boxes"]
    theirs = cv.RandomFlip("horizontal", rate=1.0, bounding_box_format="rel_xyxy")(relative)["bounding_boxes"]
    known = to_numpy(ours["classes"]) >= 0
    np.testing.assert_allclose(
        to_numpy(ours["boxes"])[known], to_numpy(theirs["boxes"].to_tensor(0))[known[:, :2]], atol=1e-5
    )
