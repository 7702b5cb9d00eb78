import hashlib

import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from keras_tricks.augment._operations import NAMES
from keras_tricks.augment.auto_augment import read
from tests.augment.photographs import photographs
from tests.augment.policies import PolicyContract, assert_slots_follow_one_another
from tests.running import first_call, to_numpy

# What each operation may be given at a strength s of 0 to 1.
AMOUNTS = {
    "Rotate": lambda s: {-30 * s, 30 * s},
    **dict.fromkeys(("ShearX", "ShearY"), lambda s: {-0.3 * s, 0.3 * s}),
    **dict.fromkeys(("TranslateX", "TranslateY"), lambda s: {-150 / 331 * s, 150 / 331 * s}),
    **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), lambda s: {1 - 0.9 * s, 1 + 0.9 * s}),
    "Posterize": lambda s: {8 - round(4 * s)},
    "Solarize": lambda s: {255 * (1 - s)},
}


class TestAutoAugment(PolicyContract):
    cls = kt.augment.AutoAugment
    arguments = {"policy": "svhn"}
    box_arguments = {"rate": 0.7}
    box_tolerance = 1.6
    bad_arguments = [
        ({"policy": "mnist"}, "`policy` must be one of 'imagenet', 'cifar10', 'svhn'. Received: .*'mnist'")
    ]

    def test_the_rate_is_the_share_of_images_touched(self):
        """Here of those that a recipe, drawn anew, would touch."""
        images = np.repeat(photographs(16, 16), 128, axis=0)
        touched = [
            (to_numpy(first_call(self.make(rate=rate), images)) != images).any((1, 2, 3)).mean() for rate in (1.0, 0.3)
        ]
        assert abs(touched[1] - 0.3 * touched[0]) < 4 * np.sqrt(0.3 * 0.7 / len(images))

    @pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn"])
    def test_there_are_25_recipes_of_two_known_operations(self, policy):
        recipes = read(policy)
        assert len(recipes) == 25
        for recipe in recipes:
            assert len(recipe) == 2
            for name, rate, strength in recipe:
                assert name in NAMES
                assert 0 <= rate <= 1
                assert 0 <= strength <= 9

    @pytest.mark.parametrize(
        ("policy", "fingerprint"),
        [("imagenet", "31ed38cbc3cfb60f"), ("cifar10", "bd3bff7c04afd033"), ("svhn", "2d5a07ad5b50cdd5")],
    )
    def test_the_tables_are_torchvisions(self, policy, fingerprint):
        """The fingerprints are of the lists in torchvision 0.28, written in this form."""
        text = ";".join(
            ",".join(f"{name} {rate:.1f} {strength}" for name, rate, strength in recipe) for recipe in read(policy)
        )
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == fingerprint

    def test_the_papers_first_recipes_are_there(self):
        assert read("imagenet")[0] == (("Posterize", 0.4, 8), ("Rotate", 0.6, 9))
        assert read("cifar10")[1] == (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9))
        assert read("svhn")[24] == (("ShearX", 0.7, 2), ("Invert", 0.1, 0))

    @pytest.mark.parametrize("policy", ["imagenet", "cifar10", "svhn"])
    def test_operations_are_as_frequent_as_the_recipes_say_and_have_their_strength(self, policy):
        layer = kt.augment.AutoAugment(policy)
        params = layer.sample((100_000, 30, 40, 3), random.key((2, 0), (1, 2)))
        for slot in range(2):
            operation, amount = (to_numpy(params[name][slot]) for name in ("operations", "amounts"))
            expected, wanted = np.zeros(len(NAMES)), {}
            for recipe in read(policy):
                name, rate, strength = recipe[slot]
                expected[NAMES.index(name)] += rate / 25
                if rate > 0:
                    wanted.setdefault(name, set()).update(AMOUNTS[name](strength / 9) if name in AMOUNTS else {0})
            for name, amounts in wanted.items():
                found = np.unique(np.round(amount[operation == NAMES.index(name)].astype("float64"), 4))
                np.testing.assert_allclose(found, sorted({round(value, 4) for value in amounts}), atol=1e-4)
            expected[0] = 1 - expected.sum()
            assert sum(layer.chances()[slot].values()) == pytest.approx(1 - expected[0])
            there = expected > 0
            counts = np.bincount(operation, minlength=len(NAMES))
            assert counts[~there].sum() == 0
            assert stats.chisquare(counts[there], expected[there] * len(operation)).pvalue > 1e-3

    def test_operations_follow_one_another(self):
        images = np.repeat(photographs(), 60, axis=0)
        layer = kt.augment.AutoAugment("svhn", seed=2)
        single = kt.augment.RandAugment(1, operation_rate=1.0)
        assert_slots_follow_one_another(layer, single, images, layer.sample(images.shape, layer.stream_key(0)))
