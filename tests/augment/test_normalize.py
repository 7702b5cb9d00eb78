import numpy as np
import pytest

import keras_tricks as kt
from tests.contracts.augmentation import make_images
from tests.contracts.deterministic import DeterministicContract
from tests.running import to_numpy

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class TestNormalize(DeterministicContract):
    cls = kt.augment.Normalize
    arguments = {"mean": 0.4, "std": 0.2}
    bad_arguments = [
        ({"std": 0}, "`std` must be above 0. Received: std=0"),
        ({"std": (1, 1, -1)}, "`std` must be above 0"),
        ({"mean": "imagenet"}, "`mean` must be a number, or one for each channel"),
        ({"rate": 0.5}, "`rate` must be 1.*Received: rate=0.5"),
    ]
    own_units = True

    def test_statistics_may_be_an_array(self):
        mean, std = np.array([0.1, 0.2, 0.3]), np.float64(0.5)
        layer = self.make(mean=mean, std=std)
        assert (layer.mean, layer.std) == ((0.1, 0.2, 0.3), 0.5)

    @pytest.mark.parametrize("training", [True, False])
    def test_it_is_the_formula_with_imagenets_numbers_by_default(self, training):
        changed = to_numpy(kt.augment.Normalize()(make_images(), training=training))
        np.testing.assert_allclose(changed, (make_images() / 255 - MEAN) / STD, atol=1e-5)

    @pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1)])
    def test_mean_and_std_are_of_pixels_from_0_to_1_whatever_the_range_of_the_values(self, low, high):
        images = (make_images() / 255 * (high - low) + low).astype("float32")
        changed = to_numpy(kt.augment.Normalize(value_range=(low, high))(images))
        np.testing.assert_allclose(changed, (make_images() / 255 - MEAN) / STD, atol=1e-5)

    def test_numbers_for_other_channels_are_refused_with_the_shape(self):
        with pytest.raises(ValueError, match=r"Received: mean=.*images of shape \(8, 12, 10, 4\)"):
            kt.augment.Normalize()(make_images(channels=4))

    def test_in_a_sequence_validation_images_are_normalised_too(self):
        chain = kt.augment.Sequence([kt.augment.RandomFlip(), kt.augment.Normalize()])
        changed = to_numpy(chain(make_images(), training=False))
        np.testing.assert_allclose(changed, (make_images() / 255 - MEAN) / STD, atol=1e-5)
