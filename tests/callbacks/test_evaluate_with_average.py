import contextlib
import copy
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks._core import averaging
from keras_tricks.callbacks import EvaluateWithAverage, RefreshBatchNorm
from keras_tricks.optimizers import OptimizerWrapper, WeightAverage
from keras_tricks.training import Trainer
from tests.contracts.callback import CallbackContract, Failing, RawWeights
from tests.contracts.optimizer import X, Y, assert_equal, fit, numbers, small_model
from tests.optimizers.test_weight_average import exponential_average


def averaging_model(inner=None, decay=0.9, **compile_arguments) -> keras.Model:
    return small_model(WeightAverage(inner or keras.optimizers.Adam(0.05), decay=decay), **compile_arguments)


def expected_average(batches, decay=0.9) -> list[np.ndarray]:
    """The EMA of each weight over the recorded batches, in float64."""
    return [
        np.array(exponential_average([w.astype("float64") for w in series], decay)[-1])
        for series in zip(*batches, strict=True)
    ]


def mean_model(start: int = 1, every: int = 2, **compile_arguments) -> keras.Model:
    """Keeps the mean of the weights after updates 2, 4, 6, ...: one in each epoch of `fit`."""
    inner = keras.optimizers.SGD(0.2)
    return small_model(WeightAverage(inner, kind="mean", start=start, every=every), **compile_arguments)


def mean_of(batches) -> list[np.ndarray]:
    return [np.mean(series, axis=0, dtype="float64") for series in zip(*batches[1::2], strict=True)]


def with_own_statistics(weights: list[np.ndarray]) -> list[np.ndarray]:
    """The weights of `small_model`, the statistics among them as those of all of X."""
    kernel, gamma, beta, *_, last, bias = weights
    hidden = X @ kernel
    return [kernel, gamma, beta, hidden.mean(0), hidden.var(0), last, bias]


class TestEvaluateWithAverage(CallbackContract):
    cls = EvaluateWithAverage
    arguments = {"final": "average"}
    bad_arguments = [("final", "best"), ("final", None)]

    def make_model(self):
        return averaging_model()

    @pytest.mark.filterwarnings("ignore")  # torch's compiler looks at gradients that warn of being looked at
    @pytest.mark.parametrize("jit_compile", [False, True])
    @pytest.mark.usefixtures("tracing_compiler")
    def test_the_end_of_an_epoch_sees_the_average_of_weights_and_statistics(self, jit_compile):
        model, record = averaging_model(jit_compile=jit_compile), RawWeights()
        fit(model, 3, callbacks=[EvaluateWithAverage(), record])
        for epoch, seen in enumerate(record.epochs):
            assert_equal(seen, expected_average(record.batches[: 2 * epoch + 2]), rtol=1e-5, atol=1e-6)
        assert_equal(model.get_weights(), record.batches[-1])

    def test_validation_is_an_evaluation_of_the_average(self):
        model, record = averaging_model(), RawWeights()
        history = fit(model, 2, validation_data=(X, Y), callbacks=[EvaluateWithAverage(), record]).history
        raw_loss = model.evaluate(X, Y, verbose=0)
        model.set_weights(record.epochs[-1])
        np.testing.assert_allclose(history["val_loss"][-1], model.evaluate(X, Y, verbose=0), rtol=1e-6)
        assert abs(history["val_loss"][-1] - raw_loss) > 1e-3

    def test_standing_last_it_still_shows_other_callbacks_the_average_after_a_validation(self):
        model, record = averaging_model(), RawWeights()
        with pytest.warns(UserWarning, match=r"has to be the first of the callbacks.*Received: RawWeights before it"):
            fit(model, 2, validation_data=(X, Y), callbacks=[record, EvaluateWithAverage()])
        assert_equal(record.epochs[-1], expected_average(record.batches), rtol=1e-5, atol=1e-6)

    def test_evaluate_and_predict_by_hand_use_the_average(self):
        model, record = averaging_model(), RawWeights()
        fit(model, 2, callbacks=[EvaluateWithAverage(), record])
        with EvaluateWithAverage().averaged(model):
            assert_equal(model.get_weights(), record.epochs[-1])
            predictions, loss = model.predict(X, verbose=0), model.evaluate(X, Y, verbose=0)
        assert_equal(model.get_weights(), record.batches[-1])
        assert_equal(model.predict(X, verbose=0, callbacks=[EvaluateWithAverage()]), predictions)
        assert model.evaluate(X, Y, verbose=0, callbacks=[EvaluateWithAverage()]) == loss
        assert np.abs(model.predict(X, verbose=0) - predictions).max() > 1e-3

    @pytest.mark.parametrize("first", [True, False])
    def test_early_stopping_restores_what_it_monitored(self, first):
        model = averaging_model(keras.optimizers.SGD(0.2))
        stopping = keras.callbacks.EarlyStopping(patience=99, restore_best_weights=True)
        callbacks = [EvaluateWithAverage(), stopping] if first else [stopping, EvaluateWithAverage()]
        says_so = contextlib.nullcontext() if first else pytest.warns(UserWarning, match="EarlyStopping before it")
        with says_so:
            history = fit(model, 4, validation_data=(X, Y), callbacks=callbacks).history
        np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), min(history["val_loss"]), rtol=1e-6)

    def test_a_checkpoint_holds_the_average_and_goes_on_from_the_raw_weights(self, tmp_path):
        straight, stopped, record = averaging_model(), averaging_model(), RawWeights()
        fit(straight, 4, validation_data=(X, Y), callbacks=[EvaluateWithAverage()])
        checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
        fit(stopped, 2, validation_data=(X, Y), callbacks=[EvaluateWithAverage(), checkpoint, record])
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert_equal(loaded.get_weights(), record.epochs[-1])
        loaded.evaluate(X, Y, verbose=0, callbacks=[EvaluateWithAverage()])
        assert_equal(loaded.get_weights(), record.epochs[-1])
        fit(loaded, 2, validation_data=(X, Y), callbacks=[EvaluateWithAverage()])
        assert_equal(loaded.get_weights(), straight.get_weights())
        assert_equal(numbers(loaded.optimizer.variables), numbers(straight.optimizer.variables))

    def test_a_checkpoint_trained_on_without_it_keeps_what_it_learns(self, tmp_path):
        model = averaging_model()
        fit(model, 2, callbacks=[EvaluateWithAverage(), keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")])
        loaded, record = keras.models.load_model(tmp_path / "model.keras"), RawWeights()
        fit(loaded, callbacks=[record])
        assert_equal(loaded.get_weights(), record.batches[-1])
        fit(loaded, callbacks=[EvaluateWithAverage(), record])
        assert_equal(loaded.get_weights(), record.batches[-1])

    def test_backup_and_restore_resumes_bit_for_bit(self, tmp_path):
        straight, stopped, resumed = averaging_model(), averaging_model(), averaging_model()
        fit(straight, 3, callbacks=[EvaluateWithAverage()])
        backup = [EvaluateWithAverage(), keras.callbacks.BackupAndRestore(tmp_path / "backup")]

        class Crash(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    raise RuntimeError("crash")

        with pytest.raises(RuntimeError, match="crash"):
            fit(stopped, 3, callbacks=[*backup, Crash()])
        fit(resumed, 3, callbacks=[EvaluateWithAverage(), keras.callbacks.BackupAndRestore(tmp_path / "backup")])
        assert_equal(resumed.get_weights(), straight.get_weights())
        assert_equal(numbers(resumed.optimizer.variables), numbers(straight.optimizer.variables))

    def test_final_average_stays_in_the_model_after_fit(self):
        model, record = averaging_model(), RawWeights()
        fit(model, 2, callbacks=[EvaluateWithAverage(final="average"), record])
        assert_equal(model.get_weights(), record.epochs[-1])

    @pytest.mark.parametrize("validation", [{}, {"validation_data": (X, Y)}], ids=["no validation", "a validation"])
    def test_an_error_of_another_callback_is_made_good_at_once(self, validation):
        model, record, callback = averaging_model(), RawWeights(), EvaluateWithAverage()
        for _ in range(2):
            with pytest.raises(OSError, match="on purpose"):
                fit(model, callbacks=[callback, record, Failing("on_epoch_end", OSError)], **validation)
            predicted = model.predict(X, verbose=0)
            assert_equal(model.get_weights(), record.batches[-1])
            assert_equal(predicted, model.predict(X, verbose=0))
        fit(model, 1)  # and without the callback training goes on from them
        assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 6

    @pytest.mark.parametrize("run", ["evaluate", "predict"])
    @pytest.mark.parametrize(
        "use",
        [
            lambda model, callback: callback.give_back(model),
            lambda model, callback: model.evaluate(X, Y, verbose=0, callbacks=[callback]),
            lambda model, callback: model.evaluate(X, Y, verbose=0, callbacks=[EvaluateWithAverage()]),
            lambda model, callback: averaging_model().evaluate(X, Y, verbose=0, callbacks=[callback]),
            lambda model, callback: model.evaluate(X, Y, verbose=0),
            lambda model, callback: model.test_on_batch(X, Y),
            lambda model, callback: model.get_weights(),
            lambda model, callback: model(X),
            lambda model, callback: model.compile("sgd", "mse"),
            lambda model, callback: copy.deepcopy(model),
        ],
        ids=["give_back", "callback", "another", "model", "evaluate", "batch", "weights", "call", "compile", "copy"],
    )
    def test_an_error_in_an_evaluation_by_hand_is_made_good_at_the_next_use(self, run, use):
        model, record, callback = averaging_model(), RawWeights(), EvaluateWithAverage()
        fit(model, callbacks=[callback, record])
        failing = Failing("on_test_batch_end" if run == "evaluate" else "on_predict_batch_end", OSError)
        with pytest.raises(OSError, match="on purpose"):
            getattr(model, run)(*[X, Y][: 2 if run == "evaluate" else 1], verbose=0, callbacks=[callback, failing])
        use(model, callback)
        assert_equal(numbers(model.weights), record.batches[-1])
        assert not set(vars(model)) & {"evaluate", "predict", "get_weights", "stateless_call"}

    @pytest.mark.parametrize("wrap", [lambda model: model, Trainer], ids=["plain", "trainer"])
    def test_after_an_error_by_hand_the_average_may_be_asked_for(self, wrap):
        model, callback = wrap(averaging_model()), EvaluateWithAverage()
        model.compile(WeightAverage(keras.optimizers.Adam(0.05), decay=0.9), "mse")
        fit(model, callbacks=[callback])
        raw, predicted = model.get_weights(), []
        for broken in (False, True):
            if broken:
                with pytest.raises(OSError, match="on purpose"):
                    model.evaluate(X, Y, verbose=0, callbacks=[callback, Failing("on_test_batch_end", OSError)])
            with callback.averaged(model):
                predicted.append(model.predict(X, verbose=0))
        assert_equal(*predicted)
        assert np.abs(predicted[0] - model.predict(X, verbose=0)).max() > 0
        assert_equal(model.get_weights(), raw)

    def test_after_an_error_by_hand_building_another_model_of_it_loses_nothing(self, backend):
        if backend == "jax":
            pytest.skip("on JAX Keras leaves a model's variables empty after an error, until a method of it is called")

        class Subclassed(keras.Model):
            def __init__(self):
                super().__init__()
                self.inner = averaging_model()

            def call(self, inputs):
                return self.inner(inputs)

        model, record, callback = Subclassed(), RawWeights(), EvaluateWithAverage()
        model.compile(WeightAverage(keras.optimizers.Adam(0.05), decay=0.9), "mse")
        fit(model, callbacks=[callback, record])
        with pytest.raises(OSError, match="on purpose"):
            model.evaluate(X, Y, verbose=0, callbacks=[callback, Failing("on_test_batch_end", OSError)])
        inputs = keras.Input((4,))
        keras.Model(inputs, model(inputs))
        with keras.StatelessScope():
            model(X)
        assert_equal(model.get_weights(), record.batches[-1])

    def test_after_an_error_by_hand_the_next_use_starts_from_the_raw_weights(self):
        expected = []
        for broken in (False, True):
            model, callback = averaging_model(), EvaluateWithAverage()
            fit(model, callbacks=[callback])
            if broken:
                with pytest.raises(OSError, match="on purpose"):
                    model.evaluate(X, Y, verbose=0, callbacks=[callback, Failing("on_test_batch_end", OSError)])
            expected.append(model.predict(X, verbose=0))
            fit(model)
            expected.append(numbers(model.weights))
        assert_equal(expected[2], expected[0])
        assert_equal(expected[3], expected[1])

    def test_uses_within_an_evaluation_by_hand_see_the_average(self):
        class Using(keras.callbacks.Callback):
            def on_test_batch_end(self, batch, logs=None):
                self.seen = self.model.get_weights()
                self.outputs = ops.convert_to_numpy(self.model(X))

        model, record, using = averaging_model(), RawWeights(), Using()
        fit(model, callbacks=[EvaluateWithAverage(), record])
        model.evaluate(X, Y, verbose=0, callbacks=[EvaluateWithAverage(), using])
        assert_equal(using.seen, record.epochs[-1])
        assert np.abs(using.outputs - ops.convert_to_numpy(model(X))).max() > 0
        assert_equal(model.get_weights(), record.batches[-1])

    def test_an_error_in_the_data_of_validation_gives_the_weights_back(self):
        class Broken(keras.utils.PyDataset):
            def __len__(self):
                return 3

            def __getitem__(self, index):
                if index == 1:
                    raise OSError("disk")
                return X[:4], Y[:4]

        model, record = averaging_model(), RawWeights()
        with pytest.raises(OSError, match="disk"):
            fit(model, validation_data=Broken(workers=0), callbacks=[EvaluateWithAverage(), record])
        assert_equal(model.get_weights(), record.batches[-1])

    def test_swaps_by_copy_where_adding_and_subtracting_would_round(self):
        model = averaging_model(keras.optimizers.SGD(1e-9))
        fit(model, callbacks=[EvaluateWithAverage()])
        kernel, average = model.optimizer.average[0]
        kernel.assign(np.full(kernel.shape, 1e-4, "float32"))
        average.assign(np.full(kernel.shape, 1e3, "float32"))
        model.predict(X, verbose=0, callbacks=[EvaluateWithAverage()])
        assert_equal(numbers([kernel, average]), [np.full((4, 3), 1e-4, "float32"), np.full((4, 3), 1e3)])

    def test_statistics_wait_for_the_update_under_gradient_accumulation(self):
        model, record = averaging_model(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)), RawWeights()
        fit(model, 3, callbacks=[EvaluateWithAverage(), record])
        assert_equal(record.epochs[-1], expected_average(record.batches[1::2]), rtol=1e-5, atol=1e-6)

    def test_works_inside_another_wrapper_and_under_loss_scaling(self):
        keras.config.set_dtype_policy("mixed_float16")
        optimizer = OptimizerWrapper(WeightAverage(keras.optimizers.SGD(0.05), decay=0.9))
        model, record = small_model(keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64.0)), RawWeights()
        infinite = np.array([1.0] * 15 + [np.inf], "float32")  # each epoch's second batch has no finite gradient
        callbacks = [EvaluateWithAverage(), record]
        fit(model, 3, sample_weight=infinite, validation_data=(X, Y), callbacks=callbacks)
        updates = record.batches[::2]
        assert_equal([batch[0] for batch in record.batches[1::2]], [batch[0] for batch in updates])
        assert_equal(record.epochs[-1], expected_average(updates), rtol=1e-5, atol=1e-6)
        assert_equal(model.get_weights(), record.batches[-1])

    def test_works_inside_the_trainer(self):
        trainer, record = Trainer(averaging_model()), RawWeights()
        trainer.compile(WeightAverage(keras.optimizers.Adam(0.05), decay=0.9), "mse")
        fit(trainer, 2, validation_data=(X, Y), callbacks=[EvaluateWithAverage(), record])
        floats = [index for index, weight in enumerate(trainer.weights) if "float" in weight.dtype]
        seen, batches = record.epochs[-1], [[weights[index] for index in floats] for weights in record.batches]
        assert_equal([seen[index] for index in floats], expected_average(batches), rtol=1e-5, atol=1e-6)
        assert_equal(trainer.get_weights(), record.batches[-1])

    @pytest.mark.parametrize("wrap", [lambda model: model, Trainer], ids=["plain", "trainer"])
    def test_averages_statistics_of_a_model_that_fit_builds(self, wrap):
        kept = averaging_model()
        model = keras.Sequential([type(layer).from_config(layer.get_config()) for layer in kept.layers])
        model, record = wrap(model), RawWeights()
        model.compile(WeightAverage(keras.optimizers.Adam(0.05), decay=0.9), "mse")
        assert not model.built
        fit(model, 2, callbacks=[EvaluateWithAverage(), record])
        floats = [index for index, weight in enumerate(model.weights) if "float" in weight.dtype]
        batches = [[weights[index] for index in floats] for weights in record.batches]
        seen = [record.epochs[-1][index] for index in floats]
        assert_equal(seen, expected_average(batches), rtol=1e-5, atol=1e-6)
        assert_equal(model.get_weights(), record.batches[-1])

    def test_an_optimizer_whose_first_model_was_never_built_averages_those_of_the_next(self):
        optimizer, kept = WeightAverage(keras.optimizers.Adam(0.05), decay=0.9), averaging_model()
        first = Trainer(keras.Sequential([keras.layers.Dense(1)]))
        first.compile(optimizer, "mse")
        with pytest.raises(Exception):  # noqa: B017, PT011 - each backend has its own
            first.fit(np.array([["a"]]), Y[:1], verbose=0)
        trainer, record = Trainer(kept), RawWeights()
        trainer.compile(optimizer, "mse")
        fit(trainer, 2, callbacks=[EvaluateWithAverage(), record])
        average = [
            weights for index, weights in enumerate(record.epochs[-1]) if "float" in trainer.weights[index].dtype
        ]
        floats = [index for index, weight in enumerate(trainer.weights) if "float" in weight.dtype]
        batches = [[weights[index] for index in floats] for weights in record.batches]
        assert_equal(average, expected_average(batches), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("at", ["on_test_batch_end", "on_epoch_end"])
    def test_around_fit_the_core_gives_the_weights_back_after_any_error(self, at):
        model, record = averaging_model(), RawWeights()
        callbacks = [EvaluateWithAverage(), record, Failing(at, OSError)]
        with pytest.raises(OSError, match="on purpose"), averaging.given_back_on_error(model, training=True):
            fit(model, validation_data=(X, Y), callbacks=callbacks)
        assert_equal(model.get_weights(), record.batches[-1])

    def test_joins_a_model_that_was_trained_without_it(self):
        model, record = averaging_model(), RawWeights()
        fit(model, callbacks=[record])
        fit(model, 2, callbacks=[EvaluateWithAverage(), record])
        average, names = expected_average(record.batches), [weight.name for weight in model.weights]
        for name, seen, expected in zip(names, record.epochs[-1], average, strict=True):
            if not name.startswith("moving"):
                np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)
        mean = [weights[names.index("moving_mean")] for weights in record.batches[2:]]
        shares = [1.0, *((1 + s) ** (-2 / 3) for s in (3, 4, 5))]
        expected = np.zeros(3)
        for value, share in zip(mean, shares, strict=True):
            expected += share * (value - expected)
        np.testing.assert_allclose(record.epochs[-1][names.index("moving_mean")], expected, rtol=1e-5, atol=1e-6)

    def test_says_so_when_statistics_were_not_averaged(self):
        model = averaging_model()
        fit(model)
        callback = EvaluateWithAverage()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(3):
                model.evaluate(X, Y, verbose=0, callbacks=[callback])
        said = [str(warning.message) for warning in caught if "2 statistics of BatchNorm" in str(warning.message)]
        assert len(said) == 1

    def test_says_so_when_no_update_was_taken_since_statistics_are_averaged(self):
        model = mean_model(start=0, every=5)
        fit(model)
        with pytest.warns(UserWarning, match="2 statistics of BatchNorm"):
            fit(model, callbacks=[EvaluateWithAverage()])

    def test_before_any_training_the_average_is_the_model(self):
        model = averaging_model()
        before = model.get_weights()
        loss = model.evaluate(X, Y, verbose=0)
        assert model.evaluate(X, Y, verbose=0, callbacks=[EvaluateWithAverage()]) == loss
        assert_equal(model.get_weights(), before)

    def test_leaves_seeds_alone(self):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
        model.compile(WeightAverage("sgd"), "mse")
        fit(model, 2, validation_data=(X, Y), callbacks=[EvaluateWithAverage()])
        assert [variable.name for variable, _ in model.optimizer.average] == ["kernel", "bias"]

    @pytest.mark.parametrize("optimizer", ["sgd", OptimizerWrapper("sgd")])
    def test_refuses_an_optimizer_without_average(self, optimizer):
        with pytest.raises(ValueError, match="EvaluateWithAverage needs an optimizer that keeps an average"):
            fit(small_model(optimizer), callbacks=[EvaluateWithAverage()])

    def test_the_best_checkpoint_is_what_was_best(self, tmp_path):
        model = averaging_model(keras.optimizers.SGD(0.4), decay=0.5)
        whole = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True)
        weights = keras.callbacks.ModelCheckpoint(
            tmp_path / "best.weights.h5", save_best_only=True, save_weights_only=True
        )
        stopping = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
        callbacks = [EvaluateWithAverage(), whole, weights, stopping]
        losses = fit(model, 30, validation_data=(X, Y), callbacks=callbacks).history["val_loss"]
        assert len(losses) < 30
        fresh = averaging_model(keras.optimizers.SGD(0.4), decay=0.5)
        fresh.optimizer.build(fresh.trainable_variables)
        fresh.optimizer.follow(averaging.statistics(fresh))
        fresh.load_weights(tmp_path / "best.weights.h5")
        for best in (model, keras.models.load_model(tmp_path / "best.keras"), fresh):
            np.testing.assert_allclose(best.evaluate(X, Y, verbose=0), min(losses), rtol=1e-6)

    def test_is_told_of_callbacks_before_it_once_a_fit(self):
        model = averaging_model()
        with pytest.warns(UserWarning, match="first of the callbacks") as caught:
            fit(model, 3, callbacks=[keras.callbacks.LambdaCallback(), EvaluateWithAverage()])
        assert sum("first of the callbacks" in str(warning.message) for warning in caught) == 1
        model.evaluate(X, Y, verbose=0, callbacks=[keras.callbacks.LambdaCallback(), EvaluateWithAverage()])

    def test_a_mean_of_weights_comes_with_the_mean_of_the_statistics(self):
        model, record = mean_model(), RawWeights()
        fit(model, 3, callbacks=[EvaluateWithAverage(final="average"), record])
        assert_equal(model.get_weights(), mean_of(record.batches), rtol=1e-5, atol=1e-6)

    def test_until_an_average_has_begun_the_model_is_seen_as_it_is(self):
        model, record = mean_model(start=3), RawWeights()
        callbacks = [EvaluateWithAverage(refresh_batch_norm=(X, Y)), record]
        fit(model, 2, validation_data=(X, Y), callbacks=callbacks)
        assert_equal(record.epochs[0], record.batches[1])
        assert np.abs(record.epochs[1][3] - record.batches[3][3]).max() > 1e-3

    def test_averaging_ends_with_the_statistics_of_the_averaged_weights(self):
        model, record = mean_model(), RawWeights()
        refresh = RefreshBatchNorm(X, batch_size=16)
        callbacks = [EvaluateWithAverage("average", refresh_batch_norm=refresh), record]
        losses = fit(model, 3, validation_data=(X, Y), callbacks=callbacks).history["val_loss"]
        expected = with_own_statistics(mean_of(record.batches))
        assert_equal(record.epochs[-1], expected, rtol=1e-4, atol=1e-5)
        assert_equal(model.get_weights(), record.epochs[-1])
        np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), losses[-1], rtol=1e-6)

    def test_measures_once_for_the_same_average(self):
        class Counting(keras.utils.PyDataset):
            passes = 0

            def __len__(self):
                return 1

            def __getitem__(self, index):
                Counting.passes += 1
                return X, Y

        model, callback = averaging_model(), EvaluateWithAverage("average", Counting())
        fit(model, 2, validation_data=(X, Y), callbacks=[callback])
        assert Counting.passes == 2

    def test_measured_statistics_go_again_where_none_were_averaged(self):
        model, callback = averaging_model(), EvaluateWithAverage(refresh_batch_norm=(X, Y))
        fit(model)
        before = model.get_weights()
        with callback.averaged(model):
            average = [numbers([average])[0] for _, average in model.optimizer.average]
            expected = with_own_statistics([*average[:3], None, None, *average[3:]])
            assert_equal(model.get_weights(), expected, rtol=1e-4, atol=1e-5)
        assert_equal(model.get_weights(), before)
        model.evaluate(X, Y, verbose=0, callbacks=[callback])
        assert_equal(model.get_weights(), before)

    @pytest.mark.parametrize("validates", [True, False])
    def test_an_error_of_the_data_it_measures_on_gives_the_weights_back(self, validates):
        def broken():
            yield X
            raise OSError("disk")

        model, record = averaging_model(), RawWeights()
        callbacks = [EvaluateWithAverage(refresh_batch_norm=broken()), record]
        with pytest.raises(OSError, match="disk"):
            fit(model, validation_data=(X, Y) if validates else None, callbacks=callbacks)
        assert_equal(model.get_weights(), record.batches[-1])
        fit(model, callbacks=[EvaluateWithAverage()])

    def test_backup_and_restore_resumes_with_measured_statistics(self, tmp_path):
        straight, stopped, resumed = mean_model(), mean_model(), mean_model()

        def callbacks():
            return [EvaluateWithAverage("average", (X, Y)), keras.callbacks.BackupAndRestore(tmp_path / "backup")]

        fit(straight, 3, validation_data=(X, Y), callbacks=callbacks()[:1])
        with pytest.raises(OSError, match="on purpose"):
            fit(stopped, 3, validation_data=(X, Y), callbacks=[*callbacks(), FailingIn(2)])
        fit(resumed, 3, validation_data=(X, Y), callbacks=callbacks())
        assert_equal(resumed.get_weights(), straight.get_weights())
        assert_equal(numbers(resumed.optimizer.variables), numbers(straight.optimizer.variables))


class FailingIn(keras.callbacks.Callback):
    """Raises when `epoch` begins."""

    def __init__(self, epoch: int):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise OSError("on purpose")


class Measuring(EvaluateWithAverage):
    """With statistics that are measured for the average."""

    def __init__(self, final: str = "raw"):
        super().__init__(final, refresh_batch_norm=(X, Y))


class TestMeasuringOnTheAverage(CallbackContract):
    cls = Measuring
    arguments = {"final": "average"}

    def make_model(self):
        return averaging_model()
