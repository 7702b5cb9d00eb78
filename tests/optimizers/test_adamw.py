import numpy as np
import optax
import pytest
import torch
from keras import ops

from keras_tricks.optimizers import AdamW
from keras_tricks.optimizers._moments import one_less_power
from keras_tricks.schedules import Cosine, Linear, OneCycle
from tests.contracts.moving_optimizer import (
    MovingOptimizerContract,
    SettingsContract,
    optax_trajectory,
    torch_trajectory,
    trajectory,
)
from tests.contracts.optimizer import assert_equal
from tests.running import to_numpy


class TestAdamW(SettingsContract, MovingOptimizerContract):
    cls = AdamW
    arguments = {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 1e-4, "weight_decay": 0.25}
    arguments |= {"decay": "coupled", "reference_rate": 0.5}
    moving = {"beta_1": (0.5, 0.75), "beta_2": (0.9, 0.99), "weight_decay": (0.1, 0.3)}
    settings = {"epsilon": (1e-3, 1.0)}
    bad_arguments = [("beta_1", 1.0), ("beta_1", -0.1), ("beta_2", 1), ("beta_2", None), ("epsilon", 0)]

    @pytest.mark.parametrize("weight_decay", [0.0, 0.1])
    @pytest.mark.parametrize("betas", [(0.9, 0.999), (0.95, 0.9), (0.0, 0.99)])
    def test_equals_torch_over_200_updates(self, betas, weight_decay):
        ours = trajectory(AdamW(0.01, *betas, weight_decay=weight_decay, no_decay=None), 200)
        theirs = torch_trajectory(
            lambda variables: torch.optim.AdamW(variables, lr=0.01, betas=betas, weight_decay=weight_decay), 200
        )
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_equals_optax_under_a_moving_rate(self):
        ours = trajectory(AdamW(Cosine(0.02, 200), weight_decay=0.1, no_decay=None), 200)
        theirs = optax_trajectory(optax.adamw(optax.cosine_decay_schedule(0.02, 200), weight_decay=0.1), 200)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_equals_torch_under_a_moving_epsilon(self):
        def move(group, step):
            group["eps"] = 0.5 * (1 - step / 200)

        ours = trajectory(AdamW(0.01, epsilon=Linear(0.5, 200), weight_decay=0.1, no_decay=None), 200)
        theirs = torch_trajectory(lambda variables: torch.optim.AdamW(variables, lr=0.01, weight_decay=0.1), 200, move)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_with_coupled_decay_equals_torch_s_adam(self):
        ours = trajectory(AdamW(0.01, weight_decay=0.1, decay="coupled", no_decay=None), 200)
        theirs = torch_trajectory(lambda variables: torch.optim.Adam(variables, lr=0.01, weight_decay=0.1), 200)
        assert_equal(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_a_one_cycle_run_equals_torch_over_the_whole_cycle(self):
        def move(group, step):
            if step:
                scheduler[0].step()

        def make(variables):
            optimizer = torch.optim.AdamW(variables, lr=0.01, weight_decay=0.1)
            scheduler.append(torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=200, three_phase=True))
            return optimizer

        scheduler = []
        theirs = torch_trajectory(make, 200, move)
        one_cycle = OneCycle(max_lr=0.02, total_steps=200, three_phase=True, final_div_factor=1e4)
        optimizer = AdamW(one_cycle, beta_1=one_cycle.momentum(), weight_decay=0.1, no_decay=None)
        assert_equal(trajectory(optimizer, 200), theirs, rtol=1e-5, atol=1e-5)

    def test_weights_that_never_had_a_gradient_stay_finite_where_the_rate_ends_at_0(self):
        optimizer = AdamW(OneCycle(0.1, total_steps=3, end_factor=0.0), weight_decay=0.0)
        weights = trajectory(optimizer, 6)
        assert np.isfinite(weights).all()
        assert_equal(weights[-1:], weights[2:3])


def test_one_less_power_keeps_its_digits():
    steps = np.array([1.0, 2.0, 10.0, 1e4])
    for base in (0.0, 0.9, 0.999, 0.9999):
        expected = 1 - np.float64(np.float32(base)) ** steps
        seen = to_numpy(one_less_power(ops.convert_to_tensor(np.float32(base)), ops.cast(steps, "float32")))
        np.testing.assert_allclose(seen, expected, rtol=2e-6)
