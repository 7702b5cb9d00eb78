"""Forms of boxes and masks that real data sets have, through an augmentation of each kind."""

import numpy as np
import pytest

import keras_tricks as kt
from tests.augment.boxes import painted
from tests.running import to_numpy

MOVING = {
    "flip": lambda: kt.augment.RandomFlip(rate=1.0, seed=1),
    "crop": lambda: kt.augment.RandomCrop((40, 50), seed=1),
    "resize": lambda: kt.augment.RandomResizedCrop(32, seed=1),
    "affine": lambda: kt.augment.RandomAffine(rotation=20, seed=1),
    "lens": lambda: kt.augment.LensDistortion(seed=1),
    "policy": lambda: kt.augment.RandAugment(operation_rate=1.0, seed=1),
    "cutmix": lambda: kt.augment.CutMix(seed=1),
}


@pytest.mark.parametrize("kind", MOVING)
def test_a_batch_without_any_box_stays_one(kind):
    layer = MOVING[kind]()
    none = {"boxes": np.zeros((8, 0, 4), "float32"), "labels": np.zeros((8, 0), "int32")}
    boxes = layer({"images": painted()["images"], "bounding_boxes": none})["bounding_boxes"]
    assert tuple(boxes["boxes"].shape) == (8, 0, 4)
    assert tuple(boxes["labels"].shape) == (8, 0)


def test_flags_of_boxes_follow_the_member_drawn_and_added_boxes_have_none():
    batch = painted()
    flags = batch["bounding_boxes"]["labels"] == 1
    batch["bounding_boxes"] |= {"is_crowd": flags}
    layer = kt.augment.RandomChoice([kt.augment.RandomFlip(rate=1.0), kt.augment.CutMix()], [1.0, 1e-9], seed=1)
    boxes = layer(batch)["bounding_boxes"]
    np.testing.assert_array_equal(to_numpy(boxes["is_crowd"]), np.concatenate([flags, 0 * flags], axis=1))
