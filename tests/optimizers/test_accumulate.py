import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import Accumulate, GlobalNormClipping, WeightAverage
from tests.contracts.optimizer import (
    INNER,
    AnyOptimizerContract,
    OptimizerContract,
    apply,
    assert_equal,
    bowl_gradients,
    bowl_variables,
    fit,
    numbers,
    small_model,
)


class TestAccumulateOfOneBatch(OptimizerContract):
    cls = Accumulate
    arguments = {"steps": 1}
    switched_off = {"steps": 1}
    bad_arguments = [("steps", 0), ("steps", 1.5), ("steps", None)]


class TestAccumulateOfTwoBatches(AnyOptimizerContract):
    # In their own forms below: these count on an update of each batch.
    test_accepts_a_missing_gradient = None
    test_skips_the_steps_that_loss_scaling_skips = None
    test_counts_updates_and_not_batches_under_gradient_accumulation = None

    def made(self, **keras_arguments):
        return Accumulate(INNER["adamw"](**keras_arguments), steps=2)

    @staticmethod
    def own(optimizer):
        return optimizer.own_variables


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="there a missing gradient is missing from each batch")
def test_a_gradient_that_only_some_batches_have_counts_in_their_update_alone():
    optimizer = Accumulate(keras.optimizers.SGD(1.0), steps=2)
    variables = [keras.Variable(0.0, name="always"), keras.Variable(0.0, name="at_times")]
    one = ops.convert_to_tensor(np.float32(1.0))
    for gradients in ([one, one], [one, None], [one, one], [one, one]):
        optimizer.apply(gradients, variables)
    assert [float(value) for value in numbers(variables)] == [-2.0, -1.5]


@pytest.mark.parametrize("inner", INNER)
def test_an_update_is_that_of_the_mean_of_the_gradients(inner):
    accumulated, plain = bowl_variables(), bowl_variables()
    optimizer, reference = Accumulate(INNER[inner](), steps=3), INNER[inner]()
    for update in range(2):
        gradients = bowl_gradients(plain)
        for factor in (0.5, 1.0, 1.5):
            before = numbers(accumulated)
            optimizer.apply([factor * gradient for gradient in gradients], accumulated)
            assert (factor == 1.5) == any((a != b).any() for a, b in zip(before, numbers(accumulated), strict=True))
        reference.apply(gradients, plain)
        assert_equal(numbers(accumulated), numbers(plain), rtol=1e-6)
        assert int(numbers([optimizer.iterations])[0]) == update + 1


def test_what_stands_inside_sees_means_and_what_stands_outside_counts_updates():
    variables = bowl_variables()
    inside = GlobalNormClipping(keras.optimizers.SGD(1.0), norm=100.0)
    optimizer = WeightAverage(Accumulate(inside, steps=2))
    first, second = ([ops.full(v.shape, value) for v in variables] for value in (1.0, -1.0))
    optimizer.apply(first, variables)
    assert int(numbers([optimizer.updates])[0]) == 0
    optimizer.apply(second, variables)
    assert int(numbers([optimizer.updates])[0]) == 1
    assert_equal(numbers([inside.last_norm, *variables]), [0.0, *(np.zeros(v.shape) for v in variables)])


def test_an_unfinished_update_is_saved_and_finished_later(tmp_path):
    straight, stopped = (small_model(Accumulate(INNER["adamw"](), steps=3)) for _ in range(2))
    fit(straight, 3)
    fit(stopped, 2)  # four batches: one update, and one batch that waits
    stopped.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    assert int(numbers([resumed.optimizer.batches])[0]) == 1
    fit(resumed)
    assert_equal(resumed.get_weights(), straight.get_weights())
    assert int(numbers([resumed.optimizer.iterations])[0]) == 2


def test_compiled_steps_move_the_weights_as_eager_ones_do(backend):
    compiled = small_model(Accumulate(INNER["adamw"](), steps=3), jit_compile=backend != "torch")
    eager = small_model(Accumulate(INNER["adamw"](), steps=3), run_eagerly=True)
    fit(compiled, 3), fit(eager, 3)
    assert_equal(compiled.get_weights(), eager.get_weights(), rtol=1e-3, atol=1e-5)


def test_a_variable_without_a_gradient_stays():
    variables, optimizer = bowl_variables(), Accumulate(keras.optimizers.SGD(1.0), steps=2)
    gradients = bowl_gradients(variables)
    optimizer.apply([None, gradients[1]], variables)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([None, gradients[1]], variables)
    assert_equal(numbers(variables), [np.zeros(3), -numbers(gradients)[1]])


def test_a_batch_that_loss_scaling_skips_does_not_count():
    variables, optimizer = bowl_variables(), Accumulate(keras.optimizers.SGD(1.0), steps=2)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0)
    gradients = bowl_gradients(variables)
    for factor in (2.0, np.inf, 1.0):  # the scale is halved by the second
        apply(scaled, [factor * gradient for gradient in gradients], variables)
    assert_equal(numbers(variables), [-value for value in numbers(gradients)])
    assert int(numbers([optimizer.batches])[0]) == 0


def test_the_second_update_does_not_remember_the_first():
    variable = keras.Variable(np.zeros(1, "float32"))
    optimizer = Accumulate(keras.optimizers.SGD(1.0), steps=2)
    for gradient in (1.0, 3.0, 0.0, 10.0):
        optimizer.apply([ops.full((1,), gradient)], [variable])
    assert_equal(numbers([variable]), [np.array([-2.0 - 5.0])])
