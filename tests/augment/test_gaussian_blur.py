import numpy as np
import pytest
from scipy import ndimage, stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestGaussianBlur(AugmentationContract):
    cls = kt.augment.GaussianBlur
    arguments = {"sigma": (0.5, 2.0)}
    bad_arguments = [
        ({"sigma": 0}, "`sigma` must be above 0. Received: sigma=0"),
        ({"sigma": (0, 1)}, "`sigma` must be above 0"),
        ({"kernel_size": 4}, "`kernel_size` must be odd. Received: kernel_size=4"),
        ({"kernel_size": 0}, "`kernel_size`"),
    ]

    @pytest.mark.parametrize(("sigma", "radius"), [(0.3, 1), (1.0, 3), (2.5, 8)])
    def test_a_number_is_fixed_and_the_result_is_scipys(self, sigma, radius):
        levels = photographs().astype("float64")
        expected = ndimage.gaussian_filter(levels, (0, sigma, sigma, 0), radius=radius, mode="mirror")
        np.testing.assert_allclose(to_numpy(kt.augment.GaussianBlur(sigma)(photographs())), expected, atol=0.01)

    def test_the_kernel_may_be_given(self):
        levels = photographs().astype("float64")
        expected = ndimage.gaussian_filter(levels, (0, 2, 2, 0), radius=2, mode="mirror")
        changed = kt.augment.GaussianBlur(2, kernel_size=5)(photographs())
        np.testing.assert_allclose(to_numpy(changed), expected, atol=0.01)

    def test_an_image_smaller_than_the_kernel_stays_between_its_levels(self):
        images = make_images()[:, :2, :1]
        changed = to_numpy(kt.augment.GaussianBlur(3.0)(images))
        assert (changed >= images.min((1, 2), keepdims=True) - 1e-3).all()
        assert (changed <= images.max((1, 2), keepdims=True) + 1e-3).all()

    def test_a_pair_is_a_range_drawn_uniformly_per_image(self):
        layer = kt.augment.GaussianBlur((0.1, 2.0))
        draws = to_numpy(layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))["sigma"]).ravel()
        assert stats.kstest(draws, stats.uniform(0.1, 1.9).cdf).pvalue > 1e-3
