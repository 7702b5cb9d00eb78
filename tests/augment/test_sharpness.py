import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestSharpness(AugmentationContract):
    cls = kt.augment.Sharpness
    arguments = {"factor": (1.2, 3.0)}
    bad_arguments = [({"factor": -0.5}, r"`factor` must be in \[0, inf\]. Received: factor=-0.5")]

    @pytest.mark.parametrize("factor", [0.0, 0.5, 1.8])
    def test_a_number_is_fixed_and_the_result_is_pillows(self, factor):
        expected = [np.asarray(ImageEnhance.Sharpness(Image.fromarray(i)).enhance(factor)) for i in photographs()]
        changed = to_numpy(kt.augment.Sharpness(factor)(photographs()))
        assert np.abs(np.round(changed) - expected).max() <= 1

    def test_a_factor_of_1_leaves_the_image(self):
        np.testing.assert_array_equal(to_numpy(kt.augment.Sharpness(1)(photographs())), photographs())

    def test_a_pair_is_a_range_drawn_uniformly_per_image(self):
        layer = kt.augment.Sharpness((0.5, 1.5))
        draws = to_numpy(layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))["factor"]).ravel()
        assert stats.kstest(draws, stats.uniform(0.5, 1).cdf).pvalue > 1e-3
