import numpy as np
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestRandomBrightnessContrast(AugmentationContract):
    cls = kt.augment.RandomBrightnessContrast
    arguments = {"brightness": 0.3, "contrast": 0.5}
    bad_arguments = [
        ({"brightness": 1.2}, r"`brightness` must be in \[0, 1\]. Received: brightness=1.2"),
        ({"brightness": (-1.5, 0)}, r"`brightness` must be in \[-1, 1\]"),
        ({"brightness": -0.1}, "`brightness`"),
        ({"contrast": -0.1}, "`contrast`"),
        ({"contrast": 1.5}, r"`contrast` must be in \[0, 1\]"),
        ({"contrast": (1.5, 0.5)}, "`contrast`.*low not above high"),
    ]

    def test_it_is_the_formula(self):
        layer = self.make()
        params = layer.sample((2, 96, 128, 3), random.key((3, 0), (1, 2)))
        factor, shift = (to_numpy(params[name]).astype("float64") for name in ("factor", "shift"))
        changed = to_numpy(layer.transform_images(photographs(), params))
        expected = np.clip(127.5 + factor * (photographs() - 127.5) + shift, 0, 255)
        np.testing.assert_allclose(changed, expected, atol=1e-3)

    def test_contrast_and_brightness_change_both_ways_uniformly(self):
        layer = kt.augment.RandomBrightnessContrast(0.2, 0.3)
        params = layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))
        factor, shift = (to_numpy(params[name]).ravel() for name in ("factor", "shift"))
        assert stats.kstest(factor, stats.uniform(0.7, 0.6).cdf).pvalue > 1e-3
        assert stats.kstest(shift / 255, stats.uniform(-0.2, 0.4).cdf).pvalue > 1e-3
        assert abs(np.corrcoef(factor, shift)[0, 1]) < 4 / np.sqrt(100_000)

    def test_pairs_are_the_ranges_themselves(self):
        layer = kt.augment.RandomBrightnessContrast((-0.1, 0.4), (0.5, 2.5))
        params = layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))
        factor, shift = (to_numpy(params[name]).ravel() for name in ("factor", "shift"))
        assert stats.kstest(factor, stats.uniform(0.5, 2.0).cdf).pvalue > 1e-3
        assert stats.kstest(shift / 255, stats.uniform(-0.1, 0.5).cdf).pvalue > 1e-3

    def test_uint8_does_not_wrap_around(self):
        images = np.full((64, 4, 4, 3), 200, "uint8")
        changed = to_numpy(kt.augment.RandomBrightnessContrast(1.0, 0.0, seed=1)(images))
        assert changed.min() == 0
        assert changed.max() == 255
        assert (changed[changed.mean((1, 2, 3)) > 200] >= 200).all()

    def test_the_middle_of_the_range_stays_under_contrast(self):
        changed = kt.augment.RandomBrightnessContrast(0.0, 1.0, seed=1)(np.full((8, 4, 4, 1), 127.5, "float32"))
        np.testing.assert_allclose(to_numpy(changed), 127.5, atol=1e-4)

    def test_without_strength_it_is_the_identity(self):
        changed = kt.augment.RandomBrightnessContrast(0.0, 0.0)(make_images())
        np.testing.assert_allclose(to_numpy(changed), make_images(), atol=1e-4)
