"""What every schedule must do."""

from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from keras import ops

from tests.running import compiled, to_numpy


class WeightAfterEachStep(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.weights: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(float(self.model.get_weights()[0][0, 0]))


class ScheduleContract:
    schedule: ClassVar[type]
    arguments: ClassVar[dict[str, Any]]
    landmarks: ClassVar[dict[int, float]]
    peak: ClassVar[float]
    bad_arguments: ClassVar[list[tuple[str, Any]]]

    def make(self, **arguments):
        return self.schedule(**(self.arguments | arguments))

    def last_step(self) -> int:
        return max(self.landmarks)

    def test_hits_its_landmarks(self):
        schedule = self.make()
        values = [float(schedule(step)) for step in self.landmarks]
        np.testing.assert_allclose(values, list(self.landmarks.values()), rtol=1e-6, atol=1e-9)

    def test_takes_numbers_arrays_and_tensors_of_steps(self):
        schedule = self.make()
        steps = np.array(sorted(self.landmarks))
        expected = np.array([float(schedule(int(step))) for step in steps], "float32")
        forms = {
            "numpy": schedule(steps),
            "list": schedule(steps.tolist()),
            "int32": schedule(ops.convert_to_tensor(steps.astype("int32"))),
            "float32": schedule(ops.convert_to_tensor(steps.astype("float32"))),
            "column": schedule(steps[:, None]),
            "compiled": compiled(schedule, steps.astype("int32")),
        }
        for name, values in forms.items():
            np.testing.assert_allclose(to_numpy(values).ravel(), expected, rtol=1e-6, atol=1e-9, err_msg=name)
        assert forms["column"].shape == (len(steps), 1)
        scalar = schedule(keras.Variable(int(steps[1]), dtype="int32", trainable=False))
        assert scalar.shape == ()
        assert keras.backend.standardize_dtype(scalar.dtype) == "float32"

    def test_is_never_negative_and_reaches_its_peak_but_not_more(self):
        values = to_numpy(self.make()(np.arange(self.last_step() + 100)))
        assert values.min() >= 0
        assert values.max() == pytest.approx(self.peak, rel=1e-6)
        assert self.make().peak == self.peak

    def test_drives_an_optimizer_inside_the_compiled_step(self):
        schedule = self.make()
        steps = min(self.last_step() + 2, 12)
        # With a loss of sum(w * 1), SGD moves the weight by the learning rate at each step.
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(
            keras.optimizers.SGD(schedule),
            lambda y_true, y_pred: ops.mean(y_pred, axis=-1),
            jit_compile=keras.backend.backend() != "torch",
        )
        watch = WeightAfterEachStep()
        ones = np.ones((steps, 1), "float32")
        model.fit(ones, ones, batch_size=1, epochs=1, verbose=0, callbacks=[watch])
        expected = -np.cumsum(to_numpy(schedule(np.arange(steps))), dtype="float64")
        np.testing.assert_allclose(watch.weights, expected, rtol=1e-5, atol=1e-7)

    def test_survives_a_round_trip_through_its_config_and_a_saved_model(self, tmp_path):
        schedule = self.make()
        steps = np.arange(self.last_step() + 2)
        copy = type(schedule).from_config(schedule.get_config())
        assert copy.get_config() == schedule.get_config()
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(schedule), "mse")
        model.save(tmp_path / "model.keras")
        config = keras.models.load_model(tmp_path / "model.keras").optimizer.get_config()["learning_rate"]
        loaded = keras.optimizers.schedules.deserialize(config)
        assert type(loaded) is type(schedule)
        for other in (copy, loaded):
            np.testing.assert_array_equal(to_numpy(other(steps)), to_numpy(schedule(steps)))

    def test_draws_itself(self):
        from matplotlib import pyplot

        schedule = self.make()
        axes = schedule.plot(7)
        steps, values = axes.lines[0].get_data()
        np.testing.assert_array_equal(steps, np.arange(7))
        np.testing.assert_array_equal(values, to_numpy(schedule(np.arange(7))))
        assert schedule.plot(3, axes=axes) is axes
        pyplot.close(axes.figure)

    def test_refuses_a_negative_step(self):
        with pytest.raises(ValueError, match=r"`step` must be not below 0\. Received: step=-1"):
            self.make()(-1)

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in self.bad_arguments:
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                self.make(**{name: value})
            assert repr(value) in str(caught.value)
