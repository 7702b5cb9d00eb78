import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestSolarizeAdd(AugmentationContract):
    cls = kt.augment.SolarizeAdd
    arguments = {"add": (10, 110), "threshold": (100, 256)}
    bad_arguments = [
        ({"add": 256}, r"`add` must be in \[-255, 255\]. Received: add=256"),
        ({"threshold": -1}, r"`threshold` must be in \[0, 256\]. Received: threshold=-1"),
    ]

    @pytest.mark.parametrize(("add", "threshold"), [(60, 128), (200, 200), (-30, 256), (110, 0)])
    def test_numbers_are_fixed_and_a_table_says_what_becomes_of_each_level(self, add, threshold):
        table = np.array([min(max(i + add, 0), 255) if i < threshold else i for i in range(256)])
        changed = kt.augment.SolarizeAdd(add, threshold)(photographs())
        np.testing.assert_array_equal(to_numpy(changed), table[photographs()])

    def test_a_pair_is_a_range_of_whole_levels_drawn_per_image(self):
        layer = kt.augment.SolarizeAdd((0, 110), (100, 200))
        params = layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))
        shares = np.bincount(to_numpy(params["add"]).astype(int).ravel(), minlength=111) / 100_000
        expected = np.full(111, 1 / 110)
        expected[[0, -1]] /= 2  # half a level rounds to each end
        np.testing.assert_allclose(shares, expected, atol=5 * np.sqrt(1 / 110 / 100_000))
        assert abs(to_numpy(params["threshold"]).mean() - 150) < 4 * 100 / np.sqrt(12 * 100_000)

    def test_the_default_threshold_is_the_middle(self):
        assert kt.augment.SolarizeAdd(20).threshold == 128
