import importlib
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks._core import ops
from tests.running import BACKEND, compiled, eagerly, in_pipeline, to_numpy

PACKAGE = Path(kt.__file__).parent
only_torch = pytest.mark.skipif(
    BACKEND != "torch", reason="the other backends keep no constants: each graph has its own"
)


def test_every_operation_that_an_augmentation_names_is_there_in_a_pipeline_of_another_backend():
    pytest.importorskip("tensorflow")
    tensorflow_ops = importlib.import_module("keras_tricks._core._tensorflow_ops")
    files = [*PACKAGE.glob("augment/*.py"), PACKAGE / "_core" / "random.py", PACKAGE / "_core" / "ops.py"]
    named = {
        name
        for file in files
        for name in re.findall(r"(?<!keras\.)\b(?:_namespace\(\)|ops)\.([a-z]\w*)", file.read_text())
    }
    assert len(named) > 50
    missing = {name for name in named - vars(ops).keys() if not hasattr(tensorflow_ops, name)}
    assert not missing


@only_torch
class TestConstantsOfTorch:
    def test_made_in_inference_mode_they_can_be_used_where_gradients_are_computed(self):
        torch = importlib.import_module("torch")
        layer = kt.augment.Normalize(0.271, 0.828)
        images = torch.ones((2, 4, 4, 3))
        with torch.inference_mode():
            layer(images)
        images = torch.ones((2, 4, 4, 3), requires_grad=True)
        layer(images).sum().backward()
        np.testing.assert_allclose(images.grad.numpy(), 1 / (255 * 0.828), rtol=1e-5)

    def test_a_model_that_was_exported_goes_on_working(self):
        torch = importlib.import_module("torch")
        model = keras.Sequential([keras.Input((4, 4, 3)), kt.augment.Normalize(0.314, 0.159)])
        images = torch.ones((2, 4, 4, 3))
        torch.export.export(model, (images,), strict=False)
        assert type(model(images)) is torch.Tensor
        np.testing.assert_allclose(to_numpy(model(images)), (1 / 255 - 0.314) / 0.159, rtol=1e-5)

    def test_torchs_compiler_takes_layers(self):
        torch = importlib.import_module("torch")
        images = torch.arange(4 * 6 * 6 * 3, dtype=torch.float32).reshape(4, 6, 6, 3) % 255

        def make():
            crop, jitter = kt.augment.RandomCrop(padding=2), kt.augment.ColorJitter(0.4, 0.4, 0.4, 0.1)
            return kt.augment.Sequence([kt.augment.RandomFlip(), crop, jitter, kt.augment.Normalize(0.4, 0.3)], seed=1)

        layer, plain = make(), make()
        compiled = torch.compile(lambda images: layer(images), backend="eager")
        for _ in range(3):
            np.testing.assert_allclose(to_numpy(compiled(images)), to_numpy(plain(images)), rtol=1e-5, atol=1e-3)


def tensor(array: np.ndarray):
    return keras.ops.convert_to_tensor(array)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "bool"])
@pytest.mark.parametrize("lines", [1, 4], ids=["a line for all rows", "lines of their own"])
@pytest.mark.parametrize("count", [3, 0], ids=["images", "no images"])
class TestWhereBoth:
    def test_takes_the_one_where_both_hold(self, dtype, lines, count):
        generator = np.random.default_rng(0)
        first, second = generator.random((count, 4, 1)) < 0.5, generator.random((count, 1, 9)) < 0.5
        one, other = (
            generator.integers(0, 256 if dtype != "bool" else 2, (count, rows, 9)).astype(dtype) for rows in (lines, 4)
        )
        chosen = ops.where_both(*map(tensor, (first, second, one, other)))
        assert keras.backend.standardize_dtype(chosen.dtype) == dtype
        np.testing.assert_array_equal(to_numpy(chosen), np.where(first & second, one, other))

    def test_compiled_too(self, dtype, lines, count):
        generator = np.random.default_rng(1)
        first, second = generator.random((count, 4, 1)) < 0.5, generator.random((count, 1, 9)) < 0.5
        other = generator.integers(0, 256 if dtype != "bool" else 2, (count, 4, 9)).astype(dtype)
        one = np.zeros((count, lines, 9), dtype)
        chosen = compiled(lambda images: ops.where_both(tensor(first), tensor(second), tensor(one), images), other)
        np.testing.assert_array_equal(to_numpy(chosen), np.where(first & second, one, other))


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 5, 7), (1, 5, 1)], ids=["an image", "a pixel", "a row"])
@pytest.mark.parametrize("dtypes", [("uint8", "uint8"), ("float32", "float32"), ("uint8", "float32")])
def test_where_selects_by_conditions_of_every_shape(shape, dtypes):
    generator = np.random.default_rng(2)
    one, other = (generator.integers(0, 256, (3, 5, 7)).astype(dtype) for dtype in dtypes)
    condition = generator.random(shape) < 0.5
    for first, second in ((one, other), (one[:, :1], other), (one[:1, :1, :1], other[:, :1])):
        np.testing.assert_array_equal(
            to_numpy(ops.where(*map(tensor, (condition, first, second)))), np.where(condition, first, second)
        )


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_where_chooses_whole_members_of_a_batch(dtype):
    generator = np.random.default_rng(2)
    one, other = (generator.integers(0, 256, (6, 20, 30)).astype(dtype) for _ in range(2))
    for choice in (generator.random((6, 1, 1)) < 0.5, np.ones((6, 1, 1), bool), np.zeros((6, 1, 1), bool)):
        np.testing.assert_array_equal(
            to_numpy(ops.where(*map(tensor, (choice, one, other)))), np.where(choice, one, other)
        )


@pytest.mark.parametrize("dtype", ["uint8", "float32", "int32", "bool"])
@pytest.mark.parametrize("count", [4, 0], ids=["images", "no images"])
def test_windows_are_the_slices_of_the_images(dtype, count):
    images = np.random.default_rng(3).integers(0, 256, (count, 6, 9, 3)).astype(dtype)
    assert ops.can_cut_windows(tensor(images))
    top, left = np.array([0, 2, 1, 0], "int32")[:count], np.array([0, 4, 0, 3], "int32")[:count]
    windows = to_numpy(ops.windows(tensor(images), tensor(top), tensor(left), (4, 5)))
    assert windows.shape == (count, 4, 5, 3)
    for image, row, column, window in zip(images, top, left, windows, strict=True):
        np.testing.assert_array_equal(window, image[row : row + 4, column : column + 5])


@pytest.mark.skipif(BACKEND != "torch", reason="on the other backends windows are cut in one way alone")
def test_the_gradient_of_a_crop_is_1_where_a_pixel_is_seen():
    torch = importlib.import_module("torch")
    values = np.random.default_rng(4).random((3, 6, 6, 1), "float32")
    images = torch.tensor(values, requires_grad=True)
    windows = kt.augment.RandomCrop(padding=2, seed=1)(images)
    np.testing.assert_array_equal(
        to_numpy(windows.detach()), to_numpy(kt.augment.RandomCrop(padding=2, seed=1)(torch.tensor(values)))
    )
    windows.sum().backward()
    np.testing.assert_array_equal(images.grad.numpy(), np.isin(values, to_numpy(windows.detach())))


def test_what_is_known_before_anything_runs_is_numpys():
    values = np.arange(4, dtype="float32")
    with ops.numpy_arrays():
        rounded = ops.cast(ops.floor(values / 2), "int32")
        assert not ops.in_tensorflow_graph()
    assert isinstance(rounded, np.ndarray)
    np.testing.assert_array_equal(rounded, [0, 0, 1, 1])
    assert not isinstance(ops.floor(values), np.ndarray)


def test_entries_are_taken_along_any_axis_even_of_none():
    values = np.random.default_rng(5).random((3, 4, 5), "float32")
    for axis in (0, 1, 2, -1):
        places = np.array([[2, 0], [1, 1]], "int32")
        taken = to_numpy(ops.take(tensor(values), tensor(places), axis=axis))
        np.testing.assert_array_equal(taken, np.take(values, places, axis=axis))
    none = ops.take(tensor(values[:0]), tensor(np.zeros((0, 2), "int32")), axis=0)
    assert tuple(none.shape) == (0, 2, 4, 5)


VALUES = [np.full((4, 200, 100, 3), value, dtype) for dtype in ("uint8", "float32", "float16") for value in (0, 200)]
VALUES += [np.full((4, 200, 100, 3), np.nan, "float32"), np.zeros((0, 8, 8, 3), "uint8"), np.ones((3, 2), "float32")]


@pytest.mark.parametrize("run", [eagerly, compiled, in_pipeline])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value.dtype}-{value.shape}-{value.flat[:1]}")
def test_what_is_computed_once_stays_as_it_is(value, run):
    np.testing.assert_array_equal(to_numpy(run(ops.once, value)), value)


def test_no_compiler_sees_through_the_choice_that_has_a_large_value_made_before_what_is_made_of_it():
    images = np.random.default_rng(0).random((4, 200, 100, 3), dtype="float32")

    def blurred(images):
        doubled = ops.once(ops.sin(images) * 2.0)
        return doubled[:, :-1] + doubled[:, 1:]

    expected = 2 * np.sin(images[:, :-1]) + 2 * np.sin(images[:, 1:])
    np.testing.assert_allclose(to_numpy(compiled(blurred, images)), expected, rtol=1e-5)
    if BACKEND == "torch":
        return
    if BACKEND == "jax":
        made = importlib.import_module("jax").jit(blurred).lower(images).compile().as_text()
    else:
        tf = importlib.import_module("tensorflow")
        function = tf.function(blurred, jit_compile=True, autograph=False)
        made = function.experimental_get_compiler_ir(tf.constant(images))(stage="optimized_hlo")
    assert re.search(r"= \(?f32\[4,200,100,3\]\S* conditional\(", made)


def test_the_gradient_of_what_is_computed_once_is_that_of_the_value():
    images = np.random.default_rng(0).random((4, 200, 100, 3), dtype="float32")

    def squares(images):
        return ops.sum(ops.square(ops.once(images)), axis=(0, 1, 2, 3))

    if BACKEND == "jax":
        gradient = compiled(importlib.import_module("jax").grad(squares), images)
    elif BACKEND == "tensorflow":
        tf = importlib.import_module("tensorflow")
        gradient = compiled(lambda images: tf.gradients(squares(images), images)[0], images)
    else:
        given = importlib.import_module("torch").tensor(images, requires_grad=True)
        squares(given).backward()
        gradient = given.grad
    np.testing.assert_allclose(to_numpy(gradient), 2 * images, rtol=1e-5)


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX compiles for each size, and torch runs one by one")
def test_batches_of_a_size_not_known_before_stay_as_they_are_too(is_compiled, count):
    tf = importlib.import_module("tensorflow")
    spec = tf.TensorSpec((None, 40, 40, 3), "float32")
    function = tf.function(lambda images: ops.once(images + 1), (spec,), jit_compile=is_compiled, autograph=False)
    images = np.random.default_rng(0).random((count, 40, 40, 3), dtype="float32")
    np.testing.assert_array_equal(function(images).numpy(), images + 1)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow's graphs have tensors of unknown sizes")
class TestShapes:
    def test_a_size_that_is_known_is_a_number_and_another_a_tensor(self):
        tf = importlib.import_module("tensorflow")
        seen = {}

        @tf.function(input_signature=[tf.TensorSpec((None, 4, 3)), tf.TensorSpec((2, 0)), tf.TensorSpec(None)])
        def ask(partly, known, unknown):
            seen["known"], seen["partly"] = ops.shape(known), ops.shape(partly)
            return ops.shape(partly)[0], tf.rank(unknown)

        count, _ = ask(tf.zeros((7, 4, 3)), tf.zeros((2, 0)), tf.zeros((1, 1)))
        assert seen["known"] == (2, 0)
        assert all(type(size) is int for size in seen["known"])
        assert seen["partly"][1:] == (4, 3)
        assert int(count) == 7

    def test_of_a_scalar_it_is_empty(self):
        assert tuple(ops.shape(keras.ops.convert_to_tensor(1.0))) == ()
