import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import compiled
from tests.augment.boxes import painted
from tests.augment.draws import DRAWS, draws, one_law_for_all
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


def sides(layer, count=DRAWS, height=48, width=40, box=0):
    """Heights, widths, tops and lefts of one box in each of `count` images."""
    found = []
    for params in draws(layer, height, width, count):
        rows, columns = (to_numpy(params[name])[:, box] for name in ("rows", "columns"))
        found.append((rows.sum(1), columns.sum(1), rows.argmax(1), columns.argmax(1)))
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def simulated(area, aspect, count=DRAWS, height=48, width=40):
    """Heights and widths by the paper's rule, one try after another."""
    generator = np.random.default_rng(0)
    sizes, todo = np.zeros((count, 2)), np.arange(count)
    for _ in range(10):
        pixels = generator.uniform(*area, len(todo)) * height * width
        shape = np.exp(generator.uniform(*np.log(aspect), len(todo)))
        size = np.maximum(np.round(np.stack([np.sqrt(pixels * shape), np.sqrt(pixels / shape)], 1)), 1)
        fits = (size <= [height, width]).all(1)
        sizes[todo[fits]] = size[fits]
        todo = todo[~fits]
    return sizes


class TestRandomErasing(AugmentationContract):
    cls = kt.augment.RandomErasing
    arguments = {"rate": 1.0, "area": (0.2, 0.5)}
    bad_arguments = [
        ({"area": (0.0, 0.5)}, "`area` must be above 0"),
        ({"area": 1.5}, r"`area` must be in \[0, 1\]"),
        ({"aspect": (3, 1)}, "`aspect`"),
        ({"aspect": 0}, "`aspect` must be above 0"),
        (
            {"fill": "white"},
            "`fill` must be 'pixel', 'color', 'normal', 'black', a number or a colour.*Received: fill='white'",
        ),
        ({"fill": ()}, "`fill`"),
        ({"fill": np.array([])}, "`fill`"),
        ({"count": 0}, "`count`"),
    ]

    @pytest.mark.parametrize(
        ("area", "aspect"), [((0.02, 1 / 3), (0.3, 10 / 3)), ((0.3, 0.9), (0.5, 4.0))], ids=["usual", "often too large"]
    )
    def test_sides_follow_the_law_of_the_first_try_that_fits(self, area, aspect):
        heights, widths, _, _ = sides(self.make(area=area, aspect=aspect, fill=0))
        expected = simulated(area, aspect)
        assert stats.ks_2samp(heights * widths, expected.prod(1)).pvalue > 0.01
        expected = expected[expected[:, 0] > 0]
        assert (
            stats.ks_2samp((heights / np.maximum(widths, 1))[heights > 0], expected[:, 0] / expected[:, 1]).pvalue
            > 0.01
        )

    @one_law_for_all
    def test_area_and_the_logarithm_of_aspect_are_uniform_where_every_box_fits(self):
        """On an image so large that rounding does not show."""
        layer = self.make(area=(0.02, 0.2), aspect=(0.5, 2.0), fill=0)
        heights, widths, _, _ = sides(layer, height=2000, width=2000)
        assert stats.kstest(heights * widths / 2000**2, stats.uniform(0.02, 0.18).cdf).pvalue > 0.01
        law = stats.uniform(np.log(0.5), np.log(4)).cdf
        assert stats.kstest(np.log(heights / widths), law).pvalue > 0.01

    def test_the_corner_is_uniform_over_the_places_where_the_box_fits(self):
        heights, widths, tops, lefts = sides(self.make(fill=0))
        for size, length, start in ((48, heights, tops), (40, widths, lefts)):
            assert (start + length <= size).all()
            share = (start + np.random.default_rng(0).random(DRAWS)) / (size - length + 1)
            assert stats.kstest(share, "uniform").pvalue > 0.01

    def test_a_share_of_rate_is_erased(self):
        heights, _, _, _ = sides(kt.augment.RandomErasing(0.3, seed=1, fill=0))
        assert abs((heights > 0).mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / DRAWS)

    def test_several_boxes_share_the_area_and_are_erased_together(self):
        layer = self.make(count=3, rate=0.5, area=0.3, fill=0)
        areas = np.stack([np.prod(sides(layer, 20_000, 300, 300, box)[:2], 0) for box in range(3)])
        erased = (areas > 0).any(0)
        assert abs(erased.mean() - 0.5) < 4 * 0.5 / np.sqrt(20_000)
        np.testing.assert_allclose(areas[:, erased], 0.1 * 300 * 300, rtol=0.02)

    def test_where_no_try_fits_the_image_stays(self):
        images = make_images()
        np.testing.assert_array_equal(to_numpy(self.make(area=1.0, aspect=9.0)(images)), images)

    def test_noise_is_uniform_over_all_levels_and_differs_from_place_to_place(self):
        images = np.full((40, 64, 64, 3), 7, "uint8")
        noise = to_numpy(self.make(area=1.0, aspect=1.0)(images))
        counts = np.bincount(noise.ravel(), minlength=256)
        assert stats.chisquare(counts).pvalue > 0.01
        values = noise.astype("float64").reshape(40, -1) - 127.5
        limit = 5 * 74**2 / np.sqrt(values.size)
        for lag in (1, 2, 3, 4, 192):
            assert abs((values[:, lag:] * values[:, :-lag]).mean()) < limit
        correlations = np.corrcoef(values)[np.triu_indices(40, 1)]
        assert np.abs(correlations).max() < 5 / np.sqrt(values.shape[1])

    @pytest.mark.parametrize("value_range", [(0, 1), (-1, 1)])
    @pytest.mark.parametrize("fill", ["pixel", "color"])
    def test_noise_and_colours_fill_the_value_range(self, fill, value_range):
        low, high = value_range
        images = make_images("float32")
        erased = to_numpy(self.make(fill=fill)(images)) / 255 * (high - low) + low
        scaled = to_numpy(self.make(fill=fill, value_range=value_range)(images / 255 * (high - low) + low))
        np.testing.assert_allclose(scaled, erased, atol=1e-6)

    @pytest.mark.parametrize("width", [12, 13], ids=["lines of whole words", "and of parts of a word"])
    @pytest.mark.parametrize("count", [1, 3])
    def test_compiled_the_noise_is_the_same_in_lines_of_any_length(self, width, count, monkeypatch):
        images = np.full((8, 10, width, 3), 7, "uint8")
        drawn = to_numpy(self.make(count=count)(images))
        monkeypatch.setattr(compiled, "CALLS_BEFORE", dict.fromkeys(compiled.CALLS_BEFORE, 0))
        np.testing.assert_array_equal(to_numpy(self.make(count=count)(images)), drawn)
        assert (drawn != 7).any((1, 2, 3)).all()

    @pytest.mark.parametrize("value_range", [(-1, 1), (-0.3, 0.7)])
    def test_noise_ends_where_the_value_range_does_also_compiled(self, value_range, monkeypatch):
        monkeypatch.setattr(compiled, "CALLS_BEFORE", dict.fromkeys(compiled.CALLS_BEFORE, 0))
        low, high = np.array(value_range, "float32")
        noise = to_numpy(self.make(value_range=value_range, area=0.5)(np.full((64, 64, 64, 3), low, "float32")))
        assert (noise.min(), noise.max()) == (low, high)

    def test_a_colour_is_one_for_each_box_and_uniform(self):
        images = np.zeros((2000, 12, 12, 3), "uint8")
        erased = to_numpy(self.make(fill="color")(images)).reshape(2000, -1, 3)
        assert max(len({tuple(pixel) for pixel in image} - {(0, 0, 0)}) for image in erased) == 1
        assert (
            stats.kstest((erased.max(1) + np.random.default_rng(0).random((2000, 3))).ravel() / 256, "uniform").pvalue
            > 0.01
        )

    def test_a_number_or_a_colour_is_in_units_of_the_value_range(self):
        images = np.full((4, 12, 12, 3), 9, "uint8")
        for fill in (128, (1, 2, 250)):
            erased = to_numpy(self.make(fill=fill)(images))
            changed = (erased != 9).any(-1)
            assert changed.any((1, 2)).all()
            np.testing.assert_array_equal(erased[changed], np.broadcast_to(fill, (changed.sum(), 3)))
        erased = to_numpy(self.make(fill=(0.1, 0.2, 0.3), value_range=(0, 1))(np.ones((4, 12, 12, 3), "float32")))
        np.testing.assert_allclose(erased[erased < 1].reshape(-1, 3), [[0.1, 0.2, 0.3]] * ((erased < 1).sum() // 3))

    def test_a_fill_that_the_images_cannot_hold_is_refused(self):
        with pytest.raises(ValueError, match=r"a number for each channel.*images of 3 channels"):
            self.make(fill=(1, 2))(make_images())
        with pytest.raises(ValueError, match="level of 0 to 255"):
            self.make(fill=-1)(make_images())
        with pytest.raises(ValueError, match='fill="normal" is for floating-point images'):
            self.make(fill="normal")(make_images())

    def test_normal_noise_follows_the_law(self):
        images = np.full((40, 32, 32, 3), 7, "float32")
        noise = to_numpy(self.make(fill="normal", area=1.0, aspect=1.0)(images)).ravel()
        assert stats.kstest(noise, "norm").pvalue > 0.01

    def test_masks_and_boxes_stay_as_they_are(self):
        batch = painted()
        erased = self.make()(batch)
        np.testing.assert_array_equal(to_numpy(erased["segmentation_masks"]), batch["segmentation_masks"])
        np.testing.assert_array_equal(to_numpy(erased["bounding_boxes"]["boxes"]), batch["bounding_boxes"]["boxes"])
