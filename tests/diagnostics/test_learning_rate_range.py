import dataclasses
import importlib

import keras
import numpy as np
import pytest

from keras_tricks import Trainer, augment, losses, optimizers, schedules
from keras_tricks.diagnostics import learning_rate_range
from tests.contracts.optimizer import numbers
from tests.running import BACKEND

X = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
Y = (X @ np.arange(1, 7)[:, None] / 4 + np.random.default_rng(1).normal(size=(96, 1)) / 10).astype("float32")
OPTIMIZERS = {
    "a number": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "a schedule of Keras": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 20)),
    "a schedule of ours": lambda: optimizers.SGD(schedules.OneCycle(0.1, 30), momentum=schedules.Linear(0.9, 9, 0.5)),
    "a number of ours": lambda: optimizers.AdamW(0.01, gradient_accumulation_steps=2),
    "accumulation": lambda: keras.optimizers.SGD(schedules.Linear(0.1, 10), gradient_accumulation_steps=3),
    "a wrapper": lambda: optimizers.WeightAverage(optimizers.SGD(schedules.Linear(0.1, 10))),
    "LAMB": lambda: optimizers.LAMB(schedules.Cosine(0.01, 20), weight_decay=0.1),
    "LARS": lambda: optimizers.LARS(0.05, momentum=schedules.Linear(0.9, 9, 0.5)),
    "Lookahead": lambda: optimizers.Lookahead(optimizers.SGD(schedules.Linear(0.1, 10), momentum=0.9), momentum="pull"),
    "Accumulate": lambda: optimizers.Accumulate(optimizers.AdamW(0.01), 3),
    "SwitchOptimizer": lambda: optimizers.SwitchOptimizer(keras.optimizers.Adam(0.01), optimizers.SGD(0.02), at=14),
    "SWATS": lambda: optimizers.SwitchOptimizer(keras.optimizers.Adam(0.01), optimizers.SGD(0.02), at="swats"),
    "GradualUnfreezing": lambda: optimizers.GradualUnfreezing(keras.optimizers.Adam(0.01), [("batch_norm", 15)]),
    "LayerwiseRates": lambda: optimizers.LayerwiseRates(optimizers.SGD(0.01), {"kernel": schedules.Linear(1.0, 20)}),
    "wrappers in wrappers": lambda: optimizers.GlobalNormClipping(
        optimizers.GradientNoise(optimizers.AdamW(schedules.Linear(0.1, 10))), 1.0
    ),
}


def small_model(optimizer="sgd", dropout=0.2, **compile_arguments) -> keras.Model:
    keras.utils.set_random_seed(4)
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(dropout)]
    layers.append(keras.layers.Dense(1))
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(optimizer, "mse", metrics=["mae"], **compile_arguments)
    return model


def find(model, *data, **arguments):
    data = data or (X, Y)
    arguments = {"steps": 12, "batch_size": 16, "verbose": 0} | arguments
    return learning_rate_range(model, data if len(data) > 1 else data[0], **arguments)


def state(model) -> list[np.ndarray]:
    return numbers([*model.variables, *model.optimizer.variables])


class Linear1D(keras.layers.Layer):
    """y = w * x with w = 0 at first: everything that training does is known in closed form."""

    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="zeros")

    def call(self, x):
        return x * self.w


def one_weight(optimizer) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), Linear1D()])
    model.compile(optimizer, "mse")
    return model


def test_the_ladder_is_geometric_and_each_loss_that_of_its_own_batch_before_its_update():
    x, y = np.ones((4, 1), "float32"), np.full((4, 1), 2.0, "float32")
    found = find(one_weight("sgd"), x, y, low=1e-3, high=0.1, steps=5, batch_size=4)
    np.testing.assert_allclose(found.rates, 1e-3 * 100 ** (np.arange(5) / 4), rtol=1e-12)
    weight, expected = 0.0, []
    for rate in found.rates:
        expected.append((weight - 2) ** 2)
        weight -= rate * 2 * (weight - 2)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)
    kept = [0.9 ** (4 - i) for i in range(5)]
    np.testing.assert_allclose(found.smoothed[-1], np.dot(kept, expected) / sum(kept), rtol=1e-6)
    assert found.ended == "the end of the ladder"


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(schedules.Linear(5.0, 3), gradient_accumulation_steps=2),
        lambda: optimizers.SGD(schedules.Linear(5.0, 3), gradient_accumulation_steps=2),
        lambda: keras.optimizers.SGD(0.5, gradient_accumulation_steps=2),
        lambda: optimizers.WeightAverage(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(1.0, 3))),
    ],
)
def test_every_update_is_made_at_its_rung_whatever_the_clock_of_the_schedule(optimizer):
    x, y = np.ones((4, 1), "float32"), np.full((4, 1), 2.0, "float32")
    model = one_weight(optimizer())
    model.fit(x, y, epochs=3, verbose=0)  # the clock is not at 0, nor at the beginning of an update
    model.layers[-1].w.assign(0.0)
    per_update = model.optimizer.inner_optimizer if hasattr(model.optimizer, "inner_optimizer") else model.optimizer
    if per_update.gradient_accumulation_steps:
        model.fit(x, y, verbose=0)
        model.layers[-1].w.assign(0.0)
    found = find(model, x, y, low=1e-3, high=0.1, steps=5, batch_size=4)
    weight, expected = 0.0, []
    for rate in found.rates:
        expected.append((weight - 2) ** 2)
        weight -= rate * 2 * (weight - 2)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_as_if_there_had_been_no_test(optimizer):
    def train(with_test):
        model = small_model(OPTIMIZERS[optimizer]())
        model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
        before, rate = state(model), numbers([model.optimizer.learning_rate])
        if with_test:
            find(model)
        for one, other in zip(
            [*state(model), *numbers([model.optimizer.learning_rate])], [*before, *rate], strict=True
        ):
            np.testing.assert_array_equal(one, other)
        # The order of the samples comes from the random numbers of Python, NumPy or torch.
        return model.fit(X, Y, batch_size=16, epochs=2, verbose=0).history, state(model)

    (history, one), (expected, other) = train(with_test=True), train(with_test=False)
    assert history == expected
    for value, without in zip(one, other, strict=True):
        np.testing.assert_array_equal(value, without)


def test_works_after_a_fit_with_an_average_of_keras_that_on_jax_cannot_be_trained_on():
    model = small_model(keras.optimizers.AdamW(0.01, use_ema=True))
    model.fit(X, Y, batch_size=16, verbose=0)
    before = state(model)
    find(model)
    for one, other in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(one, other)
    model.fit(X, Y, batch_size=16, verbose=0)


def test_the_schedule_and_the_compiled_step_are_the_very_same_afterwards():
    schedule = schedules.Linear(0.1, 10)
    model = small_model(optimizers.SGD(schedule), steps_per_execution=1 if BACKEND == "torch" else 2)
    model.fit(X, Y, batch_size=16, verbose=0)
    step = model.train_function
    find(model)
    assert model.optimizer.learning_rate_schedule is schedule
    assert model.train_function is step
    assert model.steps_per_execution == (1 if BACKEND == "torch" else 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_after_an_error_or_an_interrupt_everything_is_as_found(error):
    def data():
        for index in range(0, 96, 16):
            if index == 64:
                raise error("in the middle")
            yield X[index : index + 16], Y[index : index + 16]

    class Failing:
        def __iter__(self):
            return data()

    model = small_model(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 20)))
    model.fit(X, Y, verbose=0)
    before = state(model)
    with pytest.raises(error, match="in the middle"):
        find(model, Failing())
    for one, other in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])


@pytest.mark.parametrize("error", ["in the step", "in evaluate"])
def test_after_an_error_inside_a_step_nothing_of_the_test_comes_back(error):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.get_weights()

    def data():
        for index in range(0, 96, 16):
            wide = error == "in the step" and index == 64
            yield (X[index : index + 16, :3] if wide else X[index : index + 16]), Y[index : index + 16]

    class Interrupted(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index and error == "in evaluate":
                raise KeyboardInterrupt
            return X[:16], Y[:16]

    model = small_model("adam")
    model.fit(X, Y, verbose=0)
    before = state(model)
    source = type("Source", (), {"__iter__": lambda self: data()})()
    with pytest.raises(BaseException):  # noqa: B017, PT011 - each backend has its own
        find(model, source, validation_data=Interrupted())
    for one, other in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(one, other)
    model.optimizer.learning_rate = 0.0
    weights = [value.copy() for value in (v.numpy() if hasattr(v, "numpy") else v for v in model.get_weights()[:2])]
    model.fit(X, Y, verbose=0, callbacks=[Stop()])
    for one, other in zip(model.get_weights()[:2], weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_failing_step_after_a_test_does_not_bring_its_weights_back():
    model = Trainer(small_model())  # a plain model on JAX loses its weights after any error inside `fit`
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    before = model.get_weights()
    find(model, high=10.0)
    with pytest.raises(Exception):  # noqa: B017, PT011 - each backend has its own
        model.fit(X[:, :3], Y, verbose=0)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rate", [lambda: 0.01, lambda: schedules.Linear(0.01, 100)], ids=["number", "schedule"])
def test_an_update_that_loss_scaling_skips_is_made_again_at_its_rate(rate):
    x, y = np.ones((4, 1), "float32"), np.full((4, 1), 2.0, "float32")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate()), initial_scale=2.0**127)
    found = find(one_weight(scaled), x, y, low=1e-3, high=0.1, steps=5, batch_size=4)
    weight, expected = 0.0, []
    for used in found.rates:
        expected.append((weight - 2) ** 2)
        weight -= used * 2 * (weight - 2)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-4)


def test_random_numbers_that_the_data_draw_are_put_back():
    class Drawing(keras.utils.PyDataset):
        @property
        def num_batches(self):
            return None  # without an end

        def __getitem__(self, index):
            chosen = np.random.permutation(96)[:16]
            return X[chosen], Y[chosen]

    model, kept = small_model(), np.random.get_state()[1].copy()
    find(model, Drawing())
    np.testing.assert_array_equal(np.random.get_state()[1], kept)


def test_a_schedule_that_is_not_the_rate_s_stays_where_it_is():
    @keras.saving.register_keras_serializable(package="tests")
    class Own(keras.optimizers.SGD):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.other = schedules.Linear(0.3, 10)

    model = small_model(Own(0.1))
    find(model)
    assert float(numbers([model.optimizer.learning_rate])[0]) == np.float32(0.1)
    with pytest.raises(ValueError, match="must be a number or a schedule"):
        find(small_model(keras.optimizers.SGD(lambda: 0.1)))


def test_takes_arrays_data_sets_and_loaders_alike():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return X[index * 16 : index * 16 + 16], Y[index * 16 : index * 16 + 16]

    tf = importlib.import_module("tensorflow")
    data = importlib.import_module("torch.utils.data")
    torch = importlib.import_module("torch")
    loader = data.DataLoader(data.TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=16)
    pipeline = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    seen = [find(small_model(dropout=0.0), source).losses for source in (Batches(), pipeline, loader)]
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-6)
    np.testing.assert_allclose(seen[2], seen[0], rtol=1e-6)
    assert len(seen[0]) == 12  # twice through
    plain = find(small_model(dropout=0.0), X, Y).losses
    weighted = find(small_model(dropout=0.0), (X, Y, np.full(96, 2.0, "float32"))).losses
    np.testing.assert_allclose(weighted[0], 2 * plain[0], rtol=1e-5)


def test_the_validation_loss_takes_the_place_of_the_batch_s():
    x, y = np.ones((4, 1), "float32"), np.full((4, 1), 2.0, "float32")
    found = find(
        one_weight("sgd"), x, y, low=1e-2, high=0.1, steps=3, batch_size=4, validation_data=(x, np.zeros_like(y))
    )
    weight, expected = 0.0, []
    for rate in found.rates:
        weight -= rate * 2 * (weight - 2)
        expected.append(weight**2)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)


def test_stops_where_the_loss_diverges_or_is_not_finite():
    diverged = find(small_model(), low=1e-4, high=1e3, steps=60)
    assert diverged.ended == "divergence"
    assert len(diverged.rates) < 60
    assert diverged.smoothed[-1] > 4 * diverged.smoothed.min()
    overflown = find(small_model(), low=1e-4, high=1e30, steps=8, divergence=1e300)
    assert overflown.ended == "a loss that is not finite"
    assert np.isfinite(overflown.losses).all()


@pytest.mark.once("NumPy reads the suggestion off the losses, and those of every backend are tested above")
def test_suggests_a_rate_that_trains_well_and_none_where_nothing_is_learnt():
    found = find(small_model(), low=1e-5, high=10.0, steps=80)
    rates = np.geomspace(1e-4, 1.0, 9)
    final = []
    for rate in rates:
        model = small_model(optimizers.SGD(schedules.OneCycle(rate, 60), momentum=0.0))
        final.append(model.fit(X, Y, batch_size=16, epochs=10, verbose=0).history["loss"][-1])
    best = rates[int(np.nanargmin(final))]
    assert best / 10 <= found.suggestion <= best * 10
    assert "Suggested peak learning rate" in str(found)
    nothing = find(small_model(), np.zeros_like(X), np.random.default_rng(5).normal(size=(96, 1)), high=1e-4, steps=40)
    assert nothing.suggestion is None
    assert "No learning rate to suggest: the loss never fell" in str(nothing)


def test_works_with_a_trainer_and_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3)).astype("uint8")
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model = Trainer(inner, augment=[augment.RandomFlip(seed=1), augment.MixUp(num_classes=4, seed=2)])
    model.compile("adam", losses.Crossentropy(from_logits=True))
    labels = np.arange(32) % 4
    model.fit(images, labels, batch_size=8, verbose=0)
    before = state(model)
    found = find(model, images, labels, batch_size=8, low=1e-8, high=1e-3)
    assert len(found.losses) == 12
    for one, other in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_builds_a_model_that_has_not_seen_its_input():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("adam", "mse")
    found = find(model)
    assert len(found.losses) == 12
    assert int(numbers([model.optimizer.iterations])[0]) == 0


def test_the_result_is_frozen_and_draws_itself(tmp_path):
    found = find(small_model(), low=1e-4, high=10.0, steps=60)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.suggestion = 1.0
    with pytest.raises(ValueError, match="read-only"):
        found.rates[0] = 1.0
    axes = found.plot(tmp_path / "range.png")
    assert (tmp_path / "range.png").stat().st_size > 5000
    assert axes.get_xscale() == "log"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(label == f"suggestion: {found.suggestion:.2g}" for label in labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0}, "`low`.*low=0"),
        ({"high": 1e-9}, "`high`.*above low=.*high=1e-09"),
        ({"steps": 1}, "`steps`.*steps=1"),
        ({"batch_size": 0}, "`batch_size`.*batch_size=0"),
        ({"smoothing": 1.0}, "`smoothing`.*smoothing=1.0"),
        ({"divergence": 1}, "`divergence`.*divergence=1"),
    ],
)
def test_refuses_bad_arguments_by_name_and_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        find(small_model(), **arguments)


def test_refuses_no_data_a_loss_that_is_nan_at_first_and_a_model_without_an_optimizer():
    for data in ((X[:0], Y[:0]), ([],)):
        with pytest.raises(ValueError, match="`train_data`"):
            find(small_model(), *data)
    with pytest.raises(ValueError, match="`train_data` must have as many samples"):
        find(small_model(), X, Y[:5])
    with pytest.raises(ValueError, match=r"`train_data`.*nan"):
        find(small_model(), X * np.nan, Y)
    with pytest.raises(ValueError, match=r"`validation_data`.*nan"):
        find(small_model(), validation_data=(X, Y * np.nan))
    with pytest.raises(ValueError, match=r"`train_data`.*3"):
        find(small_model(), 3)
    with pytest.raises(ValueError, match="`model` must be compiled"):
        find(keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)]))


def test_says_what_it_does_unless_told_not_to(capsys):
    find(small_model(), verbose=1)
    assert "learning rate" in capsys.readouterr().out
    find(small_model(), verbose=0)
    assert capsys.readouterr().out == ""


def test_draws_without_a_seed_go_on_as_if_there_had_been_no_test():
    class Noisy(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return numbers([keras.random.normal((16, 6))])[0], Y[:16]

    def drawn(test):
        model = small_model()
        keras.utils.set_random_seed(5)
        first = numbers([keras.random.normal((4,))])[0]
        if test:
            find(model, Noisy())
        return first, numbers([keras.random.normal((4,))])[0]

    np.testing.assert_array_equal(drawn(True), drawn(False))
