import keras
import numpy as np
import optax
import pytest

from keras_tricks.optimizers import LAMB
from keras_tricks.schedules import Cosine, Linear
from tests.contracts.moving_optimizer import MovingOptimizerContract, SettingsContract, optax_trajectory, trajectory
from tests.contracts.optimizer import apply, assert_equal, numbers


class TestLAMB(SettingsContract, MovingOptimizerContract):
    cls = LAMB
    arguments = {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 1e-4, "weight_decay": 0.25}
    arguments |= {"trust_clip": 10.0, "decay": "coupled", "reference_rate": 0.5}
    moving = {"beta_1": (0.5, 0.75), "beta_2": (0.9, 0.99), "weight_decay": (0.1, 0.3)}
    settings = {"epsilon": (1e-3, 1.0), "trust_clip": (10.0, 0.5)}
    bad_arguments = [("beta_1", 1.0), ("beta_2", -0.1), ("epsilon", 0), ("trust_clip", 0.0)]

    @pytest.mark.parametrize("weight_decay", [0.0, 0.1])
    def test_equals_optax_over_200_updates(self, weight_decay):
        ours = trajectory(LAMB(0.01, weight_decay=weight_decay, no_decay=None), 200)
        theirs = optax_trajectory(optax.lamb(0.01, weight_decay=weight_decay), 200)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_equals_optax_under_a_moving_rate(self):
        ours = trajectory(LAMB(Cosine(0.02, 200), weight_decay=0.1, no_decay=None), 200)
        theirs = optax_trajectory(optax.lamb(optax.cosine_decay_schedule(0.02, 200), weight_decay=0.1), 200)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_equals_optax_under_a_moving_epsilon(self):
        ours = trajectory(LAMB(0.01, epsilon=Linear(0.5, 200), weight_decay=0.1, no_decay=None), 200)
        moving = optax.inject_hyperparams(optax.lamb)(0.01, eps=optax.linear_schedule(0.5, 0.0, 200), weight_decay=0.1)
        assert_equal(ours, optax_trajectory(moving, 200), rtol=1e-5, atol=1e-5)

    def test_what_is_spared_takes_adam_s_step(self):
        """The second of the variables is a vector."""
        ours = trajectory(LAMB(0.01, weight_decay=0.1), 50)
        adam = optax_trajectory(optax.adam(0.01, eps=1e-6), 50)
        lamb = optax_trajectory(optax.lamb(0.01, weight_decay=0.1), 50)
        for own, spared, others in zip(ours, adam, lamb, strict=True):
            assert_equal([own[12:16]], [spared[12:16]], rtol=1e-5, atol=1e-5)
            assert_equal([own[:12], own[16:]], [others[:12], others[16:]], rtol=1e-5, atol=1e-5)

    def test_the_ratio_is_clipped(self):
        """The first step of Adam is 1 for each weight: for weights of 4 the ratio is 4, for those of 0.5 it is 0.5."""
        for weight, ratio in ((4.0, 2.0), (0.5, 0.5)):
            variable = keras.Variable(np.full((2, 3), weight, "float32"))
            gradient = keras.ops.convert_to_tensor(np.full((2, 3), 3.0, "float32"))
            apply(LAMB(0.01, trust_clip=2.0, no_decay=None), [gradient], [variable])
            assert_equal(numbers([variable]), [np.full((2, 3), weight - 0.01 * ratio)], rtol=1e-5)
