"""Step."""

import keras
import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import Step
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestStep(ScheduleContract):
    schedule = Step
    arguments = {"initial": 0.8, "boundaries": [3, 4, 9], "factor": 0.5}
    landmarks = {0: 0.8, 2: 0.8, 3: 0.4, 4: 0.2, 8: 0.2, 9: 0.1, 500: 0.1}
    peak = 0.8
    bad_arguments = [
        ("initial", -1.0),
        ("boundaries", [4, 3]),
        ("boundaries", [3, 3]),
        ("boundaries", [0]),
        ("boundaries", [1.5]),
        ("boundaries", 3),
        ("factor", 0.0),
        ("factor", 2.0),
    ]


class TestStepEvery(ScheduleContract):
    schedule = Step
    arguments = {"initial": 0.8, "every": 3, "factor": 0.5}
    landmarks = {0: 0.8, 2: 0.8, 3: 0.4, 5: 0.4, 6: 0.2, 30: 0.8 / 1024}
    peak = 0.8
    bad_arguments = [("every", 0), ("every", 2.5)]


@pytest.mark.parametrize("factor", [0.1, 0.3, 0.97])
def test_equals_torch_at_every_step(factor):
    expected = torch_curve(lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [30, 60, 80], factor), 100, 0.3)
    np.testing.assert_allclose(to_numpy(Step(0.3, [30, 60, 80], factor=factor)(np.arange(100))), expected, rtol=1e-6)
    expected = torch_curve(lambda optimizer: lr_scheduler.StepLR(optimizer, 7, factor), 100, 0.3)
    np.testing.assert_allclose(to_numpy(Step(0.3, every=7, factor=factor)(np.arange(100))), expected, rtol=5e-6)


def test_keras_acts_one_step_later():
    reference = keras.optimizers.schedules.PiecewiseConstantDecay([29, 59], [0.3, 0.03, 0.003])
    expected = [float(reference(step)) for step in range(100)]
    np.testing.assert_allclose(to_numpy(Step(0.3, [30, 60])(np.arange(100))), expected, rtol=1e-6)


def test_counts_exactly_where_float32_does_not():
    schedule = Step(0.5, [2**24 + 1, 2**31 - 2], factor=0.5)
    steps = [2**24, 2**24 + 1, 2**31 - 3, 2**31 - 2]
    assert [float(schedule(step)) for step in steps] == [0.5, 0.25, 0.25, 0.125]


@pytest.mark.parametrize("arguments", [{}, {"boundaries": [3], "every": 2}])
def test_wants_boundaries_or_a_distance(arguments):
    with pytest.raises(ValueError, match=r"either `boundaries` or `every`\. Received: boundaries="):
        Step(0.1, **arguments)


def test_without_a_boundary_it_is_constant():
    np.testing.assert_allclose(to_numpy(Step(0.3, [])(np.arange(5))), 0.3)


class TestStepWithFactors(ScheduleContract):
    schedule = Step
    arguments = {"initial": 0.8, "boundaries": [3, 4, 9], "factor": [0.5, 1.0, 1.5]}
    landmarks = {0: 0.8, 2: 0.8, 3: 0.4, 4: 0.4, 8: 0.4, 9: 0.6, 500: 0.6}
    peak = 0.8
    bad_arguments = [("factor", [0.5]), ("factor", [0.5, 0.5, 0.0]), ("factor", []), ("boundaries", None)]


def test_the_peak_may_come_after_a_boundary():
    assert Step(0.2, [1, 2], factor=[3.0, 0.5]).peak == pytest.approx(0.6)
