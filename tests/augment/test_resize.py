import importlib
from functools import partial

import numpy as np
import pytest

import keras_tricks as kt
from tests.augment.photographs import photographs, pillow_resize
from tests.contracts.deterministic import DeterministicContract
from tests.running import BACKEND, compiled, eagerly, in_pipeline, to_numpy


class TestResize(DeterministicContract):
    cls = kt.augment.Resize
    arguments = {"short_side": 7}
    box_arguments = {"short_side": 60}
    box_tolerance = 1.01
    bad_arguments = [({"short_side": 0}, "`short_side`.*Received: short_side=0")]

    def test_images_of_that_size_stay_as_they_are(self):
        images = photographs(20, 30).astype("float32")
        np.testing.assert_array_equal(to_numpy(kt.augment.Resize(20)(images)), images)

    @pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
    @pytest.mark.parametrize("run", [eagerly, compiled, in_pipeline])
    @pytest.mark.parametrize("short_side", [4, 12, 33, 69, 150])
    def test_it_is_pillows_with_the_short_side_exact_and_the_other_rounded(self, short_side, interpolation, run):
        images = photographs(70, 101)
        size = (short_side, round(short_side * 101 / 70))
        layer = kt.augment.Resize(short_side, interpolation)
        resized = to_numpy(run(partial(layer, training=False), images))
        expected = [pillow_resize(image, size, interpolation) for image in images]
        np.testing.assert_allclose(resized, np.stack(expected), atol=0.02)

    @pytest.mark.parametrize("run", [eagerly, compiled, in_pipeline])
    @pytest.mark.parametrize(("size", "short_side"), [((40, 60), 30), ((40, 60), 50), ((90, 60), 36), ((90, 60), 20)])
    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    def test_without_antialiasing_it_sees_four_pixels_for_each(self, size, short_side, dtype, run):
        """As torch's own, wherever it runs: TensorFlow's operation, a sum of taps, or taps of constants."""
        torch = importlib.import_module("torch")
        images = photographs(*size).astype(dtype)
        layer = kt.augment.Resize(short_side, antialias=False)
        resized = to_numpy(run(partial(layer, training=True), images))
        planes = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        expected = torch.nn.functional.interpolate(planes, layer.output_size(*size), mode="bilinear")
        np.testing.assert_allclose(resized, expected.permute(0, 2, 3, 1).numpy(), atol=0.02)

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX and torch compile all that runs at once, or nothing")
    def test_tensorflows_own_operation_is_for_small_images_where_nothing_else_compiles_them(self):
        layer = kt.augment.Resize(24, antialias=False)
        found = []

        def note(images):
            found.append(layer.is_one_operation({"images": images}))
            return images

        small = np.zeros((2, 32, 32, 3), "uint8")
        for run in (eagerly, in_pipeline, compiled):
            run(note, small)
        eagerly(note, np.zeros((2, 32, 65, 3), "uint8"))
        assert found == [True, True, False, False]
        assert not layer.is_one_operation({"images": small, "segmentation_masks": small})
        for other in ({"interpolation": "bicubic"}, {"antialias": True}):
            assert not kt.augment.Resize(24, **({"antialias": False} | other)).is_one_operation({"images": small})
