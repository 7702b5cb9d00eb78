import numpy as np
import pytest
from PIL import Image, ImageOps

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestPosterize(AugmentationContract):
    cls = kt.augment.Posterize
    arguments = {"bits": (1, 6)}
    bad_arguments = [
        ({"bits": 0}, r"`bits` must be in \[1, 8\]. Received: bits=0"),
        ({"bits": 9}, "`bits`"),
        ({"bits": 4.5}, "`bits` must be an integer.*Received: bits=4.5"),
        ({"bits": (4, 2)}, "`bits`.*low not above high"),
        ({"bits": (1, 2, 3)}, "`bits`"),
    ]

    def test_floats_go_to_the_nearest_level_first(self):
        images = np.tile(np.float32([127.4995, 127.5005, 0.4995, 300, -4]).reshape(1, 1, 5, 1), (2, 1, 1, 1))
        for bits, expected in ((1, [0, 128, 0, 128, 0]), (8, [127, 128, 0, 255, 0])):
            np.testing.assert_array_equal(to_numpy(kt.augment.Posterize(bits)(images))[0, 0, :, 0], expected)

    @pytest.mark.parametrize("bits", [1, 2, 4, 7, 8])
    def test_a_number_is_fixed_and_the_result_is_pillows(self, bits):
        expected = [np.asarray(ImageOps.posterize(Image.fromarray(image), bits)) for image in photographs()]
        np.testing.assert_array_equal(to_numpy(kt.augment.Posterize(bits)(photographs())), expected)

    def test_a_pair_is_a_range_with_both_ends(self):
        layer = kt.augment.Posterize((2, 5))
        bits = to_numpy(layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))["bits"]).ravel()
        shares = np.bincount(bits, minlength=9) / len(bits)
        np.testing.assert_allclose(shares, [0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0], atol=4 * 0.44 / np.sqrt(len(bits)))
