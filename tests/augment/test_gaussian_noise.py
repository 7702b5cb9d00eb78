import numpy as np
from scipy import stats

import keras_tricks as kt
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestGaussianNoise(AugmentationContract):
    cls = kt.augment.GaussianNoise
    arguments = {"std": (5, 30)}
    bad_arguments = [({"std": -1}, r"`std` must be in \[0, inf\]. Received: std=-1")]

    def test_the_noise_is_normal_with_the_std_in_levels(self):
        images = np.full((10, 100, 100, 1), 127.5 / 255, "float32")
        noise = (to_numpy(kt.augment.GaussianNoise(10, value_range=(0, 1), seed=1)(images)) * 255 - 127.5) / 10
        assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3

    def test_each_level_has_noise_of_its_own(self):
        images = np.full((4, 50, 50, 3), 127, "uint8")
        noise = to_numpy(kt.augment.GaussianNoise(10, seed=1)(images)) - 127
        pairs = [(noise[:, 1:], noise[:, :-1]), (noise[..., 0], noise[..., 1]), (noise[0], noise[1])]
        for left, right in pairs:
            assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 4 / np.sqrt(left.size)

    def test_a_pair_is_a_range_drawn_uniformly_per_image(self):
        images = np.full((600, 12, 10, 3), 127, "uint8")
        spread = to_numpy(kt.augment.GaussianNoise((5, 25), seed=1)(images)).std((1, 2, 3))
        assert stats.kstest(spread, stats.uniform(5, 20).cdf).statistic < 1.95 / np.sqrt(600) + 0.02
