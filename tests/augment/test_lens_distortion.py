import numpy as np
import pytest
from scipy import ndimage, stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestLensDistortion(AugmentationContract):
    cls = kt.augment.LensDistortion
    arguments = {"k1": (-0.2, 0.6), "k2": (-0.05, 0.3)}
    box_arguments = {"k1": (-0.2, 0.5), "k2": 0.0}
    box_tolerance = 1.3
    bad_arguments = [
        ({"k1": -0.5}, "`k1`.*Received: k1=-0.5"),
        ({"k1": (0.2, -0.2)}, "`k1`"),
        ({"k1": -0.3, "k2": -0.1}, "`k2` must be above .* with k1=-0.3. Received: k2=-0.1"),
    ]

    @pytest.mark.parametrize(("k1", "k2"), [(0.4, 0.0), (-0.2, 0.1), (0.1, 0.5)])
    def test_it_is_scipys_image_at_the_places_of_the_formula(self, k1, k2):
        images = photographs()
        y, x = np.mgrid[0:96, 0:128].astype("float64")
        y, x = y - 47.5, x - 63.5
        square = (x * x + y * y) / (64**2 + 48**2)
        factor = 1 + k1 * square + k2 * square**2
        places = [y * factor + 47.5, x * factor + 63.5]
        bent = to_numpy(kt.augment.LensDistortion(k1, k2, fill="edge")(images))
        for image, result in zip(images, bent, strict=True):
            for channel in range(3):
                expected = ndimage.map_coordinates(
                    image[..., channel].astype("float32"), places, order=1, mode="nearest"
                )
                np.testing.assert_allclose(result[..., channel], expected, atol=0.05)

    def test_the_coefficients_are_uniform(self):
        params = kt.augment.LensDistortion((-0.1, 0.4), (0.0, 0.2)).sample(
            (100_000, 8, 8, 3), random.key((1, 0), (1, 2))
        )
        for name, low, width in (("k1", -0.1, 0.5), ("k2", 0.0, 0.2)):
            assert stats.kstest(to_numpy(params[name]), stats.uniform(low, width).cdf).statistic < 0.006
