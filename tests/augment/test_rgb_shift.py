import numpy as np
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestRGBShift(AugmentationContract):
    cls = kt.augment.RGBShift
    arguments = {"red": (-40, 40), "green": (0, 30), "blue": -25}
    bad_arguments = [
        ({"red": 300}, r"`red` must be in \[-255, 255\]. Received: red=300"),
        ({"green": "much"}, "`green`"),
        ({"blue": (20, -20)}, "`blue`.*low not above high"),
    ]
    channels = (3,)

    def test_a_number_is_added_to_its_channel_and_the_result_clipped(self):
        expected = np.clip(photographs() + np.array([30, -200, 0]), 0, 255)
        np.testing.assert_array_equal(to_numpy(kt.augment.RGBShift(30, -200, 0)(photographs())), expected)

    def test_the_shift_is_in_levels_whatever_the_range_of_the_values(self):
        images = np.full((1, 2, 2, 3), 0.5, "float32")
        changed = to_numpy(kt.augment.RGBShift(51, 0, -51, value_range=(0, 1))(images))
        np.testing.assert_allclose(changed[0, 0, 0], [0.7, 0.5, 0.3], atol=1e-6)

    def test_each_channel_has_a_range_of_its_own_drawn_by_itself(self):
        layer = kt.augment.RGBShift((-20, 20), (0, 10), (-5, 0))
        draws = to_numpy(layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))["shift"]).reshape(-1, 3)
        for channel, (low, high) in enumerate(((-20, 20), (0, 10), (-5, 0))):
            assert stats.kstest(draws[:, channel], stats.uniform(low, high - low).cdf).pvalue > 1e-3
        assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 4 / np.sqrt(100_000)
