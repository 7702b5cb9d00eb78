"""Images that are legal and that few have: of unknown channels, of integers of 16 bits, without an axis."""

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.contracts.augmentation import make_images
from tests.running import to_numpy


@pytest.mark.parametrize(
    "make",
    [
        lambda: kt.augment.AutoAugment("cifar10"),
        lambda: kt.augment.ColorJitter(0.4, 0.4),
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
    same = to_numpy(kt.augment.RandAugment(rate=0.0, value_range=(0, highest))(levels))
    np.testing.assert_array_equal(same, levels)
    erased = to_numpy(kt.augment.RandomErasing(1.0, fill="color", value_range=(0, highest), seed=1)(images * 0))
    assert set(np.unique(erased)) <= set(levels.ravel())


def test_a_symbolic_image_without_a_channel_axis_is_not_taken_for_one_without_a_batch_axis():
    with pytest.raises(ValueError, match=r"images of four axes.*\(None, 28, 28\)"):
        kt.augment.RandomCrop(size=4)(keras.Input((28, 28)))
