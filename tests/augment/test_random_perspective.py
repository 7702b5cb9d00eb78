import numpy as np
from PIL import Image
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract
from tests.running import to_numpy


def corners_after(layer, height, width, count):
    """Where the four corners of each image go, as shares of its sides, (count, 4, 2)."""
    params = layer.sample((count, height, width, 3), random.key((1, 0), (1, 2)))
    x = np.tile(np.array([-0.5, 0.5, 0.5, -0.5], "float32") * width, (count, 1, 1))
    y = np.tile(np.array([-0.5, -0.5, 0.5, 0.5], "float32") * height, (count, 1, 1))
    from keras import ops

    moved = layer.target_points(ops.convert_to_tensor(x), ops.convert_to_tensor(y), params)
    return np.stack([to_numpy(moved[0])[:, 0] / width, to_numpy(moved[1])[:, 0] / height], -1) + 0.5


class TestRandomPerspective(AugmentationContract):
    cls = kt.augment.RandomPerspective
    arguments = {"distortion": 0.6, "rate": 1.0}
    box_arguments = {"distortion": 0.4}
    box_tolerance = 1.6
    bad_arguments = [
        ({"distortion": 1.5}, "`distortion`.*Received: distortion=1.5"),
        ({"fill": "mirror"}, "`fill`.*Received: fill='mirror'"),
    ]

    def test_it_is_pillows_projection_of_the_drawn_corners(self):
        images = photographs()
        layer = kt.augment.RandomPerspective(0.5, rate=1.0, fill=50, seed=4)
        key = layer.stream_key(0)
        moves = to_numpy(random.uniform(key, (2, 4, 2))) * 0.25
        for image, result, move in zip(images, to_numpy(layer(images)), moves, strict=True):
            source = np.array([[0, 0], [128, 0], [128, 96], [0, 96]], "float64")
            target = source + move * [128, 96] * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
            rows, wanted = [], []
            for (u, v), (x, y) in zip(source, target, strict=True):
                rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
                wanted += [u, v]
            coefficients = np.linalg.solve(np.array(rows), np.array(wanted))
            expected = Image.fromarray(image).transform(
                (128, 96), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR, fillcolor=(50,) * 3
            )
            wrong = np.abs(np.floor(result + 1e-3) - np.asarray(expected)).max(-1)
            # A move is just short of what Pillow is told, by a thousandth.
            assert (wrong > 6).mean() < 5e-3
            assert wrong.mean() < 0.5

    def test_corners_move_inwards_uniformly_and_independently(self):
        layer = kt.augment.RandomPerspective(0.8, rate=1.0)
        moved = corners_after(layer, 40, 60, 100_000)
        inwards = np.abs(moved - np.array([[0, 0], [1, 0], [1, 1], [0, 1]])).reshape(len(moved), 8)
        for move in inwards.T:
            assert stats.kstest(move, stats.uniform(0, 0.4).cdf).statistic < 0.006
        assert np.abs(np.corrcoef(inwards.T) - np.eye(8)).max() < 0.02

    def test_without_distortion_nothing_moves(self):
        images = photographs()
        np.testing.assert_allclose(to_numpy(kt.augment.RandomPerspective(0.0, rate=1.0)(images)), images, atol=0.02)
