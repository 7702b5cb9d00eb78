import itertools

import keras
import numpy as np
import pytest
from matplotlib import colors
from PIL import Image, ImageEnhance
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import ops, random
from keras_tricks.augment import _hue
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy

STEPS = ("brightness", "contrast", "saturation", "hue")
GRAY = np.array([0.299, 0.587, 0.114])


def step_of(step, levels, strength):
    """One step of torchvision's jitter in float64, with the levels clipped after it."""
    gray = (levels @ GRAY)[..., None]
    if step == "hue":
        hsv = colors.rgb_to_hsv(levels / 255)
        hsv[..., 0] = (hsv[..., 0] + strength) % 1
        return colors.hsv_to_rgb(hsv) * 255
    other = {"brightness": 0.0, "contrast": gray.mean(), "saturation": gray}[step]
    return np.clip(other + strength * (levels - other), 0, 255)


def drawn(params):
    """Of each image its steps, as (name, strength), in the order drawn."""
    places = {step: to_numpy(place).ravel() for step, place in params["place"].items()}
    strengths = {step: to_numpy(params[step]).ravel() for step in places}
    for index in range(len(next(iter(places.values())))):
        order = sorted(places, key=lambda step: places[step][index])
        assert sorted(places[step][index] for step in places) == list(range(len(places)))
        yield [(step, float(strengths[step][index])) for step in order]


class TestColorJitter(AugmentationContract):
    cls = kt.augment.ColorJitter
    arguments = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
    bad_arguments = [
        ({"brightness": -0.4}, r"`brightness` must be in \[0, inf\]. Received: brightness=-0.4"),
        ({"contrast": (1.2, 0.8)}, "`contrast`.*low not above high"),
        ({"saturation": "some"}, "`saturation`"),
        ({"hue": 0.6}, r"`hue` must be in \[0, 0.5\]. Received: hue=0.6"),
        ({"hue": (-0.7, 0)}, "`hue`"),
        ({"hue_method": "yiq"}, "`hue_method` must be one of 'hsv', 'linear'"),
    ]
    channels = (1, 3)

    @pytest.mark.parametrize("strength", [0.4, 0.9])
    def test_each_image_equals_the_steps_one_after_another_in_the_order_drawn(self, strength):
        """Two photographs in 64 orders and strengths, which saturate many of their pixels."""
        layer = kt.augment.ColorJitter(strength, strength, strength, strength / 2)
        images = np.tile(photographs(48, 64), (32, 1, 1, 1))
        params = layer.sample(images.shape, random.key((3, 0), (1, 2)))
        changed = to_numpy(layer.transform_images(keras.ops.convert_to_tensor(images), params))
        orders = set()
        for image, result, steps in zip(images, changed, drawn(params), strict=True):
            levels = image.astype("float64")
            for step, value in steps:
                levels = step_of(step, levels, value)
            assert np.abs(result - levels).max() < 0.1
            orders.add(tuple(step for step, _ in steps))
        assert len(orders) > 20

    @pytest.mark.parametrize(
        ("step", "enhance"),
        [
            ("brightness", ImageEnhance.Brightness),
            ("contrast", ImageEnhance.Contrast),
            ("saturation", ImageEnhance.Color),
        ],
    )
    @pytest.mark.parametrize("factor", [0.3, 1.6])
    def test_one_step_alone_is_pillows(self, step, enhance, factor):
        changed = to_numpy(kt.augment.ColorJitter(**{step: (factor, factor)})(photographs()))
        expected = [np.asarray(enhance(Image.fromarray(image)).enhance(factor)) for image in photographs()]
        assert np.abs(np.round(changed) - expected).max() <= 1

    @pytest.mark.parametrize("turns", [-0.5, -0.1, 0.3])
    def test_the_hue_alone_is_the_shift_in_hsv(self, turns):
        changed = to_numpy(kt.augment.ColorJitter(hue=(turns, turns))(photographs()))
        expected = np.stack([step_of("hue", image.astype("float64"), turns) for image in photographs()])
        np.testing.assert_allclose(changed, expected, atol=0.01)

    def test_the_linear_hue_keeps_the_luma_and_is_on_average_as_far_from_hsv_as_documented(self):
        planes = [keras.ops.convert_to_tensor(photographs()[..., channel].astype("float32")) for channel in range(3)]
        turns = ops.constant(np.full((2, 1, 1), 0.1, "float32"), planes[0])
        rotated = np.stack([to_numpy(plane) for plane in _hue.rotate_hue(planes, turns)], axis=-1)
        np.testing.assert_allclose(rotated @ GRAY, photographs() @ GRAY, atol=0.3)
        expected = np.stack([step_of("hue", image.astype("float64"), 0.1) for image in photographs()])
        apart, wrong = (
            np.abs(to_numpy(kt.augment.ColorJitter(hue=(t, t), hue_method="linear")(photographs())) - expected).mean()
            for t in (0.1, -0.1)
        )
        assert apart == pytest.approx(14, abs=1)
        assert wrong > 1.5 * apart

    def test_strengths_and_orders_follow_their_laws(self):
        layer = kt.augment.ColorJitter(0.4, 1.5, (0.5, 2.0), 0.1)
        params = layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))
        laws = {"brightness": (0.6, 1.4), "contrast": (0.0, 2.5), "saturation": (0.5, 2.0), "hue": (-0.1, 0.1)}
        for step, (low, high) in laws.items():
            assert stats.kstest(to_numpy(params[step]).ravel(), stats.uniform(low, high - low).cdf).pvalue > 1e-3
        places = np.stack([to_numpy(params["place"][step]).ravel() for step in STEPS])
        counts = [(places == np.array(order)[:, None]).all(0).sum() for order in itertools.permutations(range(4))]
        assert sum(counts) == 100_000
        assert stats.chisquare(counts).pvalue > 1e-3

    @pytest.mark.parametrize("changing", [{"brightness": 0.5}, {"hue": 0.2}, {"contrast": 0.5, "hue": 0.2}])
    def test_steps_of_no_strength_are_left_out(self, changing):
        params = kt.augment.ColorJitter(**changing).sample((8, 4, 4, 3), random.key((5, 0), (1, 2)))
        assert set(params["place"]) == set(changing)

    def test_without_strength_it_is_the_identity(self):
        np.testing.assert_array_equal(to_numpy(kt.augment.ColorJitter()(make_images())), make_images())

    def test_images_of_one_channel_have_no_saturation_and_no_hue(self):
        gray = make_images(channels=1)
        changed = kt.augment.ColorJitter(saturation=0.9, hue=0.5, seed=1)(gray)
        np.testing.assert_allclose(to_numpy(changed), gray, atol=1e-3)
        colored = to_numpy(self.make()(np.repeat(gray, 3, axis=-1)))
        np.testing.assert_allclose(to_numpy(self.make()(gray)), colored[..., :1], atol=1e-3)

    def test_torchvisions_numbers_keep_half_of_the_colour_and_stay_in_range(self):
        """Keras' own removes most of the colour with these numbers, and leaves the range at others."""
        images = np.tile(photographs(24, 32), (100, 1, 1, 1))

        def colour(levels):
            return (levels.max(-1) - levels.min(-1)).mean()

        changed = to_numpy(kt.augment.ColorJitter(0.4, 0.4, 0.4, 0.1, seed=1)(images)).astype("float64")
        assert colour(changed) > 0.8 * colour(images.astype("float64"))
        strong = to_numpy(kt.augment.ColorJitter(saturation=(2.0, 3.0), seed=1)(images))
        assert strong.min() >= 0
        assert strong.max() <= 255
        assert colour(strong) > colour(images.astype("float64"))

    def test_contrast_goes_both_ways(self):
        images = np.tile(photographs(24, 32), (100, 1, 1, 1))
        changed = to_numpy(kt.augment.ColorJitter(contrast=0.3, seed=1)(images))
        lower = changed.std((1, 2, 3)) < images.std((1, 2, 3))
        assert 0.35 < lower.mean() < 0.65
