import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import SGD, SwitchOptimizer, WeightAverage
from keras_tricks.schedules import Linear
from tests.contracts.optimizer import (
    OptimizerContract,
    assert_equal,
    bowl_gradients,
    bowl_variables,
    fit,
    numbers,
    small_model,
)


class TestSwitchOptimizer(OptimizerContract):
    cls = SwitchOptimizer
    arguments = {"second": "sgd", "at": 4, "tolerance": 1e-3, "memory": 0.5}
    switched_off = {"second": "sgd", "at": 10**6}
    bad_arguments = [
        ("first", 7),
        ("second", None),
        ("at", 0),
        ("at", "soon"),
        ("at", 2.5),
        ("tolerance", 0.0),
        ("memory", 2.0),
    ]

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in self.bad_arguments:
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                SwitchOptimizer(**({"first": "adam"} | self.arguments | {name: value}))
            assert repr(value) in str(caught.value)

    def test_survives_a_round_trip_through_its_config(self):
        optimizer = self.make(keras.optimizers.SGD(0.25, momentum=0.75))
        config = keras.optimizers.serialize(optimizer)
        again = keras.optimizers.deserialize(config)
        assert keras.optimizers.serialize(again) == config
        assert again.first.momentum == 0.75
        assert isinstance(again.second, keras.optimizers.SGD)
        assert (again.at, again.tolerance, again.memory) == (4, 1e-3, 0.5)

    def test_the_second_goes_on_where_the_first_has_stopped_with_a_clock_of_its_own(self):
        def optimizers():
            return keras.optimizers.Adam(0.1), SGD(Linear(0.2, 10), momentum=0.9)

        variables, reference = bowl_variables(), bowl_variables()
        optimizer, (first, second) = SwitchOptimizer(*optimizers(), at=3), optimizers()
        for update in range(6):
            gradients = bowl_gradients(reference)
            expected = first if update < 3 else second
            assert_equal(numbers([optimizer.learning_rate]), numbers([expected.learning_rate]))
            optimizer.apply(gradients, variables)
            expected.apply(gradients, reference)
            assert_equal(numbers(variables), numbers(reference), rtol=1e-6)
            assert int(numbers([optimizer.iterations])[0]) == update + 1
        assert [int(numbers([one.iterations])[0]) for one in (optimizer.first, optimizer.second)] == [3, 3]

    def test_callbacks_set_the_learning_rate_of_the_inner_optimizer(self):
        """Of the one that trains."""
        model = small_model(SwitchOptimizer("adam", "sgd", at=2))
        fit(model, 2, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: (0.5, 0.25)[epoch])])
        rates = [float(numbers([one.learning_rate])[0]) for one in (model.optimizer.first, model.optimizer.second)]
        assert rates == [0.5, 0.25]

    def test_an_average_around_it_goes_on_over_the_switch(self):
        variables = bowl_variables()
        optimizer = WeightAverage(
            SwitchOptimizer(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.5), at=1), warmup=False
        )
        for _ in range(2):
            optimizer.apply([ops.ones(v.shape) for v in variables], variables)
        assert int(numbers([optimizer.updates])[0]) == 2
        expected = [np.full(v.shape, -1.0 - 0.5 * 0.001) for v in variables]
        assert_equal(numbers(average for _, average in optimizer.average), expected, rtol=1e-6)

    def test_swats_equals_the_paper_s_rule(self):
        tolerance, memory = 0.02, 0.9
        optimizer = SwitchOptimizer(
            keras.optimizers.Adam(0.05), SGD(1.0, momentum=0.75), "swats", tolerance=tolerance, memory=memory
        )
        variables, reference, adam = bowl_variables(), bowl_variables(), keras.optimizers.Adam(0.05)
        mean = count = 0
        for _ in range(200):
            gradients, before = bowl_gradients(reference), numbers(reference)
            adam.apply(gradients, reference)
            optimizer.apply(gradients, variables)
            step = np.concatenate([(a - b).ravel() for a, b in zip(numbers(reference), before, strict=True)])
            slope = step @ np.concatenate([gradient.ravel() for gradient in numbers(gradients)])
            if slope < 0:
                count += 1
                rate = -(step @ step) / slope
                mean = memory * mean + (1 - memory) * rate
                corrected = mean / (1 - memory**count)
                if count > 1 and abs(corrected - rate) < tolerance:
                    break
        assert count < 200
        assert int(numbers([optimizer.has_switched])[0]) == 1
        assert_equal(numbers([optimizer.learning_rate]), [0.25 * corrected], rtol=1e-4)
        at_the_switch = numbers(variables)
        gradients = bowl_gradients(variables)
        optimizer.apply(gradients, variables)
        expected = [w - 0.25 * corrected * g for w, g in zip(at_the_switch, numbers(gradients), strict=True)]
        assert_equal(numbers(variables), expected, rtol=1e-4)

    def test_swats_switches_inside_one_compiled_fit_and_resumes(self, backend, tmp_path):
        def optimizer():
            second = keras.optimizers.SGD(0.5, momentum=0.5)
            return SwitchOptimizer(keras.optimizers.Adam(0.01), second, "swats", tolerance=1.0)

        model = small_model(optimizer(), jit_compile=backend != "torch")
        fit(model, 1)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        fit(model), fit(again)
        assert_equal(again.get_weights(), model.get_weights())
        assert int(numbers([again.optimizer.has_switched])[0]) == 1
        assert float(numbers([again.optimizer.learning_rate])[0]) not in (0.5, 0.01)

    def test_swats_needs_a_rate_that_can_be_set_and_an_update_of_each_batch(self):
        with pytest.raises(ValueError, match="`second` must be an optimizer whose learning rate is a number"):
            SwitchOptimizer("adam", SGD(Linear(0.1, 10)), "swats")
        with pytest.raises(ValueError, match="`first` must be an optimizer that makes an update of each batch"):
            SwitchOptimizer(keras.optimizers.Adam(gradient_accumulation_steps=2), "sgd", "swats")
