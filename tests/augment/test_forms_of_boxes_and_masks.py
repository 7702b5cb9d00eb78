"""Forms of boxes and masks that real data sets have, through an augmentation of each kind."""

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.augment.boxes import FORMATS, from_corners, painted
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


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("kind", MOVING)
def test_masks_may_come_without_an_axis_of_channels(kind, data_format):
    batch, channel = painted(), {"channels_last": -1, "channels_first": 1}[data_format]
    config = MOVING[kind]().get_config() | {"data_format": data_format}
    images = np.moveaxis(batch["images"], -1, channel)
    masks = np.moveaxis(batch["segmentation_masks"], -1, channel)
    layer, again = (type(MOVING[kind]()).from_config(config) for _ in range(2))
    expected = to_numpy(layer({"images": images, "segmentation_masks": masks})["segmentation_masks"])
    flat = again({"images": images, "segmentation_masks": batch["segmentation_masks"][..., 0]})["segmentation_masks"]
    np.testing.assert_array_equal(to_numpy(flat), expected.squeeze(channel))
    one = {"images": images[0], "segmentation_masks": batch["segmentation_masks"][0, ..., 0]}
    assert len(again(one)["segmentation_masks"].shape) == 2


def test_masks_of_another_rank_are_refused_with_their_shape():
    batch = painted(4)
    batch["segmentation_masks"] = batch["segmentation_masks"][..., None]
    with pytest.raises(ValueError, match=r"Received: masks of shape \(4, 48, 64, 1, 1\)"):
        kt.augment.RandomFlip()(batch)


@pytest.mark.parametrize("kind", ["crop", "affine", "cutmix"])
def test_masks_may_be_bools(kind):
    batch = painted()
    layers = MOVING | {"crop": lambda: kt.augment.RandomCrop(padding=4, seed=1)}
    expected = layers[kind]()(batch)["segmentation_masks"]
    batch["segmentation_masks"] = batch["segmentation_masks"] > 0
    masks = to_numpy(layers[kind]()(batch)["segmentation_masks"])
    np.testing.assert_array_equal(masks, to_numpy(expected) > 0)


STILL = ("ColorJitter", "GaussianNoise", "Invert", "Normalize", "RandomErasing", "ThreeAugment")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", STILL)
def test_masks_of_any_form_stay_where_no_pixel_moves(name, data_format):
    batch, channel = painted(), {"channels_last": -1, "channels_first": 1}[data_format]
    layer = getattr(kt.augment, name)(data_format=data_format)
    masks = batch["segmentation_masks"]
    for given in (np.moveaxis(masks, -1, channel), masks[..., 0], masks[:, ::2, ::2, 0]):
        changed = layer({"images": np.moveaxis(batch["images"], -1, channel), "segmentation_masks": given})
        np.testing.assert_array_equal(to_numpy(changed["segmentation_masks"]), given)


def test_masks_of_any_size_are_mirrored():
    images, masks = painted()["images"], painted()["segmentation_masks"]
    flipped = kt.augment.RandomFlip(rate=1.0)({"images": images, "segmentation_masks": masks[:, ::2, ::2]})
    np.testing.assert_array_equal(to_numpy(flipped["segmentation_masks"]), masks[:, ::2, ::2][:, :, ::-1])


@pytest.mark.parametrize("kind", [kind for kind in MOVING if kind != "flip"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_masks_of_another_size_than_the_images_are_refused_with_both(kind, data_format):
    batch, channel = painted(), {"channels_last": -1, "channels_first": 1}[data_format]
    layer = type(MOVING[kind]()).from_config(MOVING[kind]().get_config() | {"data_format": data_format})
    masks = batch["segmentation_masks"]
    for wrong in (masks[:, ::2, ::2], masks[:4], masks[:, :, :-1, 0]):
        given = np.moveaxis(wrong, -1, channel) if wrong.ndim == 4 else wrong
        shape = ", ".join(map(str, given.shape))
        with pytest.raises(ValueError, match=rf"masks of shape \({shape}\) for 8 images of 48 x 64"):
            layer({"images": np.moveaxis(batch["images"], -1, channel), "segmentation_masks": given})


def test_boxes_that_are_no_dict_are_refused():
    for boxes in (np.zeros((8, 2, 4), "float32"), keras.ops.zeros((8, 2, 4))):
        with pytest.raises(ValueError, match="`bounding_boxes` must be a dict"):
            kt.augment.RandomFlip()({"images": painted()["images"], "bounding_boxes": boxes})


class Moved(kt.augment.BatchAugmentation):
    """Boxes go 20 pixels to the right and 10 up, in images that nobody looks at."""

    keeps_dtype = True

    def sample(self, shape, seed):
        return {}

    def transform_images(self, images, params):
        return images

    def transform_boxes(self, boxes, params):
        moved = kt.ops.constant(np.array([20, -10, 20, -10], "float32"), boxes["boxes"])
        return boxes | {"boxes": boxes["boxes"] + moved}


@pytest.mark.parametrize("bounding_box_format", FORMATS)
@pytest.mark.parametrize("visible", [{}, {"min_visible": 0.0}, {"min_visible": 0.6}])
def test_boxes_are_clipped_and_those_that_keep_too_little_become_label_minus_1_and_zeros(visible, bounding_box_format):
    generator = np.random.default_rng(4)
    low = generator.uniform(0, [56, 40], (64, 3, 2))
    given = np.concatenate([low, low + generator.uniform(1, [64, 48] - low)], -1).astype("float32")
    labels = np.tile([3, 0, -1], (64, 1))
    boxes = {"boxes": from_corners(given, bounding_box_format, 48, 64), "labels": labels}
    layer = Moved(bounding_box_format=bounding_box_format, **visible)
    moved = layer({"images": np.zeros((64, 48, 64, 3), "uint8"), "bounding_boxes": boxes})["bounding_boxes"]
    wanted = given.astype("float64") + np.array([20, -10, 20, -10])
    inside = np.clip(wanted, 0, [64, 48, 64, 48])
    areas = [np.prod(np.maximum(part[..., 2:] - part[..., :2], 0), axis=-1) for part in (wanted, inside)]
    share = areas[1] / areas[0]
    kept = (labels >= 0) & (share > 0) & (share >= visible.get("min_visible", 0.1))
    assert 20 < kept.sum() < 120
    assert (np.abs(share - 0.1) > 1e-4).all()
    np.testing.assert_array_equal(to_numpy(moved["labels"]), np.where(kept, labels, -1))
    expected = from_corners(np.where(kept[..., None], inside, 0), bounding_box_format, 48, 64)
    np.testing.assert_allclose(to_numpy(moved["boxes"]), expected, atol=1e-4)


@pytest.mark.parametrize("kind", [*MOVING, "choice", "chain", "repeated", "erasing"])
def test_boxes_have_the_same_types_in_training_and_at_inference(kind):
    erasing, flip = kt.augment.RandomErasing(), kt.augment.RandomFlip()
    layers = {
        "choice": lambda: kt.augment.RandomChoice([erasing, flip]),
        "chain": lambda: kt.augment.Sequence([erasing, flip]),
        "repeated": lambda: kt.augment.RepeatedAugmentation(2),
        "erasing": lambda: erasing,
    }
    layer, batch = (MOVING | layers)[kind](), painted()
    boxes = {"boxes": batch["bounding_boxes"]["boxes"].astype("int32"), "classes": np.ones((8, 2), "uint8")}
    types = []
    for training in (True, False):
        given = {"images": batch["images"], "bounding_boxes": boxes}
        given = layer(given, training=training)["bounding_boxes"]
        types.append([str(given[name].dtype) for name in ("boxes", "classes")])
    assert types[0] == types[1]


@pytest.mark.parametrize("form", FORMATS[1:])
@pytest.mark.parametrize(
    "make",
    [
        lambda **form: kt.augment.MixUp(seed=1, **form),
        lambda **form: kt.augment.CutMix(seed=1, **form),
        lambda **form: kt.augment.RandomChoice([kt.augment.MixUp(**form), kt.augment.CutMix(**form)], seed=1, **form),
    ],
    ids=["mixup", "cutmix", "choice"],
)
def test_boxes_of_two_images_joined_are_the_same_in_every_format(make, form):
    batch = painted()
    images, corners, labels = batch["images"], batch["bounding_boxes"]["boxes"], batch["bounding_boxes"]["labels"]
    expected = make()({"images": images, "bounding_boxes": batch["bounding_boxes"]})["bounding_boxes"]
    boxes = {"boxes": from_corners(corners, form, 48, 64), "classes": labels}
    changed = make(bounding_box_format=form)({"images": images, "bounding_boxes": boxes})["bounding_boxes"]
    assert tuple(changed["boxes"].shape) == (8, 4, 4)
    np.testing.assert_array_equal(to_numpy(changed["classes"]), to_numpy(expected["labels"]))
    wanted = from_corners(to_numpy(expected["boxes"]), form, 48, 64)
    np.testing.assert_allclose(to_numpy(changed["boxes"]), wanted, atol=1e-4)
