import numpy as np
import pytest
from keras import ops
from scipy import ndimage, stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


class TestThreeAugment(AugmentationContract):
    cls = kt.augment.ThreeAugment
    arguments = {}
    channels = (3,)
    bad_arguments = [
        ({"color_jitter": -0.1}, "`color_jitter`.*Received: color_jitter=-0.1"),
        ({"color_jitter": 1.5}, "`color_jitter`"),
    ]

    def test_without_jitter_each_image_is_gray_solarised_or_blurred(self):
        images = np.repeat(photographs(48, 64), 15, axis=0)
        layer = kt.augment.ThreeAugment(color_jitter=0, seed=2)
        params = layer.sample(images.shape, layer.stream_key(0))
        which, sigma = to_numpy(params["which"]), to_numpy(params["sigma"])
        assert set(which) == {0, 1, 2}
        for image, result, kind, width in zip(images, to_numpy(layer(images)), which, sigma, strict=True):
            levels = image.astype("float64")
            expected = (
                np.repeat((levels @ [0.299, 0.587, 0.114])[..., None], 3, axis=-1),
                np.where(levels < 128, levels, 255 - levels),
                ndimage.gaussian_filter(levels, (width, width, 0), radius=(6, 6, 0), mode="mirror"),
            )[kind]
            np.testing.assert_allclose(result, expected, atol=0.05)

    def test_the_jitter_comes_after(self):
        images = np.repeat(photographs(48, 64), 6, axis=0)
        layer = kt.augment.ThreeAugment(seed=2)
        params = layer.sample(images.shape, layer.stream_key(0))
        first = kt.augment.ThreeAugment(color_jitter=0)
        jitter = kt.augment.ColorJitter(0.3, 0.3, 0.3)
        between = first.transform_images(ops.convert_to_tensor(images.astype("float32")), params | {"place": {}})
        expected = jitter.transform_images(between, params)
        np.testing.assert_allclose(to_numpy(layer(images)), to_numpy(expected), atol=0.01)

    def test_the_three_are_equally_likely_and_sigma_is_uniform(self):
        params = kt.augment.ThreeAugment().sample((100_000, 8, 8, 3), random.key((1, 0), (1, 2)))
        assert stats.chisquare(np.bincount(to_numpy(params["which"]))).pvalue > 1e-3
        assert stats.kstest(to_numpy(params["sigma"]), stats.uniform(0.1, 1.9).cdf).pvalue > 1e-3
        brightness = to_numpy(params["brightness"]).ravel()
        assert stats.kstest(brightness, stats.uniform(0.7, 0.6).cdf).pvalue > 1e-3

    @pytest.mark.parametrize("channels", [1, 4])
    def test_other_channels_are_refused(self, channels):
        with pytest.raises(ValueError, match=f"Received: images of shape .*{channels}"):
            self.make()(np.zeros((2, 8, 8, channels), "uint8"))
