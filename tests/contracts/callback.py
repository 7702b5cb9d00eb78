"""What every callback that lends the model other weights must do: give the raw ones back, whatever happens."""

import keras
import numpy as np
import pytest

from tests.contracts.optimizer import X, Y, assert_equal, fit, numbers


class RawWeights(keras.callbacks.Callback):
    """The weights after each training batch, and at the end of each epoch as the callbacks see them."""

    def __init__(self):
        super().__init__()
        self.batches, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(self.model.get_weights())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.model.get_weights())


class Failing(keras.callbacks.Callback):
    """Raises `error` at the first call of the hook `at`."""

    def __init__(self, at: str, error: type[BaseException]):
        super().__init__()
        self.error = error
        setattr(self, at, self.fail)

    def fail(self, *args, **kwargs):
        raise self.error("on purpose")


class StopAt(keras.callbacks.Callback):
    """Stops `fit` in epoch 1, at a batch or at the epoch's end."""

    def __init__(self, at: str):
        super().__init__()
        self.at, self.epoch = at, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and self.at == "batch":
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and self.at == "epoch":
            self.model.stop_training = True


class CallbackContract:
    """Inherit it, and fill in what is under test."""

    cls: type
    arguments: dict = {}
    bad_arguments: list[tuple] = []

    def make(self):
        return self.cls(**self.arguments)

    def make_model(self) -> keras.Model:
        """A compiled model that the callback works with; equal at each call."""
        raise NotImplementedError

    def test_survives_a_round_trip_through_its_config(self):
        for name, value in self.arguments.items():
            assert getattr(self.cls.from_config(self.make().get_config()), name) == value

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in self.bad_arguments:
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                self.cls(**(self.arguments | {name: value}))
            assert repr(value) in str(caught.value)

    def test_trains_exactly_as_without_it(self):
        model, plain = self.make_model(), self.make_model()
        with_it, without = RawWeights(), RawWeights()
        fit(model, 3, validation_data=(X, Y), callbacks=[self.cls(), with_it])
        fit(plain, 3, validation_data=(X, Y), callbacks=[without])
        for one, other in zip(with_it.batches, without.batches, strict=True):
            assert_equal(one, other, rtol=1e-5, atol=1e-7)  # JAX fuses another program

    def test_evaluate_and_predict_give_the_weights_back(self):
        model = self.make_model()
        fit(model, 2, callbacks=[self.cls()])
        before = model.get_weights()
        model.evaluate(X, Y, verbose=0, callbacks=[self.cls()])
        assert_equal(model.get_weights(), before)
        model.predict(X, verbose=0, callbacks=[self.cls()])
        assert_equal(model.get_weights(), before)

    @pytest.mark.parametrize("at", ["batch", "epoch"])
    def test_an_early_stop_gives_the_weights_back(self, at):
        model, record = self.make_model(), RawWeights()
        history = fit(model, 5, validation_data=(X, Y), callbacks=[self.cls(), StopAt(at), record])
        assert len(history.epoch) == 2
        assert_equal(model.get_weights(), record.batches[-1])

    @pytest.mark.parametrize(
        ("at", "error"),
        [("on_test_begin", OSError), ("on_test_batch_begin", KeyboardInterrupt), ("on_test_end", RuntimeError)],
    )
    def test_an_error_in_validation_gives_the_weights_back(self, at, error):
        model, record = self.make_model(), RawWeights()
        with pytest.raises(error, match="on purpose"):
            fit(model, 2, validation_data=(X, Y), callbacks=[self.cls(), record, Failing(at, error)])
        assert_equal(model.get_weights(), record.batches[-1])

    def test_two_fits_equal_one(self):
        twice, once = self.make_model(), self.make_model()
        for _ in range(2):
            fit(twice, 2, validation_data=(X, Y), callbacks=[self.make()])
        fit(once, 4, validation_data=(X, Y), callbacks=[self.make()])
        assert_equal(twice.get_weights(), once.get_weights())
        assert_equal(numbers(twice.optimizer.variables), numbers(once.optimizer.variables))

    def test_two_and_two_resumed_epochs_equal_four(self, tmp_path):
        straight, stopped = self.make_model(), self.make_model()
        fit(straight, 4, validation_data=(X, Y), callbacks=[self.make()])
        fit(stopped, 2, validation_data=(X, Y), callbacks=[self.make()])
        stopped.save(tmp_path / "model.keras")
        resumed = keras.models.load_model(tmp_path / "model.keras")
        fit(resumed, 2, validation_data=(X, Y), callbacks=[self.make()])
        assert_equal(resumed.get_weights(), straight.get_weights())
        assert_equal(numbers(resumed.optimizer.variables), numbers(straight.optimizer.variables))
        assert np.abs(straight.get_weights()[0]).max() > 0
