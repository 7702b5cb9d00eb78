import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import Freeze, WeightAverage
from tests.contracts.optimizer import (
    TARGETS,
    OptimizerContract,
    X,
    assert_equal,
    bowl_gradients,
    bowl_variables,
    fit,
    numbers,
    small_model,
)


class TestFreeze(OptimizerContract):
    cls = Freeze
    arguments = {"pattern": ["w0|gamma"]}
    switched_off = {"pattern": []}
    bad_arguments = [("pattern", "("), ("pattern", 3), ("pattern", None)]

    @pytest.mark.parametrize("inner", ["adamw"])
    def test_reaches_the_minimum_of_a_bowl(self, inner):
        """Where it may."""
        variables, optimizer = bowl_variables(), self.made()
        for step in range(120):
            optimizer.learning_rate = 0.3 * (1 - step / 120)
            optimizer.apply(bowl_gradients(variables), variables)
        assert_equal(numbers(variables), [np.zeros(3), TARGETS[1]], atol=0.06)

    def test_accepts_a_missing_gradient(self):
        variables, optimizer = bowl_variables(), self.made()
        optimizer.apply([None, bowl_gradients(variables)[1]], variables)
        assert_equal(numbers(variables[:1]), [np.zeros(3)])
        assert np.abs(numbers(variables)[1]).min() > 0

    def test_stays_as_it_is_under_decay_too_and_its_slots_wait(self):
        model = small_model(Freeze(keras.optimizers.AdamW(0.1, weight_decay=0.5), ["first/kernel", "gamma"]))
        before = dict(zip([v.path for v in model.trainable_variables], numbers(model.trainable_variables), strict=True))
        fit(model, 2)
        frozen = [v for v in model.trainable_variables if "first/kernel" in v.path or "gamma" in v.path]
        moved = [v for v in model.trainable_variables if v.path not in {one.path for one in frozen}]
        assert len(frozen) == 2
        assert_equal(numbers(frozen), [before[v.path] for v in frozen])
        assert all(np.abs(value - before[v.path]).max() > 0 for v, value in zip(moved, numbers(moved), strict=True))
        slots = [v for v in model.optimizer.variables if "first_kernel" in v.name or "gamma" in v.name]
        assert len(slots) == 4
        assert_equal(numbers(slots), [np.zeros(v.shape) for v in slots])

    def test_the_others_move_as_if_the_layer_were_not_trainable(self):
        frozen = small_model(Freeze(keras.optimizers.Adam(0.1), ["first/", "last/"]))
        model = small_model("sgd")
        for layer in (model.layers[0], model.layers[2]):
            layer.trainable = False
        model.compile(keras.optimizers.Adam(0.1), "mse")
        fit(frozen, 2), fit(model, 2)
        assert_equal(frozen.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)

    def test_refuses_to_freeze_everything_or_nothing(self):
        with pytest.raises(ValueError, match="must leave a variable to train"):
            Freeze("sgd", "w").build(bowl_variables())
        with pytest.raises(ValueError, match=r"`pattern` must be found in the path .*'stem'"):
            Freeze("sgd", ["w0", "stem"]).build(bowl_variables())

    def test_refuses_what_keeps_an_average_inside_and_what_is_built(self):
        for inner in (WeightAverage("sgd"), keras.optimizers.SGD(use_ema=True)):
            with pytest.raises(ValueError, match=f"`inner_optimizer` .*put {type(inner).__name__} around Freeze"):
                Freeze(inner, "w0")
        built = keras.optimizers.SGD()
        built.build(bowl_variables())
        with pytest.raises(ValueError, match="`inner_optimizer` must be an optimizer that is not built yet"):
            Freeze(built, "w0")

    def test_an_average_around_it_holds_the_frozen_weights(self):
        variables = bowl_variables()
        optimizer = WeightAverage(Freeze(keras.optimizers.SGD(0.5), "w0"))
        for _ in range(2):
            optimizer.apply([ops.ones(v.shape) for v in variables], variables)
        assert_equal(numbers(average for _, average in optimizer.average)[:1], [np.zeros(3)])
