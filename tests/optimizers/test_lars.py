import optax
import pytest

from keras_tricks.optimizers import LARS
from keras_tricks.schedules import Cosine, Linear
from tests.contracts.moving_optimizer import MovingOptimizerContract, SettingsContract, optax_trajectory, trajectory
from tests.contracts.optimizer import assert_equal


class TestLARS(SettingsContract, MovingOptimizerContract):
    cls = LARS
    arguments = {"learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.25, "trust_coefficient": 1.0}
    arguments |= {"epsilon": 1e-4, "nesterov": True, "decay": "rate"}
    moving = {"momentum": (0.5, 0.75), "weight_decay": (0.1, 0.3)}
    settings = {"trust_coefficient": (1.0, 0.5), "epsilon": (1e-3, 10.0)}
    bad_arguments = [("momentum", 1.0), ("trust_coefficient", 0.0), ("epsilon", -1.0), ("nesterov", None)]

    def made_without(self, name):
        return self.make(**{name: 0.0, "nesterov": False})

    @pytest.mark.parametrize("nesterov", [False, True])
    @pytest.mark.parametrize("weight_decay", [0.0, 0.1])
    def test_equals_optax_over_200_updates(self, nesterov, weight_decay):
        arguments = {"momentum": 0.9, "nesterov": nesterov, "weight_decay": weight_decay}
        ours = trajectory(LARS(1.0, epsilon=0.0, no_decay=None, **arguments), 200)
        theirs = optax_trajectory(optax.lars(1.0, **arguments), 200)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_equals_optax_under_a_moving_rate_and_sparing_vectors(self):
        ours = trajectory(LARS(Cosine(0.2, 200), weight_decay=0.1, epsilon=0.0), 200)

        def mask(weights):
            return [weight.ndim > 1 for weight in weights]

        rate = optax.cosine_decay_schedule(0.2, 200)
        theirs = optax.lars(rate, weight_decay=0.1, weight_decay_mask=mask, trust_ratio_mask=mask)
        assert_equal(ours, optax_trajectory(theirs, 200), rtol=1e-5, atol=1e-5)

    def test_equals_optax_at_its_default_epsilon(self):
        """Which optax has none of: at 1e-8 it is below the last digit of a norm."""
        ours = trajectory(LARS(1.0, weight_decay=0.1, no_decay=None), 200)
        assert_equal(ours, optax_trajectory(optax.lars(1.0, weight_decay=0.1), 200), rtol=1e-5, atol=1e-5)

    def test_equals_optax_under_a_moving_trust_coefficient_and_epsilon(self):
        coefficient, epsilon = Linear(0.01, 200, final=0.001), Linear(2.0, 200)
        ours = trajectory(LARS(1.0, trust_coefficient=coefficient, epsilon=epsilon, no_decay=None), 200)
        moving = optax.inject_hyperparams(optax.lars)(
            1.0,
            trust_coefficient=optax.linear_schedule(0.01, 0.001, 200),
            eps=optax.linear_schedule(2.0, 0.0, 200),
        )
        assert_equal(ours, optax_trajectory(moving, 200), rtol=1e-5, atol=1e-5)

    def test_without_momentum_a_step_is_the_share_of_the_variable_that_is_named(self):
        ours = trajectory(LARS(1.0, momentum=0.0, trust_coefficient=0.25, epsilon=0.0, no_decay=None), 2)
        norm = (ours[0][:12] ** 2).sum() ** 0.5
        assert ((ours[1] - ours[0])[:12] ** 2).sum() ** 0.5 == pytest.approx(0.25 * norm, rel=1e-5)
