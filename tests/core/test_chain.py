import importlib

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks._core import ops
from tests.running import BACKEND, to_numpy

# Large enough to be made by a choice: see `ops.once`.
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3)).astype("float32")


def make_layers() -> list[keras.layers.Layer]:
    augment = kt.augment
    return [augment.RandomFlip(seed=1), augment.RandomCrop(padding=2, seed=2), augment.ColorJitter(0.4, 0.4, seed=3)]


@pytest.fixture
def asked_for(monkeypatch) -> list[tuple[int, ...]]:
    """The shapes of what is to be made once."""
    shapes, once = [], ops.once

    def look(value):
        shapes.append(tuple(value.shape))
        return once(value)

    monkeypatch.setattr(ops, "once", look)
    return shapes


@pytest.fixture
def made_once(asked_for):
    """The shapes of the images among them."""
    return lambda: [shape for shape in asked_for if len(shape) == 4]


def call_in_training(model: keras.Model):
    """A compiled call of the model as it is in a step of training."""
    if BACKEND == "jax":
        jax = importlib.import_module("jax")
        states = [variable.value for variable in model.non_trainable_variables]
        return jax.jit(lambda images: model.stateless_call([], states, images, training=True)[0])
    tf = importlib.import_module("tensorflow")
    return tf.function(lambda images: model(images, training=True), jit_compile=True)


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs one operation after another")
def test_in_a_compiled_model_a_layer_takes_the_images_of_the_one_before_when_they_are_made(made_once):
    model = keras.Sequential([keras.Input((32, 32, 3)), *make_layers()])
    changed = call_in_training(model)(IMAGES)
    assert made_once() == [IMAGES.shape] * 2
    expected = IMAGES
    for layer in make_layers():
        expected = to_numpy(layer(expected))
    np.testing.assert_allclose(to_numpy(changed), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs one operation after another")
def test_in_a_compiled_model_a_layer_after_one_of_keras_takes_the_images_as_they_come(made_once):
    flip, crop, _ = make_layers()
    model = keras.Sequential([keras.Input((32, 32, 3)), flip, keras.layers.Rescaling(2.0), crop])
    call_in_training(model)(IMAGES)
    assert made_once() == []


@pytest.mark.skipif(BACKEND == "torch", reason="torch runs one operation after another")
def test_what_is_drawn_for_each_image_is_drawn_before_its_pixels_are_looked_at(asked_for):
    crop = make_layers()[1]
    call_in_training(keras.Sequential([keras.Input((32, 32, 3)), crop]))(IMAGES)
    assert asked_for == [(32,), (32,)]  # the top and the left of each window


def test_outside_of_compiled_code_nothing_is_to_be_made_once(made_once):
    images = IMAGES
    for layer in make_layers():
        images = layer(images)
    assert made_once() == []


def test_in_a_pipeline_every_layer_is_compiled_for_itself(made_once):
    tf = importlib.import_module("tensorflow")
    flip, crop, _ = make_layers()
    data = tf.data.Dataset.from_tensor_slices(IMAGES).batch(32).map(lambda images: crop(flip(images)))
    changed = next(iter(data))
    assert made_once() == []
    flip, crop, _ = make_layers()
    np.testing.assert_array_equal(changed.numpy(), to_numpy(crop(flip(IMAGES))))
