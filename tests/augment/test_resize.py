import numpy as np
import pytest

import keras_tricks as kt
from tests.augment.photographs import photographs, pillow_resize
from tests.contracts.deterministic import DeterministicContract
from tests.running import to_numpy


class TestResize(DeterministicContract):
    cls = kt.augment.Resize
    arguments = {"short_side": 7}
    box_arguments = {"short_side": 60}
    box_tolerance = 1.01
    bad_arguments = [({"short_side": 0}, "`short_side`.*Received: short_side=0")]

    def test_images_of_that_size_stay_as_they_are(self):
        images = photographs(20, 30).astype("float32")
        np.testing.assert_array_equal(to_numpy(kt.augment.Resize(20)(images)), images)

    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("short_side", [33, 150])
    def test_it_is_pillows_with_the_short_side_exact_and_the_other_rounded(self, short_side, interpolation):
        images = photographs(70, 101)
        size = (short_side, round(short_side * 101 / 70))
        resized = to_numpy(kt.augment.Resize(short_side, interpolation)(images))
        expected = [pillow_resize(image, size, interpolation) for image in images]
        np.testing.assert_allclose(resized, np.stack(expected), atol=0.02)
