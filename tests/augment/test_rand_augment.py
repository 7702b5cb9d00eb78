import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from keras_tricks.augment._operations import NAMES
from keras_tricks.augment._subset import room
from tests.augment.photographs import photographs
from tests.augment.policies import PolicyContract, assert_one_slot_is_pillows, assert_slots_follow_one_another
from tests.running import first_call, to_numpy


def draw(layer, count=100_000):
    params = layer.sample((count, 30, 40, 3), random.key((2, 0), (1, 2)))
    return (np.stack([to_numpy(part) for part in params[name]], -1) for name in ("operations", "amounts"))


class TestRandAugment(PolicyContract):
    cls = kt.augment.RandAugment
    arguments = {"operations": 1, "operation_rate": 1.0}
    box_arguments = {"magnitude": 3}
    box_tolerance = 1.6
    bad_arguments = [
        ({"operations": 0}, "`operations`.*Received: operations=0"),
        ({"magnitude": 11}, r"`magnitude` must be in \[0, magnitude_max=10\]. Received: magnitude=11"),
        ({"magnitude": -1}, "`magnitude`"),
        ({"magnitude_std": -0.5}, "`magnitude_std`.*Received: magnitude_std=-0.5"),
        ({"operation_rate": 1.5}, "`operation_rate`"),
        ({"fill": "mirror"}, "`fill`.*Received: fill='mirror'"),
    ]

    @pytest.mark.parametrize("increasing", [True, False])
    def test_each_of_the_fifteen_operations_is_pillows(self, increasing):
        layer = kt.augment.RandAugment(1, 7, operation_rate=1.0, increasing=increasing, seed=3)
        images = np.repeat(photographs(), 60, axis=0)
        params = layer.sample(images.shape, layer.stream_key(0))
        assert len(assert_one_slot_is_pillows(layer, images, params)) == 15

    @pytest.mark.parametrize("operations", [2, 3])
    def test_operations_follow_one_another(self, operations):
        single = kt.augment.RandAugment(1, 7, operation_rate=1.0)
        layer = kt.augment.RandAugment(operations, 7, operation_rate=1.0, seed=3)
        images = np.repeat(photographs(), 30, axis=0)
        assert_slots_follow_one_another(layer, single, images, layer.sample(images.shape, layer.stream_key(0)))

    def test_fifteen_operations_are_equally_likely_in_each_slot_and_half_of_all_are_skipped(self):
        operations, _ = draw(kt.augment.RandAugment())
        for slot in operations.T:
            counts = np.bincount(slot, minlength=len(NAMES))
            assert stats.binomtest(int(counts[0]), len(slot), 0.5).pvalue > 1e-3
            assert stats.chisquare(counts[1:]).pvalue > 1e-3
        assert stats.chi2_contingency(np.histogram2d(*operations.T, bins=16)[0]).pvalue > 1e-3

    def test_the_strength_is_normal_about_the_magnitude_and_signs_are_even(self):
        operations, amounts = draw(kt.augment.RandAugment(1, 6, operation_rate=1.0))
        rotation = amounts[operations == NAMES.index("Rotate")]
        assert stats.binomtest(int((rotation > 0).sum()), len(rotation)).pvalue > 1e-3
        assert stats.kstest(np.abs(rotation) / 3, stats.norm(6, 0.5).cdf).pvalue > 1e-3

    def test_a_large_deviation_makes_the_strength_uniform(self):
        operations, amounts = draw(kt.augment.RandAugment(1, 8, magnitude_std=100, operation_rate=1.0))
        shear = np.abs(amounts[operations == NAMES.index("ShearX")])
        assert stats.kstest(shear, stats.uniform(0, 0.24).cdf).pvalue > 1e-3

    @pytest.mark.parametrize(
        ("magnitude", "increasing", "expected"),
        [
            (
                10,
                True,
                {"Posterize": {0}, "Solarize": {0}, "SolarizeAdd": {110}, "Color": {0.1, 1.9}, "Rotate": {-30, 30}},
            ),
            (5, True, {"Posterize": {2}, "Solarize": {128}, "SolarizeAdd": {55}, "Contrast": {0.55, 1.45}}),
            (0, True, {"Posterize": {4}, "Solarize": {256}, "SolarizeAdd": {0}, "Sharpness": {1}, "ShearX": {0}}),
            (10, False, {"Posterize": {4}, "Solarize": {256}, "Brightness": {1.9}, "TranslateX": {-0.45, 0.45}}),
            (9, False, {"Posterize": {3}, "Solarize": {230}, "SolarizeAdd": {99}}),
            (0, False, {"Posterize": {0}, "Solarize": {0}, "Brightness": {0.1}}),
        ],
    )
    def test_the_amounts_are_those_of_the_recipes(self, magnitude, increasing, expected):
        layer = kt.augment.RandAugment(1, magnitude, magnitude_std=0, operation_rate=1.0, increasing=increasing)
        operations, amounts = draw(layer, 2000)
        for name, values in expected.items():
            found = np.unique(np.round(amounts[operations == NAMES.index(name)].astype("float64"), 5))
            np.testing.assert_allclose(found, sorted(values), atol=1e-5)

    def test_the_papers_scale_of_thirty_is_another_maximum(self):
        layer = kt.augment.RandAugment(2, 9, magnitude_max=30)
        assert layer.strength == 0.3
        assert kt.augment.RandAugment(2, 9).strength == 0.9

    def test_a_recipes_string_is_understood(self):
        layer = kt.augment.RandAugment.from_string("rand-m7-n3-mstd0.25-inc1-p0.75", seed=4)
        found = (
            layer.magnitude,
            layer.operations,
            layer.magnitude_std,
            layer.increasing,
            layer.operation_rate,
            layer.seed,
        )
        assert found == (7.0, 3, 0.25, True, 0.75, 4)
        bare = kt.augment.RandAugment.from_string("rand")
        assert (bare.magnitude, bare.operations, bare.magnitude_std, bare.increasing) == (10.0, 2, 0.0, False)
        assert not kt.augment.RandAugment.from_string("rand-inc0").increasing

    def test_boxes_whose_pixels_left_between_two_operations_are_none(self):
        masks = np.zeros((2000, 32, 32, 1), "uint8")
        masks[:, 10:22, 2:10] = 1
        boxes = {"boxes": np.full((2000, 1, 4), [2, 10, 10, 22], "float32"), "labels": np.zeros((2000, 1), "int32")}
        batch = {"images": np.zeros((2000, 32, 32, 3), "uint8"), "segmentation_masks": masks, "bounding_boxes": boxes}
        layer = kt.augment.RandAugment(4, 10, operation_rate=1, fill="black", min_visible=0.5, seed=1)
        changed = layer(batch)
        kept = to_numpy(changed["bounding_boxes"]["labels"])[:, 0] >= 0
        shown = to_numpy(changed["segmentation_masks"]).sum((1, 2, 3))
        assert 0.7 < kept.mean() < 0.95
        assert shown[kept].min() > 0

    @pytest.mark.parametrize("text", ["augmix-m3", "rand-m9-x3", "rand-m", "rand_m9", 9, "rand-mstdm", "rand-m9-m5"])
    def test_a_string_that_is_none_is_refused_with_what_arrived(self, text):
        with pytest.raises(ValueError, match=r"`text`.*Received: text="):
            kt.augment.RandAugment.from_string(text)

    def test_there_is_room_for_all_but_one_batch_in_a_thousand_million(self):
        for count, chance in ((128, 0.1), (64, 1 / 30), (1000, 0.3), (8, 0.5)):
            enough = room(count, chance) or count
            assert stats.binom.sf(enough, count, chance) < 1e-9
            assert enough == count or stats.binom.sf(enough - 1, count, chance) >= 1e-9 * (1 - 1e-6)

    def test_floats_are_rounded_to_levels_and_stay_floats(self):
        images = photographs().astype("float32") / 255
        layer = kt.augment.RandAugment(operation_rate=1.0, value_range=(0, 1), seed=1)
        levels = to_numpy(first_call(layer, images)) * 255
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
        exact = to_numpy(first_call(kt.augment.RandAugment(operation_rate=1.0, seed=1), photographs()))
        np.testing.assert_allclose(levels, exact, atol=1e-3)
