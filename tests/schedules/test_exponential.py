"""Exponential."""

import keras
import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import Exponential
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestExponential(ScheduleContract):
    schedule = Exponential
    arguments = {"initial": 0.8, "decay_steps": 4, "factor": 0.25}
    landmarks = {0: 0.8, 2: 0.4, 4: 0.2, 6: 0.1, 8: 0.05}
    peak = 0.8
    bad_arguments = [("initial", -1.0), ("decay_steps", 0), ("factor", 0), ("factor", 1.5), ("staircase", "yes")]


class TestExponentialStaircase(ScheduleContract):
    schedule = Exponential
    arguments = {"initial": 0.8, "decay_steps": 4, "factor": 0.25, "staircase": True}
    landmarks = {0: 0.8, 3: 0.8, 4: 0.2, 7: 0.2, 8: 0.05}
    peak = 0.8
    bad_arguments = []


@pytest.mark.parametrize("staircase", [False, True])
def test_equals_keras_at_every_step(staircase):
    reference = keras.optimizers.schedules.ExponentialDecay(0.3, 7, 0.9, staircase)
    expected = [float(reference(step)) for step in range(50)]
    np.testing.assert_allclose(to_numpy(Exponential(0.3, 7, 0.9, staircase)(np.arange(50))), expected, rtol=1e-5)


def test_equals_torch_at_every_step_of_a_long_run():
    expected = torch_curve(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9999), 20_000, 0.3)
    np.testing.assert_allclose(to_numpy(Exponential(0.3, 1, 0.9999)(np.arange(20_000))), expected, rtol=2e-6)
