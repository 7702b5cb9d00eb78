"""Linear."""

import numpy as np
from torch.optim import lr_scheduler

from keras_tricks.schedules import Linear
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestLinear(ScheduleContract):
    schedule = Linear
    arguments = {"initial": 0.5, "total_steps": 8, "final": 0.1}
    landmarks = {0: 0.5, 2: 0.4, 4: 0.3, 8: 0.1, 1000: 0.1}
    peak = 0.5
    bad_arguments = [("initial", float("nan")), ("total_steps", -3), ("final", -0.1)]


class TestRisingLinear(ScheduleContract):
    schedule = Linear
    arguments = {"initial": 0.0, "total_steps": 4, "final": 0.2}
    landmarks = {0: 0.0, 1: 0.05, 4: 0.2, 9: 0.2}
    peak = 0.2
    bad_arguments = []


def test_equals_torch_at_every_step():
    expected = torch_curve(lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, 0.1, 20), 25, 0.3)
    np.testing.assert_allclose(to_numpy(Linear(0.3, 20, 0.03)(np.arange(25))), expected, rtol=1e-5)


def test_tells_steps_apart_that_float32_cannot():
    total = 2**24 + 4
    values = to_numpy(Linear(1.0, total)(np.arange(total - 3, total + 1)))
    assert len(set(values.tolist())) == 4
