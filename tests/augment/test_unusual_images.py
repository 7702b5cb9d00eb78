"""Images that are legal and that few have: of unknown channels, of integers of 16 bits, without an axis."""

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.contracts.augmentation import make_images
from tests.running import first_call, to_numpy


@pytest.mark.parametrize(
    "make",
    [
        lambda: kt.augment.AutoAugment("cifar10"),
        lambda: kt.augment.ColorJitter(0.4, 0.4),
        lambda: kt.augment.Equalize(),
        lambda: kt.augment.GaussianBlur(),
        lambda: kt.augment.RandomGrayscale(),
        lambda: kt.augment.PCALighting(),
        lambda: kt.augment.AlternatingFlip(1),
    ],
)
def test_a_trick_that_has_to_know_the_channels_says_so_where_they_are_unknown(make):
    tf = pytest.importorskip("tensorflow")
    spec = tf.TensorSpec((None, None, None, None), "uint8")
    dataset = tf.data.Dataset.from_generator(lambda: iter([make_images()]), output_signature=spec)
    with pytest.raises(ValueError, match="has to know how many channels images have"):
        dataset.map(make())


@pytest.mark.parametrize("make", [lambda: kt.augment.RandomFlip(seed=1), lambda: kt.augment.RandomErasing(1, seed=1)])
def test_a_trick_that_need_not_know_the_channels_takes_any(make):
    tf = pytest.importorskip("tensorflow")
    spec = tf.TensorSpec((None, None, None, None), "uint8")
    dataset = tf.data.Dataset.from_generator(lambda: iter([make_images()]), output_signature=spec)
    np.testing.assert_array_equal(next(iter(dataset.map(make()))).numpy(), to_numpy(make()(make_images())))


@pytest.mark.parametrize("highest", [1023, 65535])
def test_integers_of_another_range_are_rounded_not_cut_off(highest):
    images = np.random.default_rng(0).integers(0, highest + 1, (4, 8, 8, 3)).astype("int32")
    inverted = to_numpy(kt.augment.Invert(value_range=(0, highest))(images))
    assert inverted.dtype == "int32"
    np.testing.assert_array_equal(inverted, highest - images)
    levels = np.rint(np.arange(256) * (highest / 255)).astype("int32").reshape(1, 16, 16, 1)
    same = to_numpy(first_call(kt.augment.RandAugment(rate=0.0, value_range=(0, highest)), levels))
    np.testing.assert_array_equal(same, levels)
    erased = to_numpy(kt.augment.RandomErasing(1.0, fill="color", value_range=(0, highest), seed=1)(images * 0))
    assert set(np.unique(erased)) <= set(levels.ravel())


def test_a_symbolic_image_without_a_channel_axis_is_not_taken_for_one_without_a_batch_axis():
    with pytest.raises(ValueError, match=r"images of four axes.*\(None, 28, 28\)"):
        kt.augment.RandomCrop(size=4)(keras.Input((28, 28)))


@pytest.mark.parametrize("sides", [(58, 87), (87, 58), (192, 195), (5, 7)])
@pytest.mark.parametrize("short_side", [33, 224, 3])
def test_a_size_that_is_known_only_later_is_rounded_as_one_that_is_known(sides, short_side):
    tf = pytest.importorskip("tensorflow")
    layer, image = kt.augment.Resize(short_side), np.zeros((*sides, 3), "uint8")
    spec = tf.TensorSpec((None, None, 3), "uint8")
    dataset = tf.data.Dataset.from_generator(lambda: iter([image]), output_signature=spec).map(layer)
    resized, least = first_call(layer, image), min(sides)
    assert next(iter(dataset)).shape == resized.shape
    assert resized.shape[:2] == tuple((2 * side * short_side + least) // (2 * least) for side in sides)


def test_key_points_are_not_left_behind_where_pixels_move():
    batch = {"images": make_images(), "keypoints": np.zeros((len(make_images()), 2, 2), "float32")}
    with pytest.raises(ValueError, match="RandomFlip moves images, masks and boxes, and not `keypoints`"):
        kt.augment.RandomFlip()(batch)
    np.testing.assert_array_equal(kt.augment.Invert()(batch)["keypoints"], batch["keypoints"])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_class_ids_of_a_pipeline_stay_what_they_are_under_mixed_precision(policy):
    tf = pytest.importorskip("tensorflow")
    keras.config.set_dtype_policy(policy)
    ids = np.arange(1000, 1000 + len(make_images()))
    dataset = tf.data.Dataset.from_tensors((make_images(), ids)).map(kt.augment.ColorJitter(0.4, seed=1))
    _, labels = next(iter(dataset))
    np.testing.assert_array_equal(labels, ids)
    assert labels.dtype == "int64"


@pytest.mark.parametrize(
    "make", [lambda: kt.augment.RandAugment(seed=1), lambda: kt.augment.RandomErasing(1.0, seed=1)]
)
def test_one_layer_runs_in_a_pipeline_and_eagerly_and_in_a_pipeline_again(make):
    tf = pytest.importorskip("tensorflow")
    layer = make()
    dataset = tf.data.Dataset.from_tensors(make_images())
    for _ in range(2):
        assert next(iter(dataset.map(layer))).shape == make_images().shape
        assert to_numpy(layer(make_images())).shape == make_images().shape


def test_a_colour_fills_the_channels_where_they_come_first():
    images = np.zeros((4, 3, 12, 12), "uint8")
    erased = to_numpy(kt.augment.RandomErasing(1.0, fill=(10, 20, 30), seed=1, data_format="channels_first")(images))
    for channel, level in enumerate((10, 20, 30)):
        assert set(np.unique(erased[:, channel])) == {0, level}
