"""CosineRestarts."""

import keras
import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import CosineRestarts
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestCosineRestarts(ScheduleContract):
    schedule = CosineRestarts
    arguments = {"initial": 0.8, "period": 4, "final": 0.2, "peak_factor": 0.75}
    landmarks = {0: 0.8, 2: 0.5, 4: 0.6, 8: 0.4, 12: 0.45, 20: 0.325, 28: 0.3375}
    peak = 0.8
    bad_arguments = [
        ("initial", -1.0),
        ("period", 0),
        ("period_factor", 0.5),
        ("period_factor", 1.000001),
        ("peak_factor", 0),
        ("peak_factor", 1.1),
        ("final", 0.9),
        ("warmup_steps", 4),
        ("warmup_steps", -1),
    ]


class TestCosineRestartsWithWarmups(ScheduleContract):
    schedule = CosineRestarts
    arguments = {"initial": 0.8, "period": 5, "period_factor": 1, "warmup_steps": 3}
    landmarks = {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.8, 4: 0.4, 5: 0.2, 8: 0.8, 14: 0.4}
    peak = 0.8
    bad_arguments = []


@pytest.mark.parametrize(("period", "factor"), [(10, 1), (1, 1), (7, 2), (3, 3), (1, 5)])
def test_equals_torch_at_every_step(period, factor):
    def scheduler(optimizer):
        return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, period, factor, 0.01)

    values = to_numpy(CosineRestarts(0.3, period, factor, final=0.01)(np.arange(400)))
    np.testing.assert_allclose(values, torch_curve(scheduler, 400, 0.3), rtol=1e-5, atol=1e-7)


def test_equals_keras_at_every_step():
    reference = keras.optimizers.schedules.CosineDecayRestarts(0.3, 10, 2.0, 0.5)
    expected = [float(reference(step)) for step in range(70)]
    np.testing.assert_allclose(to_numpy(CosineRestarts(0.3, 10, 2.0, 0.5)(np.arange(70))), expected, rtol=1e-4)


@pytest.mark.parametrize("factor", [1.0, 1.1, 1.5, 2.0, 3.0, 4.0, 7.0, 10.0])
@pytest.mark.parametrize("period", [1, 3, 10, 1000])
def test_every_cycle_begins_at_its_peak_on_a_whole_step(factor, period):
    schedule, start = CosineRestarts(1.0, period, factor), 0
    for cycle in range(30):
        length = round(period * factor**cycle)
        if start + length >= 2**31:
            break
        assert float(schedule(start)) == 1.0
        assert schedule.cycle_end(start) == schedule.cycle_end(start + length - 1) == start + length
        if length > 1:
            last = np.sin(0.5 * np.pi / length) ** 2
            assert float(schedule(start + length - 1)) == pytest.approx(last, rel=1e-5)
        start += length
    assert start > 0
    assert 0 <= float(schedule(2**31 - 1)) <= 1


def test_a_cycle_whose_peak_is_below_the_end_stays_there():
    values = to_numpy(CosineRestarts(1.0, 2, 1, peak_factor=0.1, final=0.5)(np.arange(6)))
    np.testing.assert_allclose(values, [1, 0.75, 0.1, 0.1, 0.01, 0.01], rtol=1e-5)
