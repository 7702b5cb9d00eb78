import numpy as np
import pytest

import keras_tricks as kt
from tests.augment.boxes import assert_boxes_fit_the_paint, painted
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestRandomFlip(AugmentationContract):
    cls = kt.augment.RandomFlip
    arguments = {"horizontal": True, "vertical": True}
    bad_arguments = [
        ({"horizontal": False, "vertical": False}, "Received: horizontal=False, vertical=False"),
    ]

    def test_the_rate_is_the_share_of_images_touched(self):
        """Here it is the share along each axis, on its own."""
        image = make_images(count=1)
        flipped = to_numpy(self.make(rate=0.3)(np.repeat(image, 2000, axis=0)))
        mirrors = {(0, 0): image, (0, 1): image[:, :, ::-1], (1, 0): image[:, ::-1], (1, 1): image[:, ::-1, ::-1]}
        for (vertical, horizontal), mirrored in mirrors.items():
            share = (flipped == mirrored).all((1, 2, 3)).mean()
            expected = (0.3 if vertical else 0.7) * (0.3 if horizontal else 0.7)
            assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 2000)

    @pytest.mark.parametrize(("axes", "mirror"), [({"vertical": False}, (2,)), ({"horizontal": False}, (1,))])
    def test_one_axis_alone_is_mirrored(self, axes, mirror):
        images = make_images()
        flipped = to_numpy(self.make(rate=1.0, **axes)(images))
        np.testing.assert_array_equal(flipped, np.flip(images, mirror))

    @pytest.mark.parametrize("dtype", ["float32", "uint8"])
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_large_images_are_mirrored_as_small_ones(self, dtype, data_format):
        """The draw depends on their number alone."""
        large = np.random.default_rng(0).integers(0, 256, (16, 160, 150, 3)).astype(dtype)
        small = np.arange(16 * 4 * 5).reshape(16, 4, 5, 1).astype("float32")
        flipped = to_numpy(self.make(seed=3)(small))
        if data_format == "channels_first":
            found = to_numpy(self.make(seed=3, data_format=data_format)(large.transpose(0, 3, 1, 2)))
            found = found.transpose(0, 2, 3, 1)
        else:
            found = to_numpy(self.make(seed=3)(large))
        for image, new, old, moved in zip(large, found, small, flipped, strict=True):
            rows = slice(None, None, 1 if moved[0, 0, 0] < moved[-1, 0, 0] else -1)
            columns = slice(None, None, 1 if moved[0, 0, 0] < moved[0, -1, 0] else -1)
            np.testing.assert_array_equal(new, image[rows, columns])
            np.testing.assert_array_equal(moved, old[rows, columns])

    def test_the_default_is_half_of_the_images_left_to_right(self):
        layer = kt.augment.RandomFlip(seed=1)
        assert (layer.horizontal, layer.vertical, layer.rate) == (True, False, 0.5)

    def test_masks_are_mirrored_with_their_images(self):
        images = make_images()
        batch = self.make()({"images": images, "segmentation_masks": images[..., :1]})
        np.testing.assert_array_equal(to_numpy(batch["segmentation_masks"]), to_numpy(batch["images"])[..., :1])

    def test_boxes_are_mirrored_with_their_images(self):
        assert_boxes_fit_the_paint(self.make()(painted()), tolerance=0)

    @pytest.mark.parametrize("argument", ["horizontal", "vertical"])
    def test_words_are_refused_for_they_would_all_be_true(self, argument):
        with pytest.raises(ValueError, match=f"`{argument}` must be True or False. Received: {argument}='vertical'"):
            kt.augment.RandomFlip(**{argument: "vertical"})
