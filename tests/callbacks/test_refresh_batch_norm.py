import importlib
import itertools

import keras
import numpy as np
import pytest
from keras import layers

import keras_tricks as kt
from keras_tricks._core import batch_statistics
from keras_tricks.callbacks import RefreshBatchNorm
from tests.contracts.optimizer import X, Y, assert_equal, fit, numbers, small_model

BATCHES = [X[:6], X[6:]]
AS_DATA = [(batch,) for batch in BATCHES]


def of_the_whole(batches: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the batches' means, the mean of their variances plus the variance of their means; by samples."""
    shares = np.array([len(batch) for batch in batches]) / sum(map(len, batches))
    means, variances = np.array([b.mean(0) for b in batches]), np.array([b.var(0) for b in batches])
    mean = shares @ means
    return mean, shares @ variances + shares @ (means - mean) ** 2


def normalised(batch: np.ndarray, layer) -> np.ndarray:
    gamma, beta = numbers([layer.gamma, layer.beta])
    return (batch - batch.mean(0)) / np.sqrt(batch.var(0) + layer.epsilon) * gamma + beta


def statistics(*norms) -> list[np.ndarray]:
    return [number for layer in norms for number in numbers([layer.moving_mean, layer.moving_variance])]


def two_norms() -> keras.Model:
    keras.utils.set_random_seed(3)
    parts = [layers.BatchNormalization(), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *parts])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def expected_of_two_norms(model: keras.Model, batches: list[np.ndarray]) -> list[np.ndarray]:
    first, dense = model.layers[:2]
    kernel, bias = numbers([dense.kernel, dense.bias])
    hidden = [normalised(batch, first) @ kernel + bias for batch in batches]
    return [*of_the_whole(batches), *of_the_whole(hidden)]


class Keeping(keras.callbacks.Callback):
    """What `look(model)` saw at the end of each epoch."""

    def __init__(self, look):
        super().__init__()
        self.look, self.seen = look, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.look(self.model))


def test_training_ends_with_the_statistics_of_its_last_weights():
    model = two_norms()
    fit(model, 2, callbacks=[RefreshBatchNorm(AS_DATA)])
    found = statistics(model.layers[0], model.layers[2])
    assert_equal(found, expected_of_two_norms(model, BATCHES), rtol=1e-4, atol=1e-5)
    assert [layer.momentum for layer in (model.layers[0], model.layers[2])] == [0.99, 0.99]


def test_each_epoch_is_validated_with_statistics_of_its_own_weights():
    model, plain = two_norms(), two_norms()
    keeping = Keeping(lambda model: [statistics(model.layers[0], model.layers[2]), expected_of_two_norms(model, [X])])
    refresh = RefreshBatchNorm(X, batch_size=16, each_epoch=True)
    history = fit(model, 2, validation_data=(X, Y), callbacks=[refresh, keeping]).history
    for found, expected in keeping.seen:
        assert_equal(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(history["val_loss"][-1], model.evaluate(X, Y, verbose=0), rtol=1e-5)
    fit(plain, 2)
    assert_equal(numbers(model.trainable_variables), numbers(plain.trainable_variables), rtol=1e-5, atol=1e-7)


def test_without_a_validation_the_end_of_an_epoch_sees_them():
    model = small_model("sgd")
    keeping = Keeping(lambda model: statistics(model.layers[1]))
    fit(model, callbacks=[RefreshBatchNorm(X, batch_size=16, each_epoch=True), keeping])
    assert_equal(statistics(model.layers[1]), keeping.seen[-1])
    hidden = X @ numbers([model.layers[0].kernel])[0]
    assert_equal(keeping.seen[-1], of_the_whole([hidden]), rtol=1e-4, atol=1e-5)


def test_all_else_in_the_model_stays_as_it_was():
    keras.utils.set_random_seed(3)
    shared, nested = layers.BatchNormalization(), layers.BatchNormalization()
    frozen = layers.BatchNormalization(trainable=False)
    inputs = keras.Input((4,))
    twice = layers.Concatenate()([shared(inputs), shared(3 * inputs + 1)])
    inside = keras.Sequential([layers.Dropout(0.5), nested])(frozen(twice))
    model = keras.Model(inputs, layers.Dense(1)(layers.LayerNormalization()(inside)))
    refresh, before = RefreshBatchNorm(AS_DATA), numbers(model.variables)
    refresh.refresh(model)
    changed = [v for v, old in zip(model.variables, before, strict=True) if np.any(numbers([v])[0] != old)]
    changing = [shared.moving_mean, shared.moving_variance, nested.moving_mean, nested.moving_variance]
    assert {id(v) for v in changed} == {id(v) for v in changing}
    assert {id(v) for v in batch_statistics.variables(model)} == {id(v) for v in changing}
    pieces = [piece for batch in BATCHES for piece in (batch, 3 * batch + 1)]
    assert_equal(statistics(shared), of_the_whole(pieces), rtol=1e-4, atol=1e-5)
    again = numbers(model.variables)
    refresh.refresh(model)  # the same seeds drop the same
    assert_equal(numbers(model.variables), again)


def test_layers_that_are_frozen_later_are_left_alone():
    model, refresh = two_norms(), RefreshBatchNorm(AS_DATA)
    refresh.refresh(model)
    first, _, second, _ = model.layers
    before, first.trainable = statistics(first), False
    first.moving_mean.assign(first.moving_mean + 1.0)
    refresh.refresh(model)
    assert_equal(statistics(first), [before[0] + 1, before[1]], rtol=1e-6)
    expected = (X - before[0] - 1) / np.sqrt(before[1] + first.epsilon) @ numbers([model.layers[1].kernel])[0]
    assert_equal(statistics(second), of_the_whole([expected]), rtol=1e-4, atol=1e-5)


def test_statistics_that_were_lost_are_found_again():
    model = two_norms()
    model.layers[0].moving_variance.assign(np.full(4, np.nan, "float32"))
    RefreshBatchNorm(AS_DATA).refresh(model)
    found = statistics(model.layers[0], model.layers[2])
    assert_equal(found, expected_of_two_norms(model, BATCHES), rtol=1e-4, atol=1e-5)


def test_a_renormalising_layer_keeps_its_deviation_beside_its_variance():
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(renorm=True)])
    RefreshBatchNorm(AS_DATA).refresh(model)
    layer = model.layers[0]
    mean, variance = of_the_whole(BATCHES)
    expected = [mean, variance, np.sqrt(variance + layer.epsilon)]
    assert_equal(numbers([layer.moving_mean, layer.moving_variance, layer.moving_stddev]), expected, rtol=1e-4)


def test_images_under_mixed_float16_are_measured_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((3, 3, 2)), layers.BatchNormalization()])
    images = np.random.default_rng(0).normal(100, 2, size=(10, 3, 3, 2)).astype("float16")
    RefreshBatchNorm(images, batch_size=5).refresh(model)
    pixels = images.astype("float64").reshape(-1, 2)
    assert_equal(statistics(model.layers[0]), [pixels.mean(0), pixels.var(0)], rtol=1e-3)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return BATCHES[index], np.zeros(len(BATCHES[index]))


def as_tf_data():
    tf = importlib.import_module("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)


def as_loader():
    torch = importlib.import_module("torch")
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    return torch.utils.data.DataLoader(data, batch_size=8)


@pytest.mark.parametrize(
    "make", [lambda: X, lambda: (X, Y), as_tf_data, as_loader, Batches], ids=["x", "xy", "tf.data", "loader", "py"]
)
def test_takes_what_fit_takes(make):
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    RefreshBatchNorm(make(), batch_size=6).refresh(model)
    assert_equal(statistics(model.layers[0]), [X.mean(0), X.var(0)], rtol=1e-4, atol=1e-5)


def test_no_more_batches_are_read_than_it_is_to():
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    RefreshBatchNorm(itertools.repeat(X[:6]), batches=3).refresh(model)
    assert_equal(statistics(model.layers[0]), [X[:6].mean(0), X[:6].var(0)], rtol=1e-4, atol=1e-5)


def test_a_model_without_batch_norm_needs_no_data():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    fit(model, callbacks=[RefreshBatchNorm(None)])


def test_a_trainer_s_batches_are_augmented_and_its_stream_stays():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)])
    trainer = kt.Trainer(model, augment=[kt.augment.Invert(rate=1.0, seed=1), kt.augment.MixUp(0.2, num_classes=2)])
    trainer.compile("sgd", kt.losses.Crossentropy(from_logits=True))
    images, labels = np.random.default_rng(0).integers(0, 200, (8, 4, 4, 1)).astype("uint8"), np.arange(8) % 2
    trainer.fit(images, labels, verbose=0)
    before = numbers(trainer.variables)
    RefreshBatchNorm((images, labels), batch_size=8).refresh(trainer)
    layer = model.layers[0]
    changed = [v for v, old in zip(trainer.variables, before, strict=True) if np.any(numbers([v])[0] != old)]
    assert {id(v) for v in changed} == {id(layer.moving_mean), id(layer.moving_variance)}
    mean, variance = statistics(layer)
    assert abs(mean[0] - (255 - images.mean())) < 15 < abs(mean[0] - images.mean())
    assert 0.2 * images.var() < variance[0] < images.var()


def test_an_error_of_the_data_leaves_the_model_as_it_was():
    def broken():
        yield X[:6]
        raise OSError("disk")

    model = two_norms()
    before = numbers(model.variables)
    with pytest.raises(OSError, match="disk"):
        RefreshBatchNorm(broken()).refresh(model)
    assert_equal(numbers(model.variables), before)
    assert [layer.momentum for layer in batch_statistics.layers(model)] == [0.99, 0.99]
    fit(model)


def test_refuses_data_without_a_batch_and_bad_arguments():
    with pytest.raises(ValueError, match="`dataset` must have a batch"):
        RefreshBatchNorm([]).refresh(two_norms())
    for name, value in [("batches", 0), ("batch_size", 2.5), ("each_epoch", "yes")]:
        with pytest.raises(ValueError, match=f"`{name}`.*{value!r}"):
            RefreshBatchNorm(X, **{name: value})


def test_is_described_by_its_config():
    again = RefreshBatchNorm.from_config(RefreshBatchNorm(X, 7, 5, True, 1).get_config())
    assert [again.batches, again.batch_size, again.each_epoch, again.verbose] == [7, 5, True, 1]
    assert_equal([again.dataset], [X])


def test_shows_its_progress_if_asked(capsys):
    RefreshBatchNorm(AS_DATA, verbose=1).refresh(two_norms())
    assert "batch of statistics" in capsys.readouterr().out
    RefreshBatchNorm(AS_DATA).refresh(two_norms())
    assert capsys.readouterr().out == ""
