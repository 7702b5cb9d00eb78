"""Cyclical."""

import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import Cyclical
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestCyclical(ScheduleContract):
    schedule = Cyclical
    arguments = {"low": 0.1, "high": 0.5, "half_cycle_steps": 4}
    landmarks = {0: 0.1, 1: 0.2, 4: 0.5, 6: 0.3, 8: 0.1, 12: 0.5, 80: 0.1}
    peak = 0.5
    bad_arguments = [
        ("low", -1),
        ("low", 0.5),
        ("high", 0.1),
        ("half_cycle_steps", 0),
        ("policy", "square"),
        ("gamma", 0),
        ("gamma", 1.5),
        ("down_steps", 0),
    ]

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in self.bad_arguments:
            named = "high" if (name, value) == ("low", 0.5) else name
            with pytest.raises(ValueError, match=f"`{named}`") as caught:
                self.make(**{name: value})
            assert repr(value) in str(caught.value)


class TestCyclicalWithFallingPeaks(ScheduleContract):
    schedule = Cyclical
    arguments = {"low": 0.1, "high": 0.5, "half_cycle_steps": 2, "policy": "triangular2", "down_steps": 4}
    landmarks = {0: 0.1, 2: 0.5, 4: 0.3, 6: 0.1, 8: 0.3, 14: 0.2, 60: 0.1}
    peak = 0.5
    bad_arguments = []


class TestCyclicalInAShrinkingRange(ScheduleContract):
    schedule = Cyclical
    arguments = {"low": 0.1, "high": 0.5, "half_cycle_steps": 2, "policy": "exp_range", "gamma": 0.5}
    landmarks = {0: 0.1, 1: 0.2, 2: 0.2, 3: 0.125, 4: 0.1, 6: 0.1 + 0.4 / 64}
    peak = 0.2
    bad_arguments = []


@pytest.mark.parametrize("policy", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize("down", [None, 3, 11])
def test_equals_torch_at_every_step(policy, down):
    def scheduler(optimizer):
        return lr_scheduler.CyclicLR(optimizer, 0.1, 0.7, 7, down, policy, 0.995, cycle_momentum=False)

    values = to_numpy(Cyclical(0.1, 0.7, 7, policy, 0.995 if policy == "exp_range" else 1.0, down)(np.arange(200)))
    np.testing.assert_allclose(values, torch_curve(scheduler, 200), rtol=1e-5)


def test_counts_exactly_where_float32_does_not():
    schedule = Cyclical(0.0, 1.0, 4)
    np.testing.assert_array_equal(to_numpy(schedule(2**30 + np.arange(9))), [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0])


def test_says_where_cycles_end():
    schedule = Cyclical(0.1, 0.5, half_cycle_steps=4, down_steps=3)
    assert [schedule.cycle_end(step) for step in (0, 6, 7, 13, 2**30)] == [7, 7, 14, 14, (2**30 // 7 + 1) * 7]
    assert [float(schedule(end)) for end in (7, 14)] == [float(schedule(0))] * 2
