import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.draws import one_law_for_all
from tests.augment.photographs import photographs, pillow_resize
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


def draw(count, height, width, **arguments):
    layer = kt.augment.RandomResizedCrop(8, **arguments)
    box = layer.sample((count, height, width, 3), random.key((1, 0), (1, 2)))["box"]
    return np.stack([to_numpy(part) for part in box]).astype("float64")


def inceptions_law(count, height, width, area, aspect):
    """The law as the paper's code has it, one image after another, in NumPy."""
    rng = np.random.default_rng(0)
    boxes = []
    for _ in range(count):
        for _ in range(10):
            size = rng.uniform(*area) * height * width
            ratio = np.exp(rng.uniform(*np.log(aspect)))
            box_height, box_width = round(np.sqrt(size / ratio)), round(np.sqrt(size * ratio))
            if 0 < box_height <= height and 0 < box_width <= width:
                top, left = rng.integers(0, height - box_height + 1), rng.integers(0, width - box_width + 1)
                boxes.append((top, left, box_height, box_width))
                break
        else:
            box_height, box_width = min(height, round(width / aspect[0])), min(width, round(height * aspect[1]))
            boxes.append(((height - box_height) // 2, (width - box_width) // 2, box_height, box_width))
    return np.array(boxes).T


class TestRandomResizedCrop(AugmentationContract):
    cls = kt.augment.RandomResizedCrop
    arguments = {"size": (12, 10), "area": (0.2, 0.8)}
    box_arguments = {"size": (60, 50), "area": (0.4, 1.0)}
    box_tolerance = 1.01
    bad_arguments = [
        ({"size": 0}, "`size`.*Received: size=0"),
        ({"area": (0, 1)}, r"`area`.*Received: area=\(0, 1\)"),
        ({"area": (0.5, 1.2)}, "`area`"),
        ({"area": 1.5}, "`area`.*Received: area=1.5"),
        ({"aspect": (2, 1)}, "`aspect`"),
        ({"interpolation": "lanczos"}, "`interpolation`.*Received: interpolation='lanczos'"),
    ]

    def test_at_inference_it_is_the_identity_with_the_size_and_the_type_of_training(self):
        """Here to the rounding of an interpolation."""
        layer, images = self.make(), make_images()
        plain, trained = layer(images, training=False), layer(images)
        assert (plain.shape, plain.dtype) == (trained.shape, trained.dtype)
        np.testing.assert_allclose(to_numpy(plain), images, atol=1e-3)

    def test_switched_off_it_changes_nothing(self):
        """Here it is the crop of inference."""
        images = photographs()
        self.assert_same(self.make(rate=0.0)(images), self.make()(images, training=False))

    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("size", [(40, 30), (110, 170)])
    def test_a_crop_is_pillows_resized_box(self, size, interpolation):
        images = np.repeat(photographs(), 4, axis=0)
        layer = kt.augment.RandomResizedCrop(size, interpolation=interpolation, seed=2)
        boxes = np.stack([to_numpy(part) for part in layer.sample(images.shape, layer.stream_key(0))["box"]], axis=1)
        for image, result, (top, left, height, width) in zip(images, to_numpy(layer(images)), boxes, strict=True):
            cropped = image[int(top) : int(top + height), int(left) : int(left + width)]
            np.testing.assert_allclose(result, pillow_resize(cropped, size, interpolation), atol=0.02)

    def test_without_antialiasing_it_sees_four_pixels_for_each(self):
        image = photographs()[:1].astype("float32")
        layer = kt.augment.RandomResizedCrop((20, 30), area=(1, 1), aspect=(128 / 96, 128 / 96), antialias=False)
        rows = (np.arange(20) + 0.5) * (96 / 20) - 0.5
        columns = (np.arange(30) + 0.5) * (128 / 30) - 0.5
        top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
        down, right = (rows - top)[:, None, None], (columns - left)[None, :, None]
        pixels = image[0]
        above = pixels[top][:, left] * (1 - right) + pixels[top][:, left + 1] * right
        below = pixels[top + 1][:, left] * (1 - right) + pixels[top + 1][:, left + 1] * right
        np.testing.assert_allclose(to_numpy(layer(image))[0], above * (1 - down) + below * down, atol=0.01)

    @one_law_for_all
    @pytest.mark.parametrize(("height", "width"), [(64, 64), (40, 90)])
    def test_areas_ratios_and_places_follow_inceptions_law(self, height, width):
        drawn = draw(100_000, height, width)
        expected = inceptions_law(20_000, height, width, (0.08, 1.0), (3 / 4, 4 / 3))
        for value in (lambda b: b[2] * b[3], lambda b: b[3] / b[2], lambda b: b[0], lambda b: b[1]):
            assert stats.ks_2samp(value(drawn), value(expected)).pvalue > 1e-3

    def test_a_single_number_is_fixed(self):
        layer = kt.augment.RandomResizedCrop(8, area=0.25, aspect=1.0)
        params = layer.sample((100, 60, 60, 3), random.key((1, 0), (1, 2)))
        drawn = {tuple(to_numpy(side)[index] for side in params["box"][2:]) for index in range(100)}
        assert drawn == {(30, 30)}

    @one_law_for_all
    def test_small_areas_are_uniform(self):
        _, _, height, width = draw(100_000, 1000, 1000, area=(0.1, 0.4))
        assert stats.kstest(height * width / 1e6, stats.uniform(0.1, 0.3).cdf).statistic < 0.006

    @pytest.mark.parametrize(
        ("aspect", "size", "expected"), [((2.0, 3.0), (40, 40), (20, 40)), ((0.25, 0.5), (40, 40), (40, 20))]
    )
    def test_where_no_draw_fits_the_largest_central_box_is_taken(self, aspect, size, expected):
        boxes = draw(50, *size, area=(1, 1), aspect=aspect)
        top, left, height, width = boxes
        assert set(zip(height, width, strict=True)) == {expected}
        np.testing.assert_array_equal(top, (size[0] - height) // 2)
        np.testing.assert_array_equal(left, (size[1] - width) // 2)

    def test_at_inference_it_is_the_largest_central_box(self):
        images = photographs(80, 120)
        cropped = to_numpy(kt.augment.RandomResizedCrop((40, 60))(images, training=False))
        expected = [pillow_resize(image, (40, 60)) for image in images]
        np.testing.assert_allclose(cropped, np.stack(expected), atol=0.02)
        cropped = to_numpy(kt.augment.RandomResizedCrop(80)(images, training=False))
        np.testing.assert_allclose(cropped, images[:, :, 20:100], atol=0.02)

    def test_an_empty_batch_stays_one(self):
        assert self.make(size=(8, 6))(make_images()[:0]).shape == (0, 8, 6, 3)
