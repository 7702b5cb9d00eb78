import importlib
from functools import partial

import numpy as np
import pytest

import keras_tricks as kt
from tests.augment.photographs import photographs, pillow_resize
from tests.contracts.deterministic import DeterministicContract
from tests.running import BACKEND, in_pipeline, to_numpy


class TestCenterCrop(DeterministicContract):
    cls = kt.augment.CenterCrop
    arguments = {"size": 8}
    box_arguments = {"size": 48, "ratio": 0.8}
    box_tolerance = 1.01
    bad_arguments = [
        ({"size": -1}, "`size`.*Received: size=-1"),
        ({"ratio": 0}, "`ratio` must be above 0, up to 1. Received: ratio=0"),
        ({"ratio": 1.5}, "`ratio`.*Received: ratio=1.5"),
    ]

    @pytest.mark.parametrize(("size", "ratio"), [(56, 0.875), ((40, 59), 0.8), (96, 0.6), (57, 0.875), (61, 0.9)])
    def test_it_is_the_middle_of_pillows_resized_image(self, size, ratio):
        images = photographs(100, 150)
        height, width = (size, size) if isinstance(size, int) else size
        short = round(min(height, width) / ratio)
        cropped = to_numpy(kt.augment.CenterCrop(size, ratio)(images))
        for image, result in zip(images, cropped, strict=True):
            resized = pillow_resize(image, (short, round(short * 1.5)))
            # As torchvision rounds, where the window cannot be in the middle exactly.
            left, top = (
                round((have - want) / 2) for have, want in zip(resized.shape[1::-1], (width, height), strict=True)
            )
            expected = resized[top:, left:][:height, :width]
            np.testing.assert_allclose(result, expected, atol=0.02)

    def test_a_window_fits_that_is_as_large_as_the_resized_image(self):
        """223 * 1.5 is 334.5, which is rounded up."""
        images = photographs(200, 300)
        cropped = kt.augment.CenterCrop((223, 335), ratio=1.0)(images)
        np.testing.assert_allclose(to_numpy(cropped), to_numpy(kt.augment.Resize(223)(images)), atol=0.02)

    def test_a_window_that_does_not_fit_is_refused(self):
        with pytest.raises(ValueError, match=r"Received: size=\(40, 90\), images of 100 x 150 pixels"):
            kt.augment.CenterCrop((40, 90))(photographs(100, 150))

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX and torch have no graphs that are saved uncompiled")
    def test_at_inference_it_is_compiled_in_a_pipeline_and_not_in_a_graph_that_may_be_saved(self):
        tf = importlib.import_module("tensorflow")
        graphs = []

        class Noted(kt.augment.CenterCrop):
            def transform_images(self, images, params):
                graphs.append(tf.compat.v1.get_default_graph())
                return super().transform_images(images, params)

        images, crop = photographs(40, 60), partial(Noted(20), training=False)
        mapped = in_pipeline(crop, images)
        assert graphs[-1].outer_graph.name.startswith("Dataset_")
        traced = tf.function(crop, autograph=False).get_concrete_function(tf.constant(images))
        assert graphs[-1] is traced.graph
        np.testing.assert_allclose(traced(tf.constant(images)).numpy(), mapped.numpy(), atol=1e-3)
