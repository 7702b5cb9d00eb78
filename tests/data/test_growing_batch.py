import importlib
import itertools
import operator
import threading
import warnings

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks.data._live import LiveCount
from keras_tricks.data._sources import Stream
from tests.running import to_numpy

SAMPLES = 50
X = np.arange(SAMPLES, dtype="float32")[:, None]
SIZES = [[5] * 10, [10] * 5, [20, 20, 10], [20, 20, 10]]


class Halves(keras.utils.PyDataset):
    """Ten batches of five, in an order that the data set itself changes after each epoch."""

    def __init__(self):
        super().__init__()
        self.order, self.begun = np.arange(SAMPLES), 0

    def __len__(self):
        return 10

    def __getitem__(self, index):
        chosen = self.order[index * 5 : index * 5 + 5]
        return X[chosen], X[chosen]

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.order = self.order[::-1]


def tf_dataset():
    tf = importlib.import_module("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, X))


def loader(**arguments):
    data = importlib.import_module("torch.utils.data")
    torch = importlib.import_module("torch")
    return data.DataLoader(data.TensorDataset(torch.tensor(X), torch.tensor(X)), **arguments)


SOURCES = {
    "arrays": lambda: ((X, X), 5),
    "PyDataset": lambda: (Halves(), None),
    "tf.data of batches": lambda: (tf_dataset().shuffle(50).batch(5), None),
    "tf.data of samples": lambda: (tf_dataset(), 5),
    "DataLoader": lambda: (loader(batch_size=5, shuffle=True), None),
    "DataLoader of samples": lambda: (loader(batch_size=None), 5),
    "list of batches": lambda: ([(X[start : start + 5], X[start : start + 5]) for start in range(0, 50, 5)], None),
}


class Batches(keras.callbacks.Callback):
    """What each epoch of a `fit` trained on."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append([])

    def on_train_batch_end(self, batch, logs=None):
        self.epochs[-1].append(dict(logs))


class Sums(keras.Model):
    """A model whose loss is the sum of the samples of the batch, and which therefore tells what it was given."""

    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(shape=(), initializer="zeros")

    def call(self, x):
        return x + 0 * self.weight


class Squares(keras.metrics.Sum):
    """The sum of the squares of the samples that an epoch trained on: that of all of them, if each came once."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(keras.ops.square(y_pred))


def trained(growing, epochs=4, **arguments):
    """For each epoch its batches, the mean of their sizes, and the loss; each sample comes once in each."""
    model, record = Sums(), Batches()
    model(X[:1])  # `BackupAndRestore` wants it built

    def total(y_true, y_pred):
        return keras.ops.sum(y_pred) + 0 * y_pred[:, 0]

    def size(y_true, y_pred):
        return keras.ops.sum(keras.ops.ones_like(y_pred)) + 0 * y_pred[:, 0]

    model.compile(keras.optimizers.SGD(0.0), total, metrics=[size, Squares(name="squares")])
    callbacks = [record, *arguments.pop("callbacks", [])]
    model.fit(growing, epochs=epochs, verbose=0, callbacks=callbacks, **arguments)
    # Keras logs running means.
    found = []
    for logs in record.epochs:
        counts = np.arange(1, len(logs) + 1)
        means = np.array([entry["size"] for entry in logs])
        found.append((len(counts), means[-1], logs[-1]["loss"]))
        assert logs[-1]["squares"] == np.square(X).sum()
    return model, found


class Recorded(kt.data.GrowingBatch):
    """Keeps what it gave, by epoch."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.given, self.is_within = {}, False

    def on_epoch_begin(self):
        super().on_epoch_begin()
        self.is_within = True

    def on_epoch_end(self):
        super().on_epoch_end()
        self.is_within = False

    def __getitem__(self, index):
        batch = super().__getitem__(index)
        if self.is_within:
            self.given.setdefault(self.epoch, {})[index] = to_numpy(batch[0])[:, 0]
        return batch


@pytest.mark.parametrize("source", SOURCES)
class TestEverySource:
    def make(self, source, **changes):
        dataset, batch_size = SOURCES[source]()
        return Recorded(dataset, batch_size, **({"boundaries": [1, 2], "factor": 2, "seed": 1} | changes))

    def test_an_epoch_has_every_sample_once_in_batches_that_grow(self, source):
        growing = self.make(source)
        model, found = trained(growing, shuffle=False)
        assert int(model.optimizer.iterations) == 10 + 5 + 3 + 3
        assert [count for count, _, _ in found] == [10, 5, 3, 3]
        for epoch, sizes in enumerate(SIZES):
            batches = [growing.given[epoch][index] for index in range(len(sizes))]
            assert list(map(len, batches)) == sizes
            np.testing.assert_array_equal(np.sort(np.concatenate(batches)), X[:, 0])

    def test_fit_may_shuffle_the_batches(self, source):
        growing = self.make(source)
        _, found = trained(growing)
        assert [count for count, _, _ in found] == [10, 5, 3, 3]
        for epoch, sizes in enumerate(SIZES):
            np.testing.assert_array_equal(np.sort(np.concatenate(list(growing.given[epoch].values()))), X[:, 0])
            assert sorted(map(len, growing.given[epoch].values())) == sorted(sizes)

    def test_the_next_fit_begins_anew(self, source):
        growing = self.make(source)
        for _ in range(2):
            assert [count for count, _, _ in trained(growing, epochs=3)[1]] == [10, 5, 3]

    def test_a_fit_that_was_broken_off_leaves_no_trace(self, source):
        growing = self.make(source)

        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == self.last:
                    raise KeyboardInterrupt

        for last in (9, 3):
            stop = Stop()
            stop.last = last
            with pytest.raises(KeyboardInterrupt):
                trained(growing, callbacks=[stop, growing.callback()])
            assert [count for count, _, _ in trained(growing, epochs=3)[1]] == [10, 5, 3]

    def test_fit_may_begin_later(self, source):
        growing = self.make(source, initial_epoch=1)
        assert [count for count, _, _ in trained(growing, initial_epoch=1)[1]] == [5, 3, 3]
        growing = self.make(source)
        told = trained(growing, initial_epoch=1, callbacks=[growing.callback()])[1]
        assert [count for count, _, _ in told] == [5, 3, 3]

    def test_a_batch_has_at_most_the_maximum(self, source):
        growing = self.make(source, maximum=14)
        assert [growing.batch_size_at(epoch) for epoch in range(3)] == [5, 10, 10]
        assert [count for count, _, _ in trained(growing, epochs=3)[1]] == [10, 5, 5]


def test_validation_and_metrics_go_on_as_ever():
    growing = kt.data.GrowingBatch((X, X), 5, boundaries=[1], factor=5)
    _, found = trained(growing, epochs=2, validation_data=(X, X))
    assert [mean for _, mean, _ in found] == [5.0, 25.0]
    # The sum of a batch's samples, weighted by their number: of the squares of the batches' sizes at constant samples.
    assert found[1][2] > 2 * found[0][2]


def test_evaluate_goes_through_small_batches_once():
    growing = kt.data.GrowingBatch((X, X), 5, boundaries=[1], factor=5)
    model, _ = trained(growing, epochs=2)
    for _ in range(2):
        assert model.evaluate(growing, verbose=0, return_dict=True)["size"] == 5


def test_arrays_are_shuffled_anew_in_each_epoch_as_the_seed_says():
    def orders(seed, shuffle=True):
        growing = Recorded((X, X), 5, boundaries=[2], factor=2, seed=seed, shuffle=shuffle)
        trained(growing, epochs=2, shuffle=False)
        return [np.concatenate([growing.given[epoch][index] for index in range(10)]) for epoch in range(2)]

    first, second = orders(3)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(orders(3)[1], second)
    assert not np.array_equal(orders(4)[0], first)
    np.testing.assert_array_equal(orders(3, shuffle=False)[1], X[:, 0])
    keras.utils.set_random_seed(7)
    drawn = orders(None)
    keras.utils.set_random_seed(7)
    np.testing.assert_array_equal(orders(None), drawn)


def test_a_py_dataset_hears_of_the_epochs():
    halves = Halves()
    growing = Recorded(halves, boundaries=[1], factor=2)
    trained(growing, epochs=2, shuffle=False)
    assert halves.begun >= 2
    assert not np.array_equal(growing.given[0][0], growing.given[1][0][:5])


def test_dicts_and_weights_travel_along():
    inputs, weights = {"a": X, "b": X + 1}, np.ones(SAMPLES)
    growing = kt.data.GrowingBatch((inputs, X, weights), 5, boundaries=[1], factor=2, shuffle=False)
    x, y, weight = growing[1]
    np.testing.assert_array_equal(x["b"], X[5:10] + 1)
    np.testing.assert_array_equal(y, X[5:10])
    assert weight.shape == (5,)


def test_a_run_that_was_backed_up_goes_on_where_it_was(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def callbacks(growing):
        return [keras.callbacks.BackupAndRestore(tmp_path / "backup"), growing.callback()]

    growing = Recorded((X, X), 5, boundaries=[1, 2], factor=2)
    with pytest.raises(KeyboardInterrupt):
        trained(growing, callbacks=[*callbacks(growing), Stop()])
    growing = Recorded((X, X), 5, boundaries=[1, 2], factor=2)
    assert [count for count, _, _ in trained(growing, callbacks=callbacks(growing))[1]] == [3, 3]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras does one step at a time on torch")
@pytest.mark.parametrize("steps", [2, 3, 20])
def test_several_steps_in_one_call(steps):
    growing = Recorded((X, X), 5, boundaries=[1, 2], factor=2)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras' own, where the steps of an epoch are no multiple of it
        model.fit(growing, epochs=3, verbose=0)
    assert [len(growing.given[epoch]) for epoch in range(3)] == [10, 5, 3]


def test_a_trainer_augments_what_grows():
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3)).astype("uint8")
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    trainer = kt.Trainer(model, augment=[kt.augment.RandomFlip(), kt.augment.MixUp(0.2, num_classes=4)], seed=1)
    trainer.compile(keras.optimizers.SGD(1e-4), kt.losses.Crossentropy(from_logits=True))
    growing = kt.data.GrowingBatch((images, np.arange(12) % 4), 2, boundaries=[1, 2], factor=2)
    trainer.fit(growing, epochs=3, verbose=0)
    assert int(trainer.optimizer.iterations) == 6 + 3 + 2


def test_the_steps_of_the_progress_bar_are_the_epochs(capfd):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(kt.data.GrowingBatch((X / 50, X), 5, boundaries=[1], factor=2), epochs=2, verbose=2)
    printed = capfd.readouterr().out
    assert "10/10 " in printed
    assert "5/5 " in printed


def test_nobody_is_told_that_the_data_ran_out(recwarn):
    trained(kt.data.GrowingBatch((X, X), 5, boundaries=[1, 2], factor=2))
    assert not [warning for warning in recwarn if "ran out of data" in str(warning.message)]


def test_a_reader_that_never_comes_back_does_not_stop_the_next_fit():
    """As one of TensorFlow's does not, that is left over from a `fit` that was broken off."""
    release, stuck = threading.Event(), threading.Event()

    class Blocking(list):
        def __iter__(self):
            for batch in super().__iter__():
                if threading.current_thread().name == "left over":
                    stuck.set()
                    release.wait(timeout=120)
                yield batch

    stream, batches = Stream(Blocking([(X[:5], X[:5])] * 3), None), []
    reader = threading.Thread(target=lambda: stream.group(0, 1, 0), name="left over", daemon=True)
    reader.start()
    assert stuck.wait(timeout=60)

    def next_fit():
        stream.begin_epoch()
        stream.open(1)
        batches.append(stream.group(0, 1, 0))

    main = threading.Thread(target=next_fit, daemon=True)
    main.start()
    main.join(timeout=60)
    release.set()
    reader.join(timeout=60)
    assert len(batches) == 1


def test_a_data_set_shorter_than_it_says_is_an_error_and_not_the_last_batch_again():
    class Boastful(list):
        def __len__(self):
            return 10

    growing = kt.data.GrowingBatch(Boastful([(X[:5], X[:5])] * 3), boundaries=[1])
    with pytest.raises(Exception, match=r"must be as long as it says, 10 small batches\. It ended in group 4 of 1"):
        trained(growing, epochs=1)


@pytest.mark.parametrize(("factor", "expected"), [(5, [1, 5, 25, 125]), (1.5, [1, 1, 2, 3]), (10 / 3, [1, 3, 11, 37])])
def test_small_batches_are_joined_whole(factor, expected):
    growing = kt.data.GrowingBatch((X, X), 1, boundaries=[2, 3, 9], factor=factor)
    epochs = [0, 2, 3, 9]
    assert [growing.batch_size_at(epoch) for epoch in epochs] == expected
    assert [growing.batches_at(epoch) for epoch in epochs] == [-(-SAMPLES // size) for size in expected]
    assert [growing.batch_size_at(epoch) for epoch in (1, 8, 1000)] == [expected[0], expected[2], expected[3]]


def test_growth_has_no_end_but_the_data():
    growing = kt.data.GrowingBatch((X, X), 1, boundaries=list(range(1, 400)), factor=10)
    assert growing.batches_at(399) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boundaries": [3, 2]}, "`boundaries`.*Received: boundaries="),
        ({"boundaries": [0]}, "`boundaries`"),
        ({"factor": 1}, "`factor` must be above 1. Received: factor=1"),
        ({"factor": "two"}, "`factor`"),
        ({"maximum": 4}, "`maximum` must be at least the small batch of 5. Received: maximum=4"),
        ({"batch_size": 0}, "`batch_size`.*Received: batch_size=0"),
        ({"seed": -1}, "`seed`"),
        ({"initial_epoch": -1}, "`initial_epoch`"),
        ({"dataset": (X, X[:3])}, r"`dataset` must have as many samples everywhere. Received: \[3, 50\]"),
        ({"dataset": (X[:0], X[:0])}, "`dataset` must not be empty"),
        ({"dataset": [], "batch_size": None}, "`dataset` must not be empty"),
        (
            {"dataset": [X, X], "batch_size": None},
            r"`dataset` must be a tuple \(x, y\) of arrays.*a list of 2, of shapes",
        ),
        ({"dataset": iter([X])}, "`dataset` must know its length"),
        ({"dataset": [X[0, 0]], "batch_size": None}, "`batch_size` is needed for a data set of single samples"),
        ({"dataset": [(X, X[0, 0])], "batch_size": None}, "`batch_size` is needed"),
        ({"dataset": Halves()}, "`batch_size` must be None for a PyDataset"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(changes, message):
    arguments = {"dataset": (X, X), "batch_size": 5, "boundaries": [1], "factor": 2}
    with pytest.raises(ValueError, match=message):
        kt.data.GrowingBatch(**(arguments | changes))


def test_a_tf_dataset_of_unknown_length_is_told_what_to_do():
    with pytest.raises(ValueError, match="assert_cardinality"):
        kt.data.GrowingBatch(tf_dataset().filter(lambda x, y: x[0] > 3).batch(5), boundaries=[1])


def test_a_live_count_is_its_number_in_every_sum():
    box = [7]
    live = LiveCount(lambda: box[0])
    for left, right in itertools.permutations([live, 2], 2):
        for name in ("add", "sub", "mul", "truediv", "floordiv", "mod"):
            plain = [7 if side is live else side for side in (left, right)]
            operation = getattr(operator, name)
            assert operation(left, right) == operation(*plain)
    assert (live < 8, live <= 7, live > 6, live >= 8, live == 7, live != 7) == (True, True, True, False, True, False)
    assert (list(range(live))[-1], float(live), f"{live:3d}", repr(live), bool(live)) == (6, 7.0, "  7", "7", True)
    assert np.float32(2) * live == 14
    assert (-live, abs(live), round(live), live**2, 2**live) == (-7, 7, 7, 49, 128)
    assert min(2, live) == 2
    box[0] = 1
    assert min(2, live) == 1
    assert len({live, 1}) == 1
