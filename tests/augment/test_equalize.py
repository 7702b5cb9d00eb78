import numpy as np
import pytest
from PIL import Image, ImageOps

import keras_tricks as kt
from tests.augment.photographs import photographs
from tests.contracts import augmentation
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestEqualize(AugmentationContract):
    cls = kt.augment.Equalize
    arguments = {"rate": 0.5}
    outcomes = 2
    bad_arguments = [({"rate": 2}, "`rate`.*Received: rate=2")]

    @pytest.fixture(autouse=True)
    def _enough_pixels(self, monkeypatch):
        """Pillow changes no image of fewer than 256 pixels."""
        monkeypatch.setattr(augmentation, "HEIGHT", 48)

    def test_it_is_pillows_for_each_image_by_itself(self):
        expected = [np.asarray(ImageOps.equalize(Image.fromarray(image))) for image in photographs()]
        np.testing.assert_array_equal(to_numpy(kt.augment.Equalize()(photographs())), expected)

    @pytest.mark.parametrize("shape", [(1, 20, 30, 3), (5, 17, 19, 4), (3, 16, 16, 1), (4, 16, 20, 6)])
    def test_it_is_pillows_for_each_channel_however_many_there_are(self, shape):
        images = (np.random.default_rng(0).integers(0, 256, shape) // 3).astype("uint8")
        planes = np.moveaxis(images, -1, 1).reshape(-1, *shape[1:3])
        expected = np.stack([np.asarray(ImageOps.equalize(Image.fromarray(plane))) for plane in planes])
        expected = np.moveaxis(expected.reshape(shape[0], shape[3], *shape[1:3]), 1, -1)
        np.testing.assert_array_equal(to_numpy(kt.augment.Equalize()(images)), expected)

    def test_a_flat_image_stays_as_it_is(self):
        images = np.full((2, 8, 8, 3), 77, "uint8")
        np.testing.assert_array_equal(to_numpy(kt.augment.Equalize()(images)), images)

    @pytest.mark.parametrize("wrong", [-3.0, 300.0, float("nan")])
    def test_what_is_no_level_counts_as_the_nearest_one_and_harms_no_other_image(self, wrong):
        images = make_images(count=4).astype("float32")
        images[-1, 0, 0, -1] = wrong
        equalized = to_numpy(kt.augment.Equalize()(images))
        images[-1, 0, 0, -1] = 255 if wrong > 0 else 0
        np.testing.assert_array_equal(equalized, to_numpy(kt.augment.Equalize()(images)))
