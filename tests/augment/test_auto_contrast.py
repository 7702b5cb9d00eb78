import numpy as np
from PIL import Image, ImageOps

import keras_tricks as kt
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


def dull(images):
    """Less than all levels, and a flat channel."""
    images = images // 2 + 40
    images[0, ..., 1] = 17
    return images


class TestAutoContrast(AugmentationContract):
    cls = kt.augment.AutoContrast
    arguments = {"rate": 0.5}
    outcomes = 2
    bad_arguments = [({"rate": 2}, "`rate`.*Received: rate=2")]

    def test_it_is_pillows_to_a_level(self):
        images = dull(photographs().copy())
        expected = np.stack([np.asarray(ImageOps.autocontrast(Image.fromarray(image))) for image in images])
        changed = to_numpy(kt.augment.AutoContrast()(images)).astype(int)
        assert np.abs(changed - expected).max() <= 1
        assert (changed == expected).mean() > 0.95

    def test_channels_first_is_stretched_per_channel_too(self):
        images = dull(make_images())
        last = to_numpy(kt.augment.AutoContrast()(images))
        first = to_numpy(kt.augment.AutoContrast(data_format="channels_first")(images.transpose(0, 3, 1, 2)))
        np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)
        assert (last.min((1, 2))[1:] == 0).all()
        assert (last.max((1, 2))[1:] == 255).all()
