import numpy as np
import pytest
from scipy import ndimage, stats

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.draws import DRAWS, draws, one_law_for_all
from tests.contracts.augmentation import AugmentationContract
from tests.running import first_call, to_numpy


def lines(layer, count=5000, height=60, width=48):
    """Which rows and which columns are covered, where they meet, in each of `count` images."""
    params = layer.sample((count, height, width, 3), random.key((5, 0), (1, 2)))
    return to_numpy(params["rows"])[:, 0], to_numpy(params["columns"])[:, 0]


class TestGridMask(AugmentationContract):
    cls = kt.augment.GridMask
    arguments = {}
    bad_arguments = [
        ({"unit": 0}, "`unit` must be above 0"),
        ({"unit": (0.5, 0.2)}, "`unit`"),
        ({"ratio": 1.0}, "`ratio` must be between 0 and 1. Received: ratio=1.0"),
        ({"ratio": -0.5}, "`ratio`"),
        ({"rotation": "any"}, "`rotation` must be a number or a pair.*Received: rotation='any'"),
    ]

    @pytest.mark.parametrize(("side", "ratio", "kept"), [(12, 0.6, 7), (12, 0.5, 6), (2, 0.9, 1), (48, 0.01, 1)])
    def test_of_every_unit_the_share_ratio_of_its_lines_is_kept(self, side, ratio, kept):
        for covered in lines(self.make(unit=side / 48, ratio=ratio), 200):
            starts = set()
            for image in covered:
                fitting = [
                    offset
                    for offset in range(side)
                    if ((np.arange(len(image)) + offset) % side >= kept).tolist() == image.tolist()
                ]
                assert fitting
                starts.update(fitting)
            assert len(starts) == side or side == 48

    def test_the_share_kept_is_the_papers(self):
        rows, columns = lines(self.make(unit=(0.2, 0.8), ratio=0.6), 100_000)
        kept = 1 - rows.mean(1) * columns.mean(1)
        assert abs(kept.mean() - (1 - 0.4**2)) < 0.01

    @one_law_for_all
    def test_the_side_is_uniform_over_the_range(self):
        """Read off the distance of the first two beginnings, in an image with room for two of any size."""
        params = draws(self.make(unit=(0.25, 0.5)), height=400, width=200)
        rows = np.concatenate([to_numpy(batch["rows"])[:, 0] for batch in params])
        begins = [np.flatnonzero(np.diff(image.astype(int)) == 1) for image in rows]
        found = np.array([begin[1] - begin[0] for begin in begins])
        assert found.min() == 50
        assert found.max() == 100
        shifted = found - 0.5 + np.random.default_rng(0).random(len(found))
        assert stats.kstest(shifted, stats.uniform(50, 50).cdf).statistic < 1.63 / np.sqrt(DRAWS) + 0.01

    def test_the_offset_is_uniform(self):
        rows, columns = lines(self.make(unit=0.25), 100_000)
        for covered in (rows, columns):
            assert stats.chisquare(covered[:, :12].sum(0)).pvalue > 0.001

    def test_the_offsets_of_rows_and_columns_are_independent(self):
        rows, columns = lines(self.make(unit=0.25), 100_000)
        together = (rows[:, 0] & columns[:, 0]).mean()
        assert abs(together - rows[:, 0].mean() * columns[:, 0].mean()) < 4 * 0.5 / np.sqrt(100_000)

    def test_squares_are_black_where_a_covered_row_meets_a_covered_column(self):
        images = np.full((4, 24, 24, 3), 9, "uint8")
        layer = self.make(unit=0.5)
        params = layer.sample(images.shape, random.key((5, 0), (1, 2)))
        covered = to_numpy(params["rows"])[:, 0, :, None] & to_numpy(params["columns"])[:, 0, None, :]
        erased = to_numpy(layer.transform_images(images, params))
        np.testing.assert_array_equal(erased, np.where(covered[..., None], 0, images))

    def test_a_quarter_turn_swaps_rows_and_columns(self):
        """Of a grid as fine as its squares are, about the middle of an image whose sides are whole units."""
        shape, key = (200, 48, 48, 3), random.key((5, 0), (1, 2))
        rows, columns = lines(self.make(unit=0.25), 200, 48, 48)
        plain = rows[:, :, None] & columns[:, None, :]
        turned = to_numpy(self.make(unit=0.25, rotation=(90, 90)).sample(shape, key)["pixels"])
        for image, other in zip(plain, turned, strict=True):
            # The offsets are drawn differently: compared are the covered places, shifted into each other.
            image = np.rot90(image)
            assert any(
                (np.roll(image, (down, right), (0, 1)) == other).all() for down in range(12) for right in range(12)
            )

    def test_the_share_kept_and_the_angles_are_as_asked_for(self):
        """The angle is read off the gradient of the covered places, in a grid of broad stripes."""
        layer = self.make(unit=0.5, ratio=0.5, rotation=(30, 30))
        pixels = to_numpy(layer.sample((64, 200, 200, 3), random.key((5, 0), (1, 2)))["pixels"])
        assert abs(pixels.mean() - 0.25) < 0.02
        smooth = ndimage.gaussian_filter(pixels.astype("float64"), (0, 4, 4))
        # Across a square's sides the gradient points along 30 degrees, or a quarter turn or more further.
        down, right = np.gradient(smooth, axis=(1, 2))
        angle = np.angle((np.hypot(down, right) * np.exp(4j * np.arctan2(-down, right))).sum()) / 4
        assert abs(np.degrees(angle) - 30) < 2

    def test_turned_squares_are_black_and_a_rotation_both_ways_is_uniform(self):
        images = np.full((4, 24, 20, 3), 9, "uint8")
        layer = self.make(unit=0.5, rotation=180)
        params = layer.sample(images.shape, random.key((5, 0), (1, 2)))
        erased = to_numpy(layer.transform_images(images, params))
        np.testing.assert_array_equal(erased, np.where(to_numpy(params["pixels"])[..., None], 0, images))
        assert len({image.tobytes() for image in erased}) == 4
        half = to_numpy(first_call(self.make(unit=0.5, rotation=180, rate=0.5), np.repeat(images, 100, axis=0)))
        assert abs((half == 9).all((1, 2, 3)).mean() - 0.5) < 0.1
