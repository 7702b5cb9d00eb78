import numpy as np
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.boxes import assert_boxes_fit_the_paint, painted
from tests.augment.photographs import photographs, pillow_resize
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestRandomScaleCrop(AugmentationContract):
    cls = kt.augment.RandomScaleCrop
    arguments = {"short_side": (12, 20), "size": (12, 10)}
    box_arguments = {"short_side": (48, 60), "size": 48}
    box_tolerance = 1.01
    bad_arguments = [
        ({"short_side": 0}, "`short_side`.*Received: short_side=0"),
        ({"short_side": (20, 12)}, r"`short_side`.*Received: short_side=\(20, 12\)"),
        ({"size": 16}, "`size` must be not above the smallest short_side=12. Received: size=16"),
    ]

    def test_at_inference_it_is_the_identity_with_the_size_and_the_type_of_training(self):
        """Here it is another window."""
        layer, images = self.make(), make_images()
        plain, trained = layer(images, training=False), layer(images)
        assert (plain.shape, plain.dtype) == (trained.shape, trained.dtype)

    def test_switched_off_it_changes_nothing(self):
        """Here it is the window of inference."""
        images = photographs()
        self.assert_same(self.make(rate=0.0)(images), self.make()(images, training=False))

    def test_a_window_is_cut_out_of_pillows_resized_image(self):
        images = np.repeat(photographs(), 4, axis=0)
        layer = kt.augment.RandomScaleCrop((60, 130), size=(50, 60), seed=3)
        params = layer.sample(images.shape, layer.stream_key(0))
        boxes = np.stack([to_numpy(part) for part in params["box"]], axis=1)
        for image, result, (top, left, height, width) in zip(images, to_numpy(layer(images)), boxes, strict=True):
            rows, columns = round(96 * 50 / height), round(128 * 60 / width)
            first, start = round(top * rows / 96), round(left * columns / 128)
            expected = pillow_resize(image, (rows, columns))[first : first + 50, start : start + 60]
            np.testing.assert_allclose(result, expected, atol=0.02)

    def test_short_sides_are_whole_numbers_all_equally_likely_and_so_are_the_places(self):
        layer = kt.augment.RandomScaleCrop((40, 49), size=40)
        box = layer.sample((100_000, 30, 60, 3), random.key((1, 0), (1, 2)))["box"]
        top, left, height, width = (to_numpy(part).astype("float64") for part in box)
        short_side = np.round(30 * 40 / height)
        assert stats.chisquare(np.bincount(short_side.astype(int))[40:]).pvalue > 1e-3
        np.testing.assert_allclose(np.round(60 * 40 / width), 2 * short_side)
        for side in (40, 49):
            rows = np.round(top[short_side == side] * side / 30).astype(int)
            columns = np.round(left[short_side == side] * side / 30).astype(int)
            for places, room in ((rows, side - 40), (columns, 2 * side - 40)):
                counts = np.bincount(places)
                assert len(counts) == room + 1
                assert room == 0 or stats.chisquare(counts).pvalue > 1e-3

    def test_at_inference_it_is_the_central_window_of_the_smallest(self):
        images = photographs(100, 150)
        expected = np.stack([pillow_resize(image, (60, 90)) for image in images])[:, 5:55, 20:70]
        cropped = to_numpy(kt.augment.RandomScaleCrop((60, 90), 50)(images, training=False))
        np.testing.assert_allclose(cropped, expected, atol=0.02)

    def _touched(self, layer, images):
        """Images that are not touched are here those of inference."""
        changed, plain = to_numpy(layer(images)), to_numpy(layer(images, training=False))
        return float((np.abs(changed - plain).max((1, 2, 3)) > 1e-3).mean())

    def test_boxes_of_enlarged_images_fit_them(self):
        assert_boxes_fit_the_paint(kt.augment.RandomScaleCrop((96, 140), 48, seed=1)(painted()), tolerance=1.01)
