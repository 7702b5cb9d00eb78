import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import OptimizerWrapper
from tests.contracts.optimizer import OptimizerContract, assert_equal, bowl_gradients, bowl_variables, numbers


@keras.saving.register_keras_serializable(package="tests")
class Recorder(OptimizerWrapper):
    """Multiplies the gradients, counts its calls, and keeps the sum of the weights after each update."""

    def __init__(self, inner_optimizer, factor=1.0, **kwargs):
        super().__init__(inner_optimizer, **kwargs)
        self.factor = float(factor)

    def create_state(self, variables):
        self.updates = self.add_variable((), name="updates")
        self.sums = self.add_slots(variables, "sum")

    def before_update(self, gradients, variables):
        assert len(gradients) == len(variables)
        return [gradient * self.factor for gradient in gradients]

    def after_update(self, variables):
        self.assign(self.updates, ops.convert_to_tensor(self.updates) + 1)
        for total, variable in zip(self.sums, variables, strict=True):
            self.assign(total, ops.convert_to_tensor(total) + ops.convert_to_tensor(variable))


class TestOptimizerWrapper(OptimizerContract):
    cls = Recorder
    arguments = {"factor": 0.5}

    def test_after_update_runs_once_for_each_update_and_before_update_for_each_batch(self):
        variables = bowl_variables()
        optimizer = Recorder(keras.optimizers.SGD(1.0, gradient_accumulation_steps=3), factor=0.5)
        for _ in range(7):
            optimizer.apply([ops.full(v.shape, 2.0) for v in variables], variables)
        assert_equal(numbers([optimizer.updates]), [2])
        assert_equal(numbers(optimizer.sums), [np.full(v.shape, -1.0 - 2.0) for v in variables])

    def test_the_inner_optimizer_sees_what_before_update_returns(self):
        variables = bowl_variables()
        Recorder(keras.optimizers.SGD(1.0), factor=0.25).apply([ops.ones(v.shape) for v in variables], variables)
        assert_equal(numbers(variables), [np.full(v.shape, -0.25) for v in variables])

    def test_before_update_sees_gradients_without_the_inner_loss_scale(self):
        class AddOne(OptimizerWrapper):
            def before_update(self, gradients, variables):
                return [gradient + 1.0 for gradient in gradients]

        variables = bowl_variables()
        optimizer = AddOne(keras.optimizers.SGD(1.0, loss_scale_factor=8.0))
        assert float(optimizer.scale_loss(2.0)) == 16.0
        optimizer.apply([ops.full(v.shape, 8.0) for v in variables], variables)
        assert_equal(numbers(variables), [np.full(v.shape, -2.0) for v in variables])

    def test_gives_variables_without_gradient_to_after_update_only(self):
        variables = bowl_variables()
        optimizer = Recorder(keras.optimizers.SGD(1.0))
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            optimizer.apply([ops.ones((3,)), None], variables)
        assert_equal(numbers(optimizer.sums), [-np.ones(3), np.zeros((2, 1))])

    def test_gradients_of_an_embedding_reach_it_dense(self):
        class Center(OptimizerWrapper):
            def before_update(self, gradients, variables):
                return [gradient - ops.mean(gradient) for gradient in gradients]

        model = keras.Sequential(
            [keras.Input((1,), dtype="int32"), keras.layers.Embedding(4, 1), keras.layers.Flatten()]
        )
        model.compile(Center(keras.optimizers.SGD(4.0)), "mae")
        before = model.get_weights()[0]
        model.fit(np.array([[1]]), np.array([[100.0]]), verbose=0)
        np.testing.assert_allclose(model.get_weights()[0] - before, [[-1], [3], [-1], [-1]], rtol=1e-5)

    def test_refuses_loss_scaling_inside(self):
        with pytest.raises(ValueError, match="`inner_optimizer` must be an optimizer without loss scaling"):
            OptimizerWrapper(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))

    def test_takes_a_name_for_an_optimizer(self):
        assert isinstance(OptimizerWrapper("adamw").inner_optimizer, keras.optimizers.AdamW)

    def test_tells_the_inner_optimizer_what_not_to_decay(self):
        variables = [keras.Variable(np.ones(2, "float32"), name=name) for name in ("kernel", "bias")]
        optimizer = OptimizerWrapper(keras.optimizers.SGD(0.5, weight_decay=0.5))
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        optimizer.apply([ops.zeros((2,)), ops.zeros((2,))], variables)
        assert_equal(numbers(variables), [np.full(2, 0.75), np.ones(2)])

    def test_ends_a_fit_as_the_inner_optimizer_does(self):
        variables = bowl_variables()
        optimizer = OptimizerWrapper(keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5))
        for _ in range(2):
            optimizer.apply([ops.ones(v.shape) for v in variables], variables)
        optimizer.finalize_variable_values(variables)
        assert_equal(numbers(variables), [np.full(v.shape, -1.5) for v in variables])

    def test_refuses_a_wrong_number_of_gradients(self):
        with pytest.raises(ValueError, match="1 gradients for 2 variables"):
            OptimizerWrapper("sgd").apply(bowl_gradients(bowl_variables())[:1], bowl_variables())

    def test_set_weights_sets_all_its_variables(self):
        variables, optimizer = bowl_variables(), Recorder(keras.optimizers.SGD(1.0, momentum=0.5))
        optimizer.build(variables)
        values = [np.full(v.shape, index, "float32") for index, v in enumerate(optimizer.variables)]
        optimizer.set_weights(values)
        assert_equal(numbers(optimizer.variables), values)

    def test_says_so_when_a_file_does_not_fit(self):
        optimizer = Recorder("sgd")
        optimizer.build(bowl_variables())
        with pytest.warns(UserWarning, match="Nothing was loaded into optimizer"):
            optimizer.load_own_variables({"0": np.zeros(())})
