"""Cosine."""

import keras
import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import Cosine
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestCosine(ScheduleContract):
    schedule = Cosine
    arguments = {"initial": 0.4, "total_steps": 8, "final": 0.2}
    landmarks = {0: 0.4, 2: 0.3 + 0.1 * np.sqrt(0.5), 4: 0.3, 6: 0.3 - 0.1 * np.sqrt(0.5), 8: 0.2, 9: 0.2, 1000: 0.2}
    peak = 0.4
    bad_arguments = [("initial", -1.0), ("total_steps", 0), ("total_steps", 1.5), ("final", float("inf"))]


@pytest.mark.parametrize(("total", "final"), [(1, 0.0), (7, 0.0), (100, 0.01)])
def test_equals_torch_at_every_step(total, final):
    expected = torch_curve(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, total, final), total + 1, 0.3)
    np.testing.assert_allclose(
        to_numpy(Cosine(0.3, total, final)(np.arange(total + 1))), expected, rtol=1e-5, atol=1e-8
    )


def test_equals_keras_at_every_step():
    reference = keras.optimizers.schedules.CosineDecay(0.3, 20, alpha=0.1)
    expected = [float(reference(step)) for step in range(25)]
    np.testing.assert_allclose(to_numpy(Cosine(0.3, 20, 0.03)(np.arange(25))), expected, rtol=1e-5)


def test_the_ends_are_exact_and_the_digits_near_the_end_kept():
    schedule = Cosine(1.0, 100_000)
    assert float(schedule(0)) == 1
    assert float(schedule(100_000)) == float(schedule(2_000_000_000)) == 0
    assert float(schedule(99_999)) == pytest.approx(np.sin(np.pi / 200_000) ** 2, rel=1e-6)


def test_tells_steps_apart_that_float32_cannot():
    total = 2**24 + 4
    values = to_numpy(Cosine(1.0, total)(np.arange(total - 3, total + 1)))
    assert len(set(values.tolist())) == 4


def test_may_rise():
    schedule = Cosine(0.1, 4, final=0.5)
    np.testing.assert_allclose(to_numpy(schedule(np.array([0, 2, 4]))), [0.1, 0.3, 0.5], rtol=1e-6)
    assert schedule.peak == 0.5
