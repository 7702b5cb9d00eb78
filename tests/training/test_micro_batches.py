import keras
import numpy as np
import pytest
from keras import layers

import keras_tricks as kt
from tests.running import BACKEND

CLASSES = 4


def images_and_labels(count=22):
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, 6, 6, 3)).astype("uint8"), generator.integers(0, CLASSES, count)


class Spare(layers.Layer):
    """Has a weight that no loss depends on."""

    def build(self, shape):
        self.spare = self.add_weight(shape=(2,), initializer="ones")

    def call(self, x):
        return x


def make(micro_batch_size, optimizer=None, augment=(), extra=(), **compile_arguments):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            *extra,
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    trainer = kt.Trainer(model, augment=augment, seed=1, micro_batch_size=micro_batch_size)
    optimizer = kt.optimizers.SGD(0.1, momentum=0.9) if optimizer is None else optimizer
    loss = kt.losses.Crossentropy(from_logits=True)
    trainer.compile(optimizer, loss, metrics=[kt.metrics.Accuracy(name="accuracy")], **compile_arguments)
    return trainer


def fitted(micro_batch_size, batch_size=10, epochs=2, weights=None, **arguments):
    trainer = make(micro_batch_size, **arguments)
    images, labels = images_and_labels()
    history = trainer.fit(
        images, labels, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0, sample_weight=weights
    )
    return trainer, {name: values[-1] for name, values in history.history.items()}


def assert_the_same(pieces, whole):
    (trainer, logs), (other, expected) = pieces, whole
    for weight, wanted in zip(trainer.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=2e-5, atol=1e-6)
    assert int(trainer.optimizer.iterations) == int(other.optimizer.iterations)
    assert logs == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1, 4, 50])
def test_pieces_of_any_size_make_the_update_of_the_whole_batch(size):
    """Batches of 10, 10 and 2: with rests, without, and smaller than a piece."""
    assert_the_same(fitted(size), fitted(None))


def test_samples_weigh_what_they_do_in_the_whole_batch():
    weights = np.linspace(0, 2, 22)
    assert_the_same(fitted(4, weights=weights), fitted(None, weights=weights))


def test_the_whole_batch_is_augmented_before_it_is_cut():
    def mixing():
        return [kt.augment.RandomFlip(), kt.augment.MixUp(0.4, num_classes=CLASSES)]

    assert_the_same(fitted(4, augment=mixing()), fitted(None, augment=mixing()))


def test_a_weight_without_a_gradient_stays():
    if BACKEND == "jax":
        pytest.skip("JAX gives zeros, not None, for it; decay moves such a weight with and without pieces")
    with pytest.warns(UserWarning, match="(?i)gradient"):
        pieces = fitted(4, extra=(Spare(),))
    with pytest.warns(UserWarning, match="(?i)gradient"):
        assert_the_same(pieces, fitted(None, extra=(Spare(),)))
    np.testing.assert_array_equal(pieces[0].model.layers[2].spare, [1, 1])


@pytest.mark.skipif(BACKEND != "torch", reason="elsewhere every piece has a gradient for a weight, or none has")
@pytest.mark.parametrize("first", [True, False])
def test_a_weight_that_only_some_pieces_use_gets_their_gradient(first):
    class Sometimes(Spare):
        calls = 0

        def call(self, x):
            self.calls += 1
            return x * self.spare[0] if (self.calls % 2 == 1) == first else x

    x, y = np.ones((6, 2), "float32"), np.zeros((6, 1), "float32")
    layer = Sometimes()
    layer.build((None, 2))
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="ones")])

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer, self.inner = layer, inner

        def call(self, x):
            return self.inner(self.layer(x))

    model = Model()
    trainer = kt.Trainer(model, micro_batch_size=3)
    trainer.compile(kt.optimizers.SGD(0.1), "mse")
    model(x)
    layer.calls = 0
    trainer.train_on_batch(x, y)
    # Half of the batch goes through it: loss 1/2 (2 spare)^2, its gradient 4.
    assert keras.ops.convert_to_numpy(layer.spare)[0] == pytest.approx(1 - 0.1 * 4)


def test_in_16_bits_the_pieces_overflow_no_earlier_than_the_batch():
    def run(size, scale):
        keras.utils.set_random_seed(1)
        policy = "mixed_float16"
        body = [layers.Dense(16, activation="relu", dtype=policy), layers.Dense(1, dtype=policy)]
        trainer = kt.Trainer(keras.Sequential([keras.Input((4,)), *body]), micro_batch_size=size)
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3), initial_scale=scale)
        trainer.compile(optimizer, "mse")
        x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
        for _ in range(6):
            trainer.train_on_batch(x, 4 * x[:, :1])
        return int(optimizer.inner_optimizer.iterations), float(optimizer.dynamic_scale), trainer.get_weights()

    (updates, scale, _), (expected, wanted, _) = run(3, 2.0**15), run(None, 2.0**15)
    assert updates >= expected > 0
    assert scale >= wanted
    (updates, _, weights), (expected, _, whole) = run(3, 64.0), run(None, 64.0)
    assert updates == expected == 6
    for weight, other in zip(weights, whole, strict=True):
        np.testing.assert_allclose(weight, other, rtol=2e-2, atol=1e-3)


def test_a_model_that_is_not_built_yet_and_one_without_weights():
    images, labels = images_and_labels(6)
    for body in ([layers.Flatten(), layers.Dense(CLASSES)], [layers.Flatten(), layers.Dense(CLASSES, trainable=False)]):
        trainer = kt.Trainer(keras.Sequential([layers.Rescaling(1 / 255), *body]), micro_batch_size=4)
        trainer.compile(kt.optimizers.SGD(0.1), kt.losses.Crossentropy(from_logits=True))
        if body[-1].trainable:
            trainer.fit(images, labels, verbose=0)
            assert int(trainer.optimizer.iterations) == 1
        elif BACKEND != "jax":  # which has nothing to differentiate
            with pytest.warns(UserWarning, match="trainable weights"):
                trainer.fit(images, labels, verbose=0)


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_losses_of_which_pieces_do_not_make_the_whole_are_refused(reduction):
    trainer = make(4)
    trainer.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction))
    with pytest.raises(ValueError, match=f"`micro_batch_size` needs losses .* Received: reduction='{reduction}'"):
        trainer.fit(*images_and_labels(), verbose=0)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        lambda: kt.optimizers.WeightAverage(keras.optimizers.SGD(0.1, clipnorm=0.5)),
    ],
    ids=["accumulation", "loss scaling", "wrapper"],
)
def test_what_the_optimizer_does_with_a_gradient_it_does_with_the_whole_ones(optimizer):
    assert_the_same(fitted(4, optimizer=optimizer()), fitted(None, optimizer=optimizer()))


def test_state_of_layers_moves_with_every_piece():
    trainer, _ = fitted(
        5, epochs=1, optimizer=keras.optimizers.SGD(0.0), extra=(layers.BatchNormalization(momentum=0.5),)
    )
    images, _ = images_and_labels()
    features = images
    for layer in trainer.model.layers[:2]:
        features = layer(features)
    features = keras.ops.convert_to_numpy(features)
    mean = np.zeros(4)
    for part in np.split(features, [5, 10, 15, 20]):  # batches of 10, 10 and 2
        mean = 0.5 * mean + 0.5 * part.mean((0, 1, 2))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(trainer.model.layers[2].moving_mean), mean, rtol=1e-4)


def test_it_compiles_with_xla():
    if BACKEND == "torch":
        pytest.skip("torch's compiler takes minutes for it")
    pieces = fitted(4, jit_compile=True)
    assert_the_same(pieces, fitted(None, jit_compile=True))


def test_growing_batches_go_on_in_pieces_where_memory_ends():
    images, labels = images_and_labels(24)

    def run(micro_batch_size):
        trainer = make(micro_batch_size)
        growing = kt.data.GrowingBatch((images, labels), 3, boundaries=[1, 2], factor=3, seed=1)
        history = trainer.fit(growing, epochs=3, shuffle=False, verbose=0)
        assert int(trainer.optimizer.iterations) == 8 + 3 + 1
        return trainer, {name: values[-1] for name, values in history.history.items()}

    assert_the_same(run(4), run(None))


def test_evaluation_knows_nothing_of_it():
    trainer, _ = fitted(4)
    images, labels = images_and_labels()
    found = trainer.evaluate(images, labels, verbose=0, return_dict=True)
    other = make(None)
    other.set_weights(trainer.get_weights())
    assert other.evaluate(images, labels, verbose=0, return_dict=True) == pytest.approx(found, rel=1e-5)


def test_after_an_error_in_a_step_the_optimizer_is_there():
    trainer = make(4)

    def broken(y_true, y_pred):
        raise RuntimeError("broken")

    trainer.compile(kt.optimizers.SGD(0.1), broken)
    with pytest.raises(RuntimeError, match="broken"):
        trainer.fit(*images_and_labels(), verbose=0)
    assert isinstance(trainer.optimizer, kt.optimizers.SGD)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_bad_size_is_named_with_its_value(size):
    with pytest.raises(ValueError, match=f"`micro_batch_size`.*Received: micro_batch_size={size}"):
        make(size)
