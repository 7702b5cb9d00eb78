import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks.callbacks import EvaluateWithAverage, SnapshotEnsemble
from tests.contracts.callback import CallbackContract, Failing, RawWeights
from tests.contracts.optimizer import X, assert_equal, fit, numbers, small_model


def cycling(period: int = 3, period_factor: float = 1.0) -> kt.schedules.CosineRestarts:
    return kt.schedules.CosineRestarts(0.3, period=period, period_factor=period_factor)


def cycling_model(**schedule) -> keras.Model:
    """Two updates each epoch, and a cycle of three."""
    return small_model(keras.optimizers.SGD(cycling(**schedule)))


def joined(ensemble: SnapshotEnsemble) -> list[np.ndarray]:
    return [array for snapshot in ensemble.snapshots for array in snapshot]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype("float64"))
    return powers / powers.sum(-1, keepdims=True)


def classifier(classes: int = 3) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(classes)])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    return model


def three_snapshots(classes: int = 3) -> tuple[keras.Model, SnapshotEnsemble, list[np.ndarray]]:
    """A model, its ensemble, and the logits of each."""
    model, ensemble = classifier(classes), SnapshotEnsemble(cycle_epochs=1)
    fit(model, 3, callbacks=[ensemble])
    before, logits = model.get_weights(), []
    for snapshot in ensemble.snapshots:
        model.set_weights(snapshot)
        logits.append(model.predict(X, verbose=0))
    model.set_weights(before)
    return model, ensemble, logits


class TestSnapshotEnsemble(CallbackContract):
    cls = SnapshotEnsemble
    arguments = {"cycle_steps": [1, 3], "keep": 2}
    bad_arguments = [("cycle_steps", 0), ("cycle_steps", [3, 1]), ("keep", 0)]

    def make_model(self):
        return cycling_model()

    def test_keeps_the_weights_at_the_update_with_which_a_cycle_ends(self):
        model, record, ensemble = cycling_model(), RawWeights(), SnapshotEnsemble()
        fit(model, 4, callbacks=[ensemble, record])
        assert ensemble.updates == [3, 6]
        assert_equal(joined(ensemble), record.batches[2] + record.batches[5])

    def test_cycles_that_grow_go_on_in_a_second_fit(self):
        model, record, ensemble = cycling_model(period=1, period_factor=2.0), RawWeights(), SnapshotEnsemble()
        fit(model, 2, callbacks=[ensemble, record])
        fit(model, 2, callbacks=[ensemble, record])
        assert ensemble.updates == [1, 3, 7]
        assert_equal(ensemble.snapshots[-1], record.batches[6])

    def test_finds_the_schedule_inside_wrappers_or_takes_another(self):
        wrapped, ensemble = small_model(kt.optimizers.WeightAverage(kt.optimizers.SGD(cycling()))), SnapshotEnsemble()
        fit(wrapped, 3, callbacks=[ensemble])
        cyclical = kt.schedules.Cyclical(0.1, 0.5, half_cycle_steps=1, down_steps=3)
        other = SnapshotEnsemble(schedule=cyclical)
        fit(wrapped, 2, callbacks=[ensemble, other])
        assert ensemble.updates == [3, 6, 9]
        assert other.updates == [8]

    @pytest.mark.parametrize(("optimizer", "expected"), [(keras.optimizers.SGD, [2, 3, 5]), (kt.optimizers.SGD, [3])])
    def test_under_accumulation_a_schedule_counts_what_its_optimizer_does(self, optimizer, expected):
        model, ensemble = small_model(optimizer(cycling(), gradient_accumulation_steps=2)), SnapshotEnsemble()
        by_steps = SnapshotEnsemble(cycle_steps=2)
        fit(model, 5, callbacks=[ensemble, by_steps])
        assert (ensemble.updates, by_steps.updates) == (expected, [2, 4])

    @pytest.mark.parametrize(("cycles", "expected"), [(2, [4, 8]), ([1, 4, 9], [2, 8])])
    def test_cycles_of_epochs(self, cycles, expected):
        model, record, ensemble = cycling_model(), RawWeights(), SnapshotEnsemble(cycle_epochs=cycles)
        fit(model, 5, callbacks=[ensemble, record])
        assert ensemble.updates == expected
        assert_equal(ensemble.snapshots[-1], record.epochs[3])

    def test_keeps_the_last_ones(self):
        ensemble = SnapshotEnsemble(cycle_steps=1, keep=2)
        fit(cycling_model(), 2, callbacks=[ensemble])
        assert ensemble.updates == [3, 4]
        assert len(ensemble.snapshots) == 2

    def test_a_cycle_ends_with_the_execution_that_it_ends_in(self, backend):
        if backend == "torch":
            pytest.skip("Keras has no steps_per_execution on torch")
        model, ensemble = small_model("sgd", steps_per_execution=2), SnapshotEnsemble(cycle_steps=[1, 2, 3])
        fit(model, 2, callbacks=[ensemble])
        assert ensemble.updates == [2, 4]

    def test_behind_an_average_cycles_of_epochs_keep_the_average(self):
        model = small_model(kt.optimizers.WeightAverage(keras.optimizers.SGD(0.3)))
        ensemble, record = SnapshotEnsemble(cycle_epochs=1), RawWeights()
        fit(model, 2, callbacks=[EvaluateWithAverage(), ensemble, record])
        assert_equal(ensemble.snapshots[-1], record.epochs[-1])
        assert np.abs(record.epochs[-1][0] - record.batches[-1][0]).max() > 1e-3

    def test_another_model_begins_anew_and_an_error_leaves_what_was_kept(self):
        ensemble = SnapshotEnsemble(cycle_steps=1)
        fit(cycling_model(), callbacks=[ensemble])
        with pytest.raises(OSError, match="on purpose"):
            fit(cycling_model(), callbacks=[ensemble, Failing("on_epoch_end", OSError)])
        assert ensemble.updates == [1, 2]

    def test_needs_to_know_cycles_and_only_once(self):
        with pytest.raises(ValueError, match=r"needs `cycle_epochs`, `cycle_steps`, or a `schedule`"):
            fit(small_model("sgd"), callbacks=[SnapshotEnsemble()])
        with pytest.raises(ValueError, match=r"`cycle_steps` and `schedule` exclude one another.*3"):
            SnapshotEnsemble(cycle_epochs=3, schedule=cycling())
        with pytest.raises(ValueError, match="`schedule` must be a schedule that has cycles"):
            SnapshotEnsemble(schedule=kt.schedules.Cosine(0.1, total_steps=5))

    def test_predicts_the_mean_of_probabilities_or_of_logits(self):
        model, ensemble, logits = three_snapshots()
        before = numbers(model.variables)

        def check(expected, **arguments):
            np.testing.assert_allclose(ensemble.predict(X, verbose=0, **arguments), expected, rtol=1e-5, atol=1e-6)

        check(np.mean(logits, 0))
        check(np.mean(logits[1:], 0), last=2)
        check(np.mean([softmax(each) for each in logits[1:]], 0), last=2, from_logits=True)
        check(softmax(np.mean(logits, 0)), from_logits=True, average="logits")
        assert_equal(numbers(model.variables), before)

    def test_the_logits_of_one_column_become_probabilities_by_the_sigmoid(self):
        _, ensemble, logits = three_snapshots(classes=1)
        expected = np.mean([1 / (1 + np.exp(-each.astype("float64"))) for each in logits], 0)
        np.testing.assert_allclose(ensemble.predict(X, from_logits=True, verbose=0), expected, rtol=1e-5)

    def test_a_prediction_that_fails_leaves_the_weights(self):
        def broken():
            yield X
            raise OSError("disk")

        model, ensemble, logits = three_snapshots()
        before = numbers(model.variables)
        for data, error in ((broken(), OSError), (np.zeros((2, 7)), Exception)):
            with pytest.raises(error):
                ensemble.predict(data, verbose=0)
            assert_equal(numbers(model.variables), before)
        np.testing.assert_allclose(ensemble.predict(X, verbose=0), np.mean(logits, 0), rtol=1e-5, atol=1e-6)

    def test_hands_out_models_and_restores_one(self):
        model, ensemble, logits = three_snapshots()
        for made, expected in zip(ensemble.models(), logits, strict=True):
            np.testing.assert_allclose(made.predict(X, verbose=0), expected, rtol=1e-6)
        assert [made is model for made in ensemble.models(last=2)] == [False, False]
        ensemble.restore(0)
        np.testing.assert_allclose(model.predict(X, verbose=0), logits[0], rtol=1e-6)

    def test_says_what_is_wrong_with_a_prediction(self):
        _, ensemble, _ = three_snapshots()
        with pytest.raises(ValueError, match=r"`last` snapshots must have been taken\. Received: last=4 of 3"):
            ensemble.predict(X, last=4)
        with pytest.raises(ValueError, match=r"`average` must be .*'median'"):
            ensemble.predict(X, average="median")
        with pytest.raises(ValueError, match=r"`average` must be .*'logits'"):
            ensemble.predict(X, average="logits")
        with pytest.raises(ValueError, match="last=None of 0"):
            SnapshotEnsemble().restore()

    def test_a_new_process_finds_what_was_written_and_goes_on(self, tmp_path):
        def made():
            return small_model(kt.optimizers.WeightAverage(keras.optimizers.Adam(cycling())))

        straight, ensemble = made(), SnapshotEnsemble(folder=tmp_path / "straight")
        fit(straight, 6, callbacks=[EvaluateWithAverage(), ensemble])
        stopped, folder = made(), tmp_path / "stopped"
        fit(stopped, 4, callbacks=[EvaluateWithAverage(), SnapshotEnsemble(folder=folder)])
        stopped.save(tmp_path / "model.keras")
        resumed, again = keras.models.load_model(tmp_path / "model.keras"), SnapshotEnsemble(folder=folder)
        fit(resumed, 6, initial_epoch=4, callbacks=[EvaluateWithAverage(), again])
        assert again.updates == ensemble.updates == [3, 6, 9, 12]
        assert_equal(joined(again), joined(ensemble))
        assert_equal(numbers(resumed.optimizer.variables), numbers(straight.optimizer.variables))
        assert len(list(folder.iterdir())) == 4
        fresh = small_model("sgd")
        with pytest.warns(UserWarning, match="optimizer"):
            fresh.load_weights(folder / "snapshot_00000003.weights.h5")
        assert_equal(fresh.get_weights(), ensemble.snapshots[0])

    def test_works_in_a_trainer(self):
        model = classifier()
        trainer, ensemble = kt.Trainer(model), SnapshotEnsemble(cycle_epochs=1)
        trainer.compile("sgd", "mse")
        fit(trainer, 2, callbacks=[ensemble])
        before = numbers(trainer.variables)
        assert ensemble.predict(X, verbose=0).shape == (16, 3)
        assert_equal(numbers(trainer.variables), before)
        assert [type(made) for made in ensemble.models()] == [kt.Trainer, kt.Trainer]
