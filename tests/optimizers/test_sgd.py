import keras
import numpy as np
import pytest
import torch
from keras import ops

from keras_tricks.optimizers import SGD
from keras_tricks.schedules import Linear, OneCycle, Step
from tests.contracts.moving_optimizer import MovingOptimizerContract, torch_trajectory, trajectory
from tests.contracts.optimizer import assert_equal, fit, numbers, small_model


class TestSGD(MovingOptimizerContract):
    cls = SGD
    arguments = {"learning_rate": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.25, "decay": "rate"}
    moving = {"momentum": (0.5, 0.75), "weight_decay": (0.1, 0.3)}
    bad_arguments = [("momentum", 1.0), ("momentum", -0.1), ("momentum", None), ("nesterov", None)]

    def made_without(self, name):
        return self.make(**{name: 0.0, "nesterov": False})

    @pytest.mark.parametrize("nesterov", [False, True])
    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    @pytest.mark.parametrize("weight_decay", [0.0, 0.05])
    def test_equals_torch_over_200_updates(self, momentum, nesterov, weight_decay):
        if nesterov and not momentum:
            with pytest.raises(ValueError, match="`nesterov`"):
                SGD(nesterov=True)
            return
        arguments = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        ours = trajectory(SGD(0.05, no_decay=None, **arguments), 200)
        theirs = torch_trajectory(lambda variables: torch.optim.SGD(variables, lr=0.05, **arguments), 200)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_a_one_cycle_run_equals_torch_over_the_whole_cycle(self):
        def move(group, step):
            if step:
                scheduler[0].step()
            seen.append((group["lr"], group["momentum"]))

        def make(variables):
            optimizer = torch.optim.SGD(variables, lr=0.1, momentum=0.9, weight_decay=1e-3)
            scheduler.append(torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=200))
            return optimizer

        scheduler, seen = [], []
        theirs = torch_trajectory(make, 200, move)
        one_cycle = OneCycle(0.5, total_steps=200)
        optimizer = SGD(one_cycle, momentum=one_cycle.momentum(), weight_decay=1e-3, no_decay=None)
        assert_equal(trajectory(optimizer, 200), theirs, rtol=1e-5, atol=1e-5)
        steps = np.arange(200)
        assert_equal(numbers([one_cycle(steps), one_cycle.momentum()(steps)]), np.array(seen).T, rtol=1e-5)

    def test_a_drop_of_the_rate_acts_at_once(self):
        """Keras' velocity would carry the old rate on."""
        optimizer = SGD(Step(1.0, [50], factor=0.1), momentum=0.9)
        weights = np.array(trajectory(optimizer, 51))
        velocity = (weights[48] - weights[49]) / 1.0
        gradient = numbers(optimizer.velocities)
        np.testing.assert_allclose(
            weights[49] - weights[50], 0.1 * np.concatenate([v.ravel() for v in gradient]), rtol=1e-4, atol=1e-5
        )
        assert np.abs(weights[49] - weights[50]).mean() < 0.3 * np.abs(velocity).mean()

    def test_one_cycle_in_a_compiled_fit_moves_the_weights_as_eager_steps_do(self, backend):
        def model(**compile_arguments):
            one_cycle = OneCycle(0.2, total_steps=8)
            return small_model(SGD(one_cycle, momentum=one_cycle.momentum()), **compile_arguments)

        compiled, eager = model(jit_compile=backend != "torch"), model(run_eagerly=True)
        fit(compiled, 4)
        fit(eager, 4)
        assert_equal(compiled.get_weights(), eager.get_weights(), rtol=1e-3, atol=1e-5)
        last = OneCycle(0.2, total_steps=8).momentum()(8)
        assert_equal(numbers([compiled.optimizer.momentum]), numbers([last]))

    def test_equals_torch_where_the_decay_follows_a_schedule_of_its_own(self):
        schedule = Linear(0.1, 100, final=0.01)
        theirs = torch_trajectory(
            lambda variables: torch.optim.SGD(variables, lr=0.05, momentum=0.9),
            100,
            lambda group, step: group.update(weight_decay=0.1 + (0.01 - 0.1) * step / 100),
        )
        ours = trajectory(SGD(0.05, momentum=0.9, weight_decay=schedule, no_decay=None), 100)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("nesterov", [False, True])
    def test_a_momentum_that_starts_at_0_moves_by_the_formula(self, nesterov):
        optimizer = SGD(0.1, momentum=Linear(0.0, 2, final=0.5), nesterov=nesterov)
        variable = keras.Variable(np.ones(1, "float32"))
        weight, velocity = 1.0, 0.0
        for momentum in (0.0, 0.25, 0.5, 0.5):
            optimizer.apply([ops.ones((1,))], [variable])
            velocity = momentum * velocity + 1
            weight -= 0.1 * (1 + momentum * velocity if nesterov else velocity)
            assert_equal(numbers([variable]), [np.array([weight])], rtol=1e-6)

    def test_on_tensorflow_a_variable_may_be_given_as_what_is_inside_it(self, backend):
        variable = keras.Variable(np.ones((2, 2), "float32"), name="w")
        inside = variable.value if backend == "tensorflow" else variable
        optimizer = SGD(0.1, momentum=0.5, weight_decay=0.5)
        optimizer.build([variable])
        optimizer.apply([ops.ones((2, 2))], [inside])
        assert_equal(numbers([variable]), [np.full((2, 2), 1 - 0.1 * 1.5)], rtol=1e-6)
