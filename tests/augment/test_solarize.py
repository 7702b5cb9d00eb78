import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestSolarize(AugmentationContract):
    cls = kt.augment.Solarize
    arguments = {"threshold": (0, 256)}
    bad_arguments = [
        ({"threshold": -1}, r"`threshold` must be in \[0, 256\]. Received: threshold=-1"),
        ({"threshold": (0, 257)}, "`threshold`"),
        ({"threshold": (200, 100)}, "`threshold`.*low not above high"),
    ]

    @pytest.mark.parametrize("threshold", [0, 77, 128, 256])
    def test_a_number_is_fixed_and_the_result_is_pillows(self, threshold):
        expected = [np.asarray(ImageOps.solarize(Image.fromarray(image), threshold)) for image in photographs()]
        np.testing.assert_array_equal(to_numpy(kt.augment.Solarize(threshold)(photographs())), expected)

    def test_the_threshold_is_in_levels_whatever_the_range_of_the_values(self):
        images = photographs()
        changed = to_numpy(kt.augment.Solarize(77, value_range=(-1, 1))((images / 127.5 - 1).astype("float32")))
        np.testing.assert_allclose((changed + 1) * 127.5, to_numpy(kt.augment.Solarize(77)(images)), atol=1e-3)

    def test_a_pair_is_a_range_drawn_uniformly_per_image(self):
        layer = kt.augment.Solarize((100, 200))
        draws = to_numpy(layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))["threshold"]).ravel()
        assert stats.kstest(draws, stats.uniform(100, 100).cdf).pvalue > 1e-3
