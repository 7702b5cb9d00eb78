import numpy as np
import pytest
from PIL import Image

import keras_tricks as kt
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract, make_images, make_labels
from tests.running import to_numpy


class TestRandomGrayscale(AugmentationContract):
    cls = kt.augment.RandomGrayscale
    arguments = {"rate": 0.5}
    bad_arguments = [({"rate": 1.5}, "`rate`.*Received: rate=1.5")]
    channels = (1, 3)
    outcomes = 2

    def test_it_is_pillows_gray_in_every_channel(self):
        expected = [np.asarray(Image.fromarray(image).convert("L").convert("RGB")) for image in photographs()]
        changed = to_numpy(self.make(rate=1.0)(photographs()))
        assert np.abs(np.round(changed) - expected).max() <= 1
        np.testing.assert_array_equal(changed[..., 0], changed[..., 2])

    def test_one_image_in_ten_by_default(self):
        assert kt.augment.RandomGrayscale().rate == 0.1

    def test_a_dict_will_do_and_the_seed_is_in_the_config(self):
        layer = kt.augment.RandomGrayscale(rate=0.5, seed=7)
        changed = layer({"images": make_images(), "labels": make_labels()})
        assert to_numpy(changed["images"]).shape == make_images().shape
        assert kt.augment.RandomGrayscale.from_config(layer.get_config()).seed == 7

    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    def test_images_of_one_channel_stay_as_they_are(self, dtype):
        images = make_images(dtype, channels=1)
        np.testing.assert_array_equal(to_numpy(self.make(rate=1.0)(images)), images)
