import numpy as np
from PIL import Image, ImageOps

import keras_tricks as kt
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestInvert(AugmentationContract):
    cls = kt.augment.Invert
    arguments = {"rate": 0.5}
    outcomes = 2
    bad_arguments = [({"rate": -0.1}, "`rate`.*Received: rate=-0.1")]

    def test_it_is_pillows(self):
        expected = [np.asarray(ImageOps.invert(Image.fromarray(image))) for image in photographs()]
        np.testing.assert_array_equal(to_numpy(kt.augment.Invert()(photographs())), expected)

    def test_floats_are_inverted_in_their_own_range(self):
        images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype("float32") / 255
        inverted = kt.augment.Invert(value_range=(0, 1))(images)
        np.testing.assert_allclose(to_numpy(inverted), 1 - images, atol=1e-6)
