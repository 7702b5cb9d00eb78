import keras
import numpy as np
import pytest

from keras_tricks import optimizers, schedules
from keras_tricks.callbacks import ReduceOnPlateau
from tests.contracts.optimizer import X, Y, assert_equal, fit, numbers, small_model


class Scripted(keras.callbacks.Callback):
    """Puts given values into the logs of the epochs, before the callback under test."""

    def __init__(self, values, name="val_loss"):
        super().__init__()
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


def rates(values, optimizer=None, name="val_loss", **arguments) -> list[float]:
    """The learning rate after each epoch."""
    model = small_model(optimizer or keras.optimizers.SGD(1.0))
    callbacks = [Scripted(values, name), ReduceOnPlateau(name, **arguments)]
    return fit(model, len(values), callbacks=callbacks).history["learning_rate"]


def test_reduces_after_patience_epochs_without_progress_as_keras_does():
    values = [3.0, 2.0, 2.0, 2.1, 1.9, 1.9, 1.9, 1.9, 1.9]
    model = small_model(keras.optimizers.SGD(1.0))
    theirs = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=2, min_delta=1e-4)
    expected = fit(model, len(values), callbacks=[Scripted(values), theirs]).history["learning_rate"]
    ours = rates(values, factor=0.5, patience=2, threshold=1e-4, threshold_mode="absolute")
    # Keras logs the rate of the epoch, this one that of the next.
    np.testing.assert_allclose(ours[:-1], expected[1:])
    np.testing.assert_allclose(ours, [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125])


@pytest.mark.parametrize(
    ("values", "arguments", "expected"),
    [
        ([10.0, 9.5, 9.0], {"threshold": 0.1, "patience": 1}, [1, 0.1, 0.01]),
        ([10.0, 9.5, 8.9], {"threshold": 0.1, "patience": 1, "factor": 0.5}, [1, 0.5, 0.5]),
        ([-10.0, -10.5, -11.1], {"threshold": 0.1, "patience": 1, "factor": 0.5}, [1, 0.5, 0.5]),
        ([10.0, 9.5, 9.0], {"threshold": 0.4, "threshold_mode": "absolute", "patience": 1}, [1, 1, 1]),
        ([1.0] * 6, {"patience": 1, "factor": 0.5, "cooldown": 2}, [1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        ([1.0] * 4, {"patience": 1, "factor": 0.5, "minimum": 0.4}, [1, 0.5, 0.4, 0.4]),
        ([1.0, float("nan"), 0.5], {"patience": 1, "factor": 0.5}, [1, 0.5, 0.5]),
        ([1.0, 2.0, 1.5], {"patience": 1, "factor": 0.5, "mode": "max"}, [1, 1, 0.5]),
    ],
)
def test_thresholds_cooldown_minimum_and_mode(values, arguments, expected):
    np.testing.assert_allclose(rates(values, **arguments), expected, rtol=1e-6)


def test_knows_that_accuracy_should_grow():
    np.testing.assert_allclose(rates([0.5, 0.6, 0.55], name="val_accuracy", patience=1), [1, 1, 0.1], rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda schedule: keras.optimizers.SGD(schedule),
        lambda schedule: optimizers.SGD(schedule),
        lambda schedule: optimizers.WeightAverage(keras.optimizers.SGD(schedule)),
    ],
    ids=["Keras", "ours", "wrapped"],
)
def test_scales_the_whole_schedule_inside_a_compiled_fit(make, backend):
    def model(optimizer):
        return small_model(optimizer, jit_compile=backend != "torch")

    schedule = schedules.Warmup(schedules.Cosine(0.2, total_steps=8), 4)
    reduced = model(make(schedule))
    plateau = ReduceOnPlateau("val_loss", factor=0.5, patience=1)
    fit(reduced, 4, callbacks=[Scripted([1.0, 1.0, 0.5, 0.5]), plateau])
    # Two updates in an epoch; the second and the fourth epoch reduce.
    halves = schedules.Join([(schedule, 4), (0.0, 100)])
    expected = model(make(halves))
    fit(expected, 2)
    later = np.array([float(schedule(step)) for step in range(4, 8)]) / 2
    for rate in later.reshape(2, 2):
        steps = iter(rate)
        for start in (0, 8):
            inner = expected.optimizer
            while hasattr(inner, "inner_optimizer"):
                inner = inner.inner_optimizer
            inner.learning_rate = schedules.Join([(float(next(steps)), 1000)])
            expected.make_train_function(force=True)
            expected.train_on_batch(X[start : start + 8], Y[start : start + 8])
    assert_equal(reduced.get_weights(), expected.get_weights(), rtol=1e-4, atol=1e-6)
    rate = float(numbers([reduced.optimizer.learning_rate])[0])
    assert rate == pytest.approx(0.25 * float(schedule(8)))


def test_a_reduced_schedule_is_saved_with_the_model(tmp_path):
    model = small_model(optimizers.SGD(schedules.Linear(1.0, 100)))
    fit(model, 3, callbacks=[Scripted([1.0] * 3), ReduceOnPlateau(patience=1, factor=0.5)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert float(numbers([again.optimizer.learning_rate])[0]) == pytest.approx(0.25 * 0.94)


def test_the_best_value_survives_a_resume_in_the_same_and_in_a_new_process(tmp_path):
    values = [1.0, 2.0, 1.5, 1.2, 1.1, 1.05]

    def run(first, *later, backup=None):
        model, seen = small_model(keras.optimizers.SGD(1.0)), []
        callback = first
        for start, stop in ((0, 3), (3, 6)):
            history = fit(model, stop, initial_epoch=start, callbacks=[Scripted(values), callback]).history
            seen += history["learning_rate"]
            callback = later[0] if later else callback
        return seen

    def make(**arguments):
        return ReduceOnPlateau(patience=2, factor=0.5, **arguments)

    straight = rates(values, patience=2, factor=0.5)
    assert straight == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert run(make()) == straight
    assert run(make(backup=tmp_path / "plateau.json"), make(backup=tmp_path / "plateau.json")) == straight
    forgetful = run(make(), make())
    assert forgetful != straight
    # Epoch 0 is a new run, of the same callback too.
    callback = make()
    model = small_model(keras.optimizers.SGD(1.0))
    fit(model, 2, callbacks=[Scripted([0.0, 5.0]), callback])
    fit(model, 1, callbacks=[Scripted([3.0]), callback])
    assert callback.best == 3.0


def test_says_what_is_missing_and_what_it_does(capsys):
    model = small_model(keras.optimizers.SGD(1.0))
    with pytest.warns(UserWarning, match="no 'val_loss' in epoch 0: there are loss"):
        fit(model, callbacks=[ReduceOnPlateau()])
    fit(model, 2, callbacks=[Scripted([1.0, 1.0]), ReduceOnPlateau(patience=1, verbose=1)])
    assert "Epoch 2: val_loss made no progress for 1 epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("factor", 1.0),
        ("factor", 0.0),
        ("patience", 0),
        ("threshold", -1.0),
        ("threshold_mode", "rel"),
        ("cooldown", -1),
        ("minimum", -0.1),
        ("mode", "down"),
    ],
)
def test_rejects_bad_arguments_by_name_and_value(name, value):
    with pytest.raises(ValueError, match=f"`{name}`") as caught:
        ReduceOnPlateau(**{name: value})
    assert repr(value) in str(caught.value)
