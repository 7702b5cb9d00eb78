"""What a policy does to an image is what the single member of that name does."""

import numpy as np
import pytest
from keras import ops

import keras_tricks as kt
from keras_tricks.augment import _operations
from tests.augment.photographs import photographs
from tests.running import compiled, to_numpy

a = kt.augment
CASES = {
    "AutoContrast": (0.0, a.AutoContrast(), 1),
    "Brightness": (1.4, a.ColorJitter(brightness=(1.4, 1.4)), 1),
    "Color": (0.3, a.ColorJitter(saturation=(0.3, 0.3)), 1),
    "Contrast": (1.7, a.ColorJitter(contrast=(1.7, 1.7)), 1),
    "Equalize": (0.0, a.Equalize(), 0),
    "Invert": (0.0, a.Invert(), 0),
    "Posterize": (3.0, a.Posterize(3), 0),
    "Sharpness": (1.9, a.Sharpness(1.9), 1),
    "Solarize": (100.0, a.Solarize(100), 0),
    "SolarizeAdd": (60.0, a.SolarizeAdd(60), 0),
}


def test_every_operation_of_colour_is_here():
    assert sorted(CASES) == sorted(set(_operations.NAMES) - {"Identity", *_operations.AFFINE})


@pytest.mark.parametrize("name", CASES)
def test_the_single_member_gives_the_same_levels(name):
    amount, member, tolerance = CASES[name]
    images = photographs()
    operation = ops.full((len(images),), _operations.NUMBERS[name], "int32")

    def changed(levels):
        return _operations.change_colors(levels, operation, ops.full((len(images),), amount), {name: 1.0})

    by_policy = to_numpy(compiled(changed, images)).astype("float64")
    alone = to_numpy(member(images)).astype("float64")
    assert np.abs(by_policy - images).mean() > 2
    np.testing.assert_allclose(by_policy, alone, rtol=0, atol=tolerance)
