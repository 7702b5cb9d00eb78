import numpy as np
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from keras_tricks.augment._operations import NAMES
from tests.augment.photographs import photographs
from tests.augment.policies import PolicyContract, assert_one_slot_is_pillows
from tests.running import to_numpy


class TestTrivialAugment(PolicyContract):
    cls = kt.augment.TrivialAugment
    arguments = {}
    box_arguments = {"rate": 0.5}
    box_tolerance = 2.0
    bad_arguments = [
        ({"fill": "mirror"}, "`fill`.*Received: fill='mirror'"),
        ({"fill": -20}, r"`fill` must be in value_range=\(0.0, 255.0\).*Received: fill=-20"),
        ({"fill": 2, "value_range": (0, 1)}, "`fill`.*Received: fill=2"),
    ]

    def test_each_of_the_fourteen_operations_is_pillows(self):
        layer = kt.augment.TrivialAugment(seed=3)
        images = np.repeat(photographs(), 50, axis=0)
        params = layer.sample(images.shape, layer.stream_key(0))
        assert len(assert_one_slot_is_pillows(layer, images, params)) == 14

    def test_operations_and_strengths_are_equally_likely(self):
        params = kt.augment.TrivialAugment().sample((200_000, 64, 128, 3), random.key((2, 0), (1, 2)))
        [operation], [amount] = ([to_numpy(part) for part in params[name]] for name in ("operations", "amounts"))
        counts = np.bincount(operation, minlength=len(NAMES))
        assert {NAMES[number] for number in np.flatnonzero(counts)} == set(NAMES) - {"SolarizeAdd", "Invert"}
        assert stats.chisquare(counts[counts > 0]).pvalue > 1e-3
        ends = {"Rotate": 135, "ShearX": 0.99, "TranslateX": 32 / 128, "TranslateY": 32 / 64, "Brightness": 0.99}
        for name, end in ends.items():
            values = amount[operation == NAMES.index(name)].astype("float64") - (name == "Brightness")
            assert stats.binomtest(int((values > 0).sum()), int((values != 0).sum())).pvalue > 1e-3
            strengths = np.abs(values) / end * 30
            np.testing.assert_allclose(strengths, np.round(strengths), atol=1e-3)
            assert stats.chisquare(np.bincount(np.round(strengths).astype(int), minlength=31)).pvalue > 1e-3
        assert set(amount[operation == NAMES.index("Posterize")]) == {2, 3, 4, 5, 6, 7, 8}
        thresholds = amount[operation == NAMES.index("Solarize")]
        np.testing.assert_allclose(np.unique(thresholds), np.linspace(0, 255, 31), atol=1e-3)
