import dataclasses
import importlib
import json

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_tricks as kt
from tests.running import BACKEND, to_numpy

SAM = kt.training.SAM
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(32, 4)).astype("float32")
Y = (2 * X[:, :1] + np.sin(X[:, 1:2])).astype("float32")
WEIGHTS = GENERATOR.uniform(0, 2, 32).astype("float32")
RATE, MOMENTUM, PENALTY = 0.1, 0.9, 0.02


def network(penalty=0.0) -> keras.Model:
    keras.utils.set_random_seed(1)
    regularizer = keras.regularizers.L2(penalty) if penalty else None
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="tanh", kernel_regularizer=regularizer),
            layers.Dense(1, kernel_regularizer=regularizer),
        ]
    )


def reference(sharpness, steps, batch=8, piece=8, accumulated=1, penalty=0.0, weights=None) -> list[np.ndarray]:
    """The weights after `steps` batches, with gradients written out by hand, in float64."""
    parameters = [weight.astype("float64") for weight in network(penalty).get_weights()]
    velocities = [np.zeros_like(weight) for weight in parameters]

    def gradient(at, rows):
        a, b, c, d = at
        share = np.ones((len(X), 1)) if weights is None else weights[:, None]
        hidden = np.tanh(X[rows] @ a + b)
        error = 2 * share[rows] * (hidden @ c + d - Y[rows]) / len(X[rows])
        inner = (error @ c.T) * (1 - hidden**2)
        return [X[rows].T @ inner + 2 * penalty * a, inner.sum(0), hidden.T @ error + 2 * penalty * c, error.sum(0)]

    def descent(rows, takes_two):
        slopes = gradient(parameters, rows)
        if not takes_two:
            return slopes
        sizes = [np.abs(weight) + 0.01 if sharpness.adaptive else np.ones_like(weight) for weight in parameters]
        norm = np.sqrt(sum(((size * slope) ** 2).sum() for size, slope in zip(sizes, slopes, strict=True)))
        moves = zip(parameters, sizes, slopes, strict=True)
        return gradient([w + sharpness.rho * t * t * g / norm for w, t, g in moves], rows)

    total = [np.zeros_like(weight) for weight in parameters]
    for step in range(steps):
        takes_two = sharpness is not None and (step // accumulated) % sharpness.every == 0
        start = batch * (step % (len(X) // batch))
        for first in range(start, start + batch, piece):
            found = descent(slice(first, first + piece), takes_two)
            total = [t + g * piece / batch / accumulated for t, g in zip(total, found, strict=True)]
        if (step + 1) % accumulated == 0:
            velocities = [MOMENTUM * v - RATE * g for v, g in zip(velocities, total, strict=True)]
            parameters = [w + v for w, v in zip(parameters, velocities, strict=True)]
            total = [np.zeros_like(weight) for weight in parameters]
    return parameters


def compiled(trainer, optimizer=None, loss="mse", **arguments) -> kt.Trainer:
    trainer.compile(optimizer or keras.optimizers.SGD(RATE, momentum=MOMENTUM), loss, **arguments)
    return trainer


def fit(trainer, epochs=2, **arguments) -> kt.Trainer:
    trainer.fit(X, Y, **({"batch_size": 8, "epochs": epochs, "shuffle": False, "verbose": 0} | arguments))
    return trainer


def assert_equal_weights(found, expected, **tolerance) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **({"rtol": 1e-5, "atol": 1e-5} | tolerance))


COMPILED = {"jit_compile": True, **({} if BACKEND == "torch" else {"steps_per_execution": 2})}


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of what it cannot look through
@pytest.mark.usefixtures("tracing_compiler")
@pytest.mark.parametrize(
    ("sharpness", "arguments"),
    [
        (SAM(0.3), {}),
        (SAM(0.3, adaptive=True), {}),
        (SAM(0.3, every=3), {}),
        (SAM(0.3, adaptive=True, every=2), COMPILED),
    ],
    ids=repr,
)
def test_it_equals_the_formula(sharpness, arguments):
    trainer = fit(compiled(kt.Trainer(network(), sharpness=sharpness), **arguments))
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 8))
    # Far from what a plain step makes, or this would show nothing.
    assert np.abs(trainer.get_weights()[0] - reference(None, 8)[0]).max() > 1e-3


def test_run_eagerly_and_compiled_are_the_same():
    sharpness = SAM(0.3, every=2)
    trainer = fit(compiled(kt.Trainer(network(), sharpness=sharpness), run_eagerly=True), epochs=1)
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 4))


@pytest.mark.skipif(BACKEND != "jax", reason="on a processor only JAX has another way to choose")
def test_where_the_choice_is_part_of_the_step_it_is_the_same(monkeypatch):
    monkeypatch.setattr("keras_tricks.training._jax_sharpness.chooses_on_host", lambda trainer: False)
    sharpness = SAM(0.3, every=2)
    trainer = fit(compiled(kt.Trainer(network(), sharpness=sharpness)), epochs=1)
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 4))


def test_penalties_and_weights_of_samples_are_part_of_both_gradients():
    sharpness = SAM(0.3)
    trainer = compiled(kt.Trainer(network(PENALTY), sharpness=sharpness))
    fit(trainer, sample_weight=WEIGHTS)
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 8, penalty=PENALTY, weights=WEIGHTS))


def test_every_counts_updates_of_which_each_batch_takes_its_own_passes():
    sharpness = SAM(0.3, every=2)
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM, gradient_accumulation_steps=2)
    trainer = fit(compiled(kt.Trainer(network(), sharpness=sharpness), optimizer))
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 8, accumulated=2))


def test_pieces_of_a_batch_take_their_own_passes():
    sharpness = SAM(0.3, every=2)
    trainer = fit(compiled(kt.Trainer(network(), micro_batch_size=4, sharpness=sharpness)))
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 8, piece=4))


def test_frozen_weights_are_put_back_as_they_were():
    optimizer = kt.optimizers.Freeze(keras.optimizers.SGD(RATE, momentum=MOMENTUM), "kernel")
    trainer = compiled(kt.Trainer(network(), sharpness=SAM(0.3)), optimizer)
    before = {weight.path: weight for weight in trainer.trainable_variables}
    before = {path: ops.convert_to_numpy(weight).copy() for path, weight in before.items()}
    fit(trainer)
    for weight in trainer.trainable_variables:
        same = np.array_equal(ops.convert_to_numpy(weight), before[weight.path])
        assert same == weight.path.endswith("kernel")


def test_with_a_small_radius_it_is_the_plain_step():
    trainer = fit(compiled(kt.Trainer(network(), sharpness=SAM(1e-7))))
    assert_equal_weights(trainer.get_weights(), reference(None, 8))


# What the second pass must not touch


def make_with_state(sharpness) -> kt.Trainer:
    keras.utils.set_random_seed(1)
    body = [layers.Conv2D(3, 2), layers.BatchNormalization(momentum=0.5), layers.Dropout(0.4), layers.Flatten()]
    model = keras.Sequential([keras.Input((5, 5, 1)), *body, layers.Dense(2)])
    trainer = kt.Trainer(model, [kt.augment.RandomFlip(seed=1)], seed=3, sharpness=sharpness)
    loss = kt.losses.Crossentropy(from_logits=True)
    return compiled(trainer, keras.optimizers.SGD(0.0), loss, metrics=[kt.metrics.Accuracy()])


def test_statistics_seeds_metrics_and_loss_are_those_of_a_plain_step():
    images = GENERATOR.uniform(0, 255, (12, 5, 5, 1)).astype("float32")
    labels = GENERATOR.integers(0, 2, 12)
    sharp, plain = make_with_state(SAM(5.0)), make_with_state(None)
    curves = []
    for trainer in (sharp, plain):
        keras.utils.set_random_seed(2)  # torch's dropout without a seed draws from its own generator
        history = trainer.fit(images, labels, batch_size=4, epochs=2, shuffle=False, verbose=0)
        curves.append(history.history)
    for name, curve in curves[1].items():
        assert curves[0][name] == pytest.approx(curve, rel=1e-5)
    found = {variable.path: to_numpy(ops.convert_to_tensor(variable)) for variable in sharp.non_trainable_variables}
    states = [to_numpy(ops.convert_to_tensor(variable)) for variable in plain.non_trainable_variables]
    assert len(found) == 5  # mean and variance, and what dropout and the augmentations count
    for value, expected in zip(found.values(), states, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_both_passes_drop_the_same_features():
    """One sample of ones through dropout and a sum: the weights that move are those that were kept."""
    model = keras.Sequential([keras.Input((16,)), layers.Dropout(0.5), layers.Dense(1, use_bias=False)])
    trainer = compiled(kt.Trainer(model, sharpness=SAM(0.5)), keras.optimizers.SGD(0.01))
    one, target = np.ones((1, 16), "float32"), np.full((1, 1), 3.0, "float32")
    for _ in range(3):
        before = model.get_weights()[0][:, 0].astype("float64")
        loss = trainer.train_on_batch(one, target)
        moves = model.get_weights()[0][:, 0] - before
        kept = moves != 0
        assert 0 < kept.sum() < 16
        error = 2 * before[kept].sum() - 3  # dropout doubles what it keeps
        assert loss == pytest.approx(error**2, rel=1e-4)
        top = before[kept] + np.sign(error) * 0.5 / np.sqrt(kept.sum())
        np.testing.assert_allclose(moves[kept], -0.01 * 2 * (2 * top.sum() - 3) * 2, rtol=1e-3)


def test_both_passes_see_the_same_augmented_batch():
    """An image of one pixel p and one weight w: the loss is (p w)^2, the gradient at the top 2 p^2 (w + rho)."""
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), layers.Flatten(), layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    noise = kt.augment.GaussianNoise(0.5, value_range=(-10, 10), seed=1)
    trainer = compiled(kt.Trainer(model, noise, sharpness=SAM(0.5)), keras.optimizers.SGD(0.01))
    image, target = np.ones((1, 1, 1, 1), "float32"), np.zeros((1, 1), "float32")
    pixels = []
    for _ in range(3):
        before = float(model.get_weights()[0][0, 0])
        pixels.append(trainer.train_on_batch(image, target) / before**2)
        assert model.get_weights()[0][0, 0] - before == pytest.approx(-0.02 * pixels[-1] * (before + 0.5), rel=1e-3)
    assert len(set(np.round(pixels, 3))) == 3


def test_after_an_error_in_the_second_pass_the_weights_are_what_they_were():
    calls = []

    def broken(y_true, y_pred):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("in the second pass")
        return ops.mean(ops.square(y_true - y_pred), -1)

    trainer = compiled(kt.Trainer(network(), sharpness=SAM(0.5)), loss=broken, run_eagerly=True)
    before = trainer.get_weights()
    calls.clear()
    with pytest.raises(RuntimeError, match="in the second pass"):
        fit(trainer)
    assert_equal_weights(trainer.get_weights(), before, rtol=0, atol=0)


class Counts(layers.Layer):
    calls = 0

    def call(self, x):
        self.calls += 1
        return x


def test_a_cheap_step_does_not_compute_the_second_pass():
    counter = Counts()
    model = keras.Sequential([keras.Input((4,)), counter, layers.Dense(1)])
    trainer = compiled(kt.Trainer(model, sharpness=SAM(0.3, every=3)), run_eagerly=True)
    trainer.train_on_batch(X, Y)
    counter.calls = 0
    for _ in range(6):
        trainer.train_on_batch(X, Y)
    assert counter.calls == 6 + 2


# What gradients may be


def test_without_a_slope_the_weights_stay():
    for sharpness in (SAM(0.5), SAM(0.5, adaptive=True)):
        trainer = compiled(kt.Trainer(network(), sharpness=sharpness))
        before = trainer.get_weights()
        trainer.train_on_batch(X, np.asarray(trainer.predict(X, batch_size=32, verbose=0)))
        assert_equal_weights(trainer.get_weights(), before, atol=1e-6)
        trainer.train_on_batch(X, Y, sample_weight=np.zeros(32))
        assert np.isfinite(trainer.get_weights()[0]).all()


class Spare(layers.Layer):
    """Has a weight that no loss depends on."""

    def build(self, shape):
        self.spare = self.add_weight(shape=(2,), initializer="ones")

    def call(self, x):
        return x


@pytest.mark.skipif(BACKEND == "jax", reason="JAX gives zeros, not None")
def test_a_weight_without_a_gradient_stays():
    spare = Spare()
    model = keras.Sequential([keras.Input((4,)), spare, layers.Dense(1, kernel_initializer="ones")])
    trainer = compiled(kt.Trainer(model, sharpness=SAM(0.3, adaptive=True)))
    with pytest.warns(UserWarning, match="(?i)gradient"):
        trainer.train_on_batch(X, Y)
    np.testing.assert_array_equal(to_numpy(ops.convert_to_tensor(spare.spare)), [1, 1])
    assert (model.layers[-1].get_weights()[0] != 1).all()


def test_rows_of_an_embedding_that_come_twice_count_as_one_weight():
    table = layers.Embedding(3, 1, embeddings_initializer="ones")
    model = keras.Sequential([keras.Input((1,), dtype="int32"), table, layers.Flatten()])
    for every in (1, 2):
        table.set_weights([np.ones((3, 1))])
        trainer = compiled(kt.Trainer(model, sharpness=SAM(0.5, every=every)), keras.optimizers.SGD(0.1))
        trainer.train_on_batch(np.array([[1], [1]]), np.zeros((2, 1), "float32"))
        # The loss is the square of one weight, at 1 and then at 1.5.
        np.testing.assert_allclose(table.get_weights()[0][:, 0], [1, 1 - 0.1 * 2 * 1.5, 1], rtol=1e-6)


# Mixed precision and loss scaling


def scaled(sharpness, scale, x=X, body=None) -> kt.Trainer:
    trainer = kt.Trainer(body or network(), sharpness=sharpness)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE, momentum=MOMENTUM), initial_scale=scale)
    return compiled(trainer, optimizer)


def test_the_norm_is_that_of_the_gradient_that_is_not_scaled():
    sharpness = SAM(0.3, every=2)
    trainer = fit(scaled(sharpness, 2.0**12))
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 8))


def test_in_16_bits_steps_that_overflow_are_left_out():
    def half():
        keras.utils.set_random_seed(1)
        return keras.Sequential(
            [keras.Input((4,)), *(layers.Dense(n, dtype="mixed_float16") for n in (5, 1))],
        )

    sharp, plain = scaled(SAM(0.01), 2.0**18, body=half()), scaled(None, 2.0**18, body=half())
    for trainer in (sharp, plain):
        for _ in range(8):
            trainer.train_on_batch(X, Y)
    skipped = 8 - int(plain.optimizer.iterations)
    assert 0 < skipped < 8
    assert int(sharp.optimizer.iterations) == 8 - skipped
    assert float(sharp.optimizer.dynamic_scale) == float(plain.optimizer.dynamic_scale) == 2.0 ** (18 - skipped)
    assert np.isfinite(sharp.get_weights()[0]).all()


class Forgiving(layers.Layer):
    """Of a weight that is not finite, its output and its gradient know nothing."""

    def build(self, shape):
        self.weight = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        weight = ops.convert_to_tensor(self.weight)
        return x * ops.where(ops.isfinite(weight), weight, ops.zeros_like(weight))


def test_an_overflow_of_the_first_gradient_is_not_hidden_by_the_second():
    trainer = scaled(SAM(0.5), 1e38, body=keras.Sequential([keras.Input((4,)), Forgiving()]))
    trainer.train_on_batch(100 * X, X)
    assert int(trainer.optimizer.iterations) == 0
    assert float(trainer.optimizer.dynamic_scale) == pytest.approx(0.5e38)
    assert trainer.get_weights()[0] == 1


# With what stands around


def test_averages_of_weights_and_statistics_are_of_what_the_step_leaves():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(momentum=0.5), layers.Dense(1)])
    optimizer = kt.optimizers.WeightAverage(keras.optimizers.SGD(RATE), decay=0.0, warmup=False)
    trainer = compiled(kt.Trainer(model, sharpness=SAM(0.5, every=2)), optimizer)
    fit(trainer, callbacks=[kt.callbacks.EvaluateWithAverage()])
    pairs = optimizer.average
    assert len(pairs) == 6
    for variable, average in pairs:
        value = to_numpy(ops.convert_to_tensor(variable))
        assert (value != 0).any()
        np.testing.assert_allclose(to_numpy(ops.convert_to_tensor(average)), value, rtol=1e-6, atol=1e-7)
    mean = np.zeros(4)
    for batch in np.split(np.tile(X, (2, 1)), 8):
        mean = 0.5 * mean + 0.5 * batch.mean(0)
    np.testing.assert_allclose(to_numpy(ops.convert_to_tensor(model.layers[0].moving_mean)), mean, rtol=1e-4, atol=1e-6)


def test_a_run_saved_in_the_middle_and_loaded_ends_as_one_that_was_not(tmp_path):
    sharpness = SAM(0.3, adaptive=True, every=3)  # four batches an epoch: the second begins between two
    halved = fit(compiled(kt.Trainer(network(), sharpness=sharpness)), epochs=1)
    halved.save(tmp_path / "trainer.keras")
    resumed = keras.models.load_model(tmp_path / "trainer.keras")
    assert resumed.sharpness == sharpness
    fit(resumed, epochs=2, initial_epoch=1)
    assert_equal_weights(resumed.get_weights(), reference(sharpness, 8))


def test_a_loss_of_ones_own_is_the_loss_of_both_passes():
    class Custom(kt.Trainer):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ops.mean(ops.square(y_pred - y))

    sharpness = SAM(0.3)
    trainer = fit(compiled(Custom(network(), sharpness=sharpness)), epochs=1)
    assert_equal_weights(trainer.get_weights(), reference(sharpness, 4))


@pytest.mark.skipif(BACKEND != "torch", reason="modules of torch run on torch")
def test_modules_of_torch_take_part_and_count_once():
    torch = importlib.import_module("torch")

    def run(sharpness):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
        model = keras.Sequential([keras.Input((4,)), keras.layers.TorchModuleWrapper(module, output_shape=(None, 1))])
        trainer = compiled(kt.Trainer(model, sharpness=sharpness), keras.optimizers.SGD(RATE))
        trainer.train_on_batch(X, Y)
        return module

    sharp, plain = run(SAM(0.5)), run(None)
    assert int(sharp[0].num_batches_tracked) == 1
    np.testing.assert_array_equal(sharp[0].running_mean, plain[0].running_mean)
    assert (to_numpy(sharp[1].weight.detach()) != to_numpy(plain[1].weight.detach())).all()


# The description


def test_it_is_a_frozen_description_that_makes_itself_anew():
    sharpness = SAM(0.1, adaptive=True, every=4)
    assert repr(sharpness) == "SAM(rho=0.1, adaptive=True, every=4)"
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(sharpness)))
    assert keras.saving.deserialize_keras_object(config) == sharpness
    assert SAM() == SAM(rho=0.05, adaptive=False, every=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sharpness.rho = 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rho": 0}, "`rho` must be a number above 0. Received: rho=0"),
        ({"rho": "much"}, "`rho` must be a number above 0. Received: rho='much'"),
        ({"adaptive": 2}, "`adaptive` must be one of True, False. Received: adaptive=2"),
        ({"every": 0}, "`every` must be an integer not below 1. Received: every=0"),
        ({"every": 1.5}, "`every` must be an integer not below 1. Received: every=1.5"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        SAM(**arguments)


def test_a_sharpness_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"`sharpness` must be a keras_tricks.training.SAM, or None. Received: .*0.05"):
        kt.Trainer(network(), sharpness=0.05)
