import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.boxes import assert_boxes_fit_the_paint, painted
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestRandomAffine(AugmentationContract):
    cls = kt.augment.RandomAffine
    arguments = {"rotation": 30, "translation": 0.2, "scale": (0.8, 1.3), "stretch": (0.8, 1.2), "shear": 10}
    box_arguments = {"translation": 0.1, "scale": (0.8, 1.2)}
    box_tolerance = 1.6
    bad_arguments = [
        ({"rotation": "left"}, "`rotation`.*Received: rotation='left'"),
        ({"rotation": (10, -10)}, r"`rotation` must be a pair .* Received: rotation=\(10, -10\)"),
        ({"translation": (0.1, 0.2, 0.3)}, "`translation`"),
        ({"scale": 0}, "`scale`.*Received: scale=0"),
        ({"stretch": (-1, 1)}, "`stretch`"),
        ({"shear": 90}, "`shear`.*Received: shear=90"),
        ({"fill": "mirror"}, "`fill`.*Received: fill='mirror'"),
        ({"interpolation": "cubic"}, "`interpolation`"),
    ]

    @pytest.mark.parametrize("angle", [17.0, -35.0])
    def test_a_fixed_rotation_is_pillows(self, angle):
        images = photographs()
        turned = to_numpy(kt.augment.RandomAffine(rotation=(angle, angle), fill=128)(images))
        for image, result in zip(images, turned, strict=True):
            expected = Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR, fillcolor=(128,) * 3)
            assert_pillows(result, expected)

    def test_everything_together_is_pillows_affine_transformation(self):
        layer = kt.augment.RandomAffine(**self.arguments, fill=90, seed=5)
        images = np.repeat(photographs(), 3, axis=0)
        params = {name: to_numpy(part) for name, part in layer.sample(images.shape, layer.stream_key(0)).items()}
        height, width = images.shape[1:3]
        centre = np.array([width / 2, height / 2])
        for image, result, matrix, shift in zip(
            images, to_numpy(layer(images)), params["matrix"], params["translation"], strict=True
        ):
            back = np.linalg.inv(matrix.reshape(2, 2).astype("float64"))
            offset = centre - back @ (centre + shift)
            data = (*back[0], offset[0], *back[1], offset[1])
            expected = Image.fromarray(image).transform(
                (width, height), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=(90,) * 3
            )
            assert_pillows(result, expected)

    @pytest.mark.parametrize(("fill", "mode"), [("reflect", "mirror"), ("edge", "nearest")])
    def test_beyond_the_border_it_reflects_or_repeats_as_scipy_does(self, fill, mode):
        image = photographs()[:1, :60, :70].astype("float32")
        moved = to_numpy(kt.augment.RandomAffine(translation=((0.9, 0.9), (-0.55, -0.55)), fill=fill)(image))[0]
        expected = ndimage.shift(image[0], (-0.55 * 60, 0.9 * 70, 0), order=1, mode=mode)
        np.testing.assert_allclose(moved, expected, atol=0.05)

    def test_scale_enlarges_and_stretch_is_the_ratio_of_the_two_scales(self):
        params = kt.augment.RandomAffine(scale=2.0, stretch=4.0).sample((1, 8, 8, 3), random.key((0, 0), (1, 2)))
        np.testing.assert_allclose(to_numpy(params["matrix"]), [[4, 0, 0, 1]], atol=1e-6)

    def test_the_draws_are_uniform_and_independent(self):
        layer = kt.augment.RandomAffine(rotation=40, translation=((-0.1, 0.3), 0.2), scale=(0.5, 2), shear=20)
        params = layer.sample((100_000, 10, 20, 3), random.key((0, 0), (1, 2)))
        matrix = to_numpy(params["matrix"]).astype("float64")
        move_x, move_y = to_numpy(params["translation"]).T
        rotation = np.degrees(np.arctan2(-matrix[:, 2], matrix[:, 0]))
        scale = np.hypot(matrix[:, 0], matrix[:, 2])
        # Turned back by the rotation, the second column of the matrix is scale * (tan(shear), 1).
        angle = np.radians(rotation)
        shear = np.degrees(np.arctan((np.cos(angle) * matrix[:, 1] - np.sin(angle) * matrix[:, 3]) / scale))
        laws = [(rotation, -40, 40), (move_x, -2, 6), (move_y, -2, 2), (scale, 0.5, 2), (shear, -20, 20)]
        for values, low, high in laws:
            assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3
        together = np.corrcoef([values for values, _, _ in laws])
        assert np.abs(together - np.eye(5)).max() < 0.02

    def test_shift_scale_rotate_is_albumentations(self):
        layer = kt.augment.RandomAffine.shift_scale_rotate(seed=1)
        assert (layer.rotation, layer.rate, layer.fill) == (45.0, 0.5, "reflect")
        assert (layer.translation, layer.scale) == ((0.0625, 0.0625), (0.9, 1.1))

    def test_nothing_drawn_is_nothing_changed(self):
        images = make_images("float32")
        np.testing.assert_allclose(to_numpy(kt.augment.RandomAffine()(images)), images, atol=1e-3)

    def test_untouched_images_are_exactly_as_they_were(self):
        images = make_images("float32")
        turned = to_numpy(kt.augment.RandomAffine(rotation=45, rate=0.5, seed=1)(images))
        assert 0 < (turned == images).all((1, 2, 3)).sum() < len(images)

    def test_masks_go_where_their_images_go_by_the_nearest_class(self):
        batch = self.make(interpolation="nearest")(painted())
        np.testing.assert_array_equal(
            to_numpy(batch["segmentation_masks"])[..., 0], to_numpy(batch["images"])[..., 0] // 100
        )

    def test_the_boxes_of_a_moved_and_scaled_image_fit_it(self):
        layer = kt.augment.RandomAffine(translation=0.3, scale=(0.7, 1.5), stretch=(0.8, 1.2), seed=3)
        assert_boxes_fit_the_paint(layer(painted()), tolerance=1)


def assert_pillows(result, expected):
    """Pillow cuts off fractions, and decides in fixed point which pixels of the border are outside."""
    wrong = np.abs(np.floor(result + 1e-3) - np.asarray(expected)).max(-1)
    assert (wrong > 1).mean() < 2e-3
    assert wrong.mean() < 0.05
