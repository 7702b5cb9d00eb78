"""Against Pillow on photographs. Functions that keep whole levels must equal it; the others come within a level."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from keras_tricks._core import ops
from keras_tricks.augment import _levels
from tests.augment.photographs import photographs
from tests.running import compiled, eagerly, in_pipeline, to_numpy

WAYS = pytest.mark.parametrize("run", [eagerly, compiled, in_pipeline])
DTYPES = pytest.mark.parametrize("dtype", ["uint8", "float32"])


def pillow(function, images=None):
    """`function` of each photograph as an image of Pillow."""
    images = photographs() if images is None else images
    changed = [function(Image.fromarray(image), index) for index, image in enumerate(images)]
    return np.stack([np.asarray(image) for image in changed])


def parameter(like, *values, dtype="float32"):
    return ops.constant(np.array(values, dtype).reshape(-1, 1, 1, 1), like)


def vector(like, *values):
    return ops.constant(np.array(values, "float32"), like)


def assert_levels(actual, expected, tolerance):
    levels = np.clip(np.round(to_numpy(actual).astype("float64")), 0, 255)
    distance = np.abs(levels - expected)
    assert distance.max() <= tolerance


@WAYS
def test_the_gray_of_a_pixel_is_pillows(run):
    gray = run(_levels.grayscale, photographs().astype("float32"))
    assert_levels(gray, pillow(lambda image, _: image.convert("L"))[..., None], 1)


def test_the_gray_of_one_channel_is_itself():
    levels = keras.ops.convert_to_tensor(photographs()[..., :1])
    assert _levels.grayscale(levels) is levels


def test_a_blend_starts_at_the_other_and_passes_the_image():
    levels, other = (keras.ops.convert_to_tensor(np.full((3, 2, 2, 1), value, "float32")) for value in (10, 2))
    blended = to_numpy(_levels.blend(levels, other, parameter(levels, 0, 1, 1.5)))
    np.testing.assert_allclose(blended[:, 0, 0, 0], [2, 10, 14])


@WAYS
@DTYPES
def test_invert_is_pillows(run, dtype):
    changed = run(_levels.invert, photographs().astype(dtype))
    assert_levels(changed, pillow(lambda image, _: ImageOps.invert(image)), 0)
    assert keras.backend.standardize_dtype(changed.dtype) == dtype


@WAYS
@DTYPES
@pytest.mark.parametrize("thresholds", [(0, 256), (128, 255), (1, 77), (127.5, 254.5), (-3, 300)])
def test_solarize_is_pillows(run, dtype, thresholds):
    changed = run(lambda levels: _levels.solarize(levels, parameter(levels, *thresholds)), photographs().astype(dtype))
    expected = pillow(lambda image, index: ImageOps.solarize(image, thresholds[index]))
    assert_levels(changed, expected, 0)
    assert to_numpy(changed).dtype == dtype


@WAYS
@DTYPES
@pytest.mark.parametrize("add", [(0, 110), (255, 30), (-40, -255)])
@pytest.mark.parametrize("thresholds", [(128, 0), (256, 77)])
def test_solarize_add_is_a_table(run, dtype, add, thresholds):
    def change(levels):
        return _levels.solarize_add(levels, parameter(levels, *add), parameter(levels, *thresholds))

    levels = photographs().astype(int)
    low, more = (np.array(pair).reshape(2, 1, 1, 1) for pair in (thresholds, add))
    expected = np.where(levels < low, np.clip(levels + more, 0, 255), levels)
    changed = run(change, photographs().astype(dtype))
    assert_levels(changed, expected, 0)
    assert to_numpy(changed).dtype == dtype


@WAYS
@DTYPES
@pytest.mark.parametrize("bits", [(1, 2), (3, 4), (5, 6), (7, 8)])
def test_posterize_is_pillows(run, dtype, bits):
    def change(levels):
        return _levels.posterize(levels, parameter(levels, *bits, dtype="int32"))

    changed = run(change, photographs().astype(dtype))
    assert_levels(changed, pillow(lambda image, index: ImageOps.posterize(image, bits[index])), 0)
    assert to_numpy(changed).dtype == dtype


def flat_and_narrow():
    """Photographs with less than all levels: one with a flat channel and a channel of two levels."""
    images = photographs() // np.array([2, 3], "uint8").reshape(2, 1, 1, 1) + 40
    images[0, ..., 1] = 17
    images[1, ..., 2] = 100 + images[1, ..., 2] % 2
    return images


@WAYS
@DTYPES
def test_autocontrast_is_pillows_per_image_and_channel(run, dtype):
    def change(levels):
        scale, offset = _levels.autocontrast_lines(levels)
        return ops.floor(ops.cast(levels, "float32") * scale + offset)

    expected = pillow(lambda image, _: ImageOps.autocontrast(image), flat_and_narrow())
    assert_levels(run(change, flat_and_narrow().astype(dtype)), expected, 1)


@WAYS
@DTYPES
def test_histograms_count_each_channel_of_each_image(run, dtype):
    counts = to_numpy(run(_levels.histograms, photographs().astype(dtype)))
    expected = [[np.bincount(image[..., c].ravel(), minlength=256) for c in range(3)] for image in photographs()]
    np.testing.assert_array_equal(counts, expected)
    assert counts.dtype == "int32"


@WAYS
@DTYPES
@pytest.mark.parametrize("size", [96, 24, 12])
def test_equalize_is_pillows(run, dtype, size):
    """Small images too, where Pillow's steps are few or none."""
    images = np.concatenate([photographs(), flat_and_narrow()])[:, :size, : size + 3]
    changed = run(lambda levels: _levels.equalize(levels, None), images.astype(dtype))
    assert_levels(changed, pillow(lambda image, _: ImageOps.equalize(image), images), 0)
    assert to_numpy(changed).dtype == dtype


@WAYS
def test_sharpen_is_pillows_and_leaves_the_border(run):
    factors = (0.0, 1.9)
    levels = photographs().astype("float32")
    changed = run(lambda levels: _levels.sharpen(levels, parameter(levels, *factors)), levels)
    expected = pillow(lambda image, index: ImageEnhance.Sharpness(image).enhance(factors[index]))
    assert_levels(changed, expected, 1)
    smooth = pillow(lambda image, _: image.filter(ImageFilter.SMOOTH))
    assert_levels(to_numpy(changed)[:1], smooth[:1], 0)
    border = np.ones((96, 128), bool)
    border[1:-1, 1:-1] = False
    np.testing.assert_array_equal(to_numpy(changed)[:, border], levels[:, border])


def test_an_image_without_an_inside_is_not_sharpened():
    levels = keras.ops.convert_to_tensor(np.ones((1, 1, 5, 3), "float32"))
    assert _levels.sharpen(levels, parameter(levels, 2)).shape == (1, 1, 5, 3)


@WAYS
def test_tables_that_equalize_are_those_of_division_for_images_of_any_size(run):
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 3, (40, 2, 256)) * 10.0 ** generator.integers(0, 6, (40, 2, 256))
    counts = counts.astype("int32")  # up to some ten million pixels, more than float32 counts one by one
    upto = counts.cumsum(-1)
    last = np.where(upto < upto[..., -1:], upto, 0).max(-1, keepdims=True)
    step = last // 255
    expected = np.minimum((upto - counts + step // 2) // np.maximum(step, 1), 255)
    expected = np.where(step > 0, expected, np.arange(256))
    np.testing.assert_array_equal(to_numpy(run(_levels.tables_that_equalize, counts)), expected)
