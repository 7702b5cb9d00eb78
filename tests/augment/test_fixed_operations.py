import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks import random
from tests.running import in_pipeline, to_numpy

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 24, 20, 3)).astype("uint8")
FIXED = [
    kt.augment.AutoContrast,
    kt.augment.Equalize,
    kt.augment.Invert,
    lambda **kwargs: kt.augment.GaussianBlur(0.7, **kwargs),
    lambda **kwargs: kt.augment.Posterize(3, **kwargs),
    lambda **kwargs: kt.augment.RandomGrayscale(**{"rate": 1.0} | kwargs),
    lambda **kwargs: kt.augment.Sharpness(1.5, **kwargs),
    lambda **kwargs: kt.augment.Solarize(100, **kwargs),
]
RANGES = [
    lambda: kt.augment.GaussianBlur((0.1, 2.0)),
    lambda: kt.augment.Posterize((1, 8)),
    lambda: kt.augment.Sharpness((0.0, 2.0)),
    lambda: kt.augment.Solarize((0, 256)),
]


def calls(layer):
    """How many calls the layer's stream has counted."""
    return int(to_numpy(layer.stream.state)[1])


@pytest.mark.parametrize("make", FIXED)
class TestFixed:
    def test_no_call_is_counted_and_all_images_are_changed_alike(self, make):
        layer = make(seed=1)
        same = np.repeat(IMAGES[:1], len(IMAGES), axis=0)
        changed = to_numpy(layer(same))
        assert not layer.draws
        assert calls(layer) == 0
        np.testing.assert_array_equal(changed, np.repeat(changed[:1], len(IMAGES), axis=0))
        assert (changed != same).any()
        np.testing.assert_array_equal(to_numpy(layer(same)), changed)

    def test_at_inference_it_does_nothing(self, make):
        np.testing.assert_array_equal(to_numpy(make()(IMAGES, training=False)), IMAGES)

    def test_in_a_pipeline_it_is_the_same(self, make):
        pytest.importorskip("tensorflow")
        np.testing.assert_allclose(to_numpy(make()(IMAGES)), in_pipeline(make(), IMAGES), atol=1e-3)

    def test_where_the_rate_leaves_images_out_calls_are_counted(self, make):
        layer = make(rate=0.5, seed=1)
        first, second = (to_numpy(layer(IMAGES)) for _ in range(2))
        assert layer.draws
        assert calls(layer) == 2
        assert (first != second).any()


@pytest.mark.parametrize("make", RANGES)
def test_a_range_is_drawn_from_at_each_call(make):
    layer = make()
    first, second = (to_numpy(layer(IMAGES)) for _ in range(2))
    assert layer.draws
    assert calls(layer) == 2
    assert (first != second).any()


def test_a_trick_of_somebody_elses_on_top_of_ours_gets_a_key():
    class Noisy(kt.augment.Solarize):
        def sample(self, shape, seed):
            return {"threshold": 256 * random.uniform(seed, (shape[0], 1, 1, 1))}

    layer = Noisy(seed=1)
    first, second = (to_numpy(layer(IMAGES)) for _ in range(2))
    assert layer.draws
    assert calls(layer) == 2
    assert (first != second).any()


def test_in_a_sequence_what_comes_after_a_fixed_operation_draws_as_it_does_after_another():
    def flipped(rate):
        layers = [kt.augment.Solarize(100, rate=rate), kt.augment.RandomFlip()]
        return to_numpy(kt.augment.Sequence(layers, seed=3)(IMAGES))

    np.testing.assert_array_equal(flipped(rate=1.0), to_numpy(kt.augment.Solarize(100)(flipped(rate=0.0))))
