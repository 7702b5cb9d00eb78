"""Warmup."""

import keras
import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import Cosine, Warmup
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve

KERAS = keras.optimizers.schedules


class TestWarmup(ScheduleContract):
    schedule = Warmup
    arguments = {"schedule": Cosine(0.8, 8), "warmup_steps": 3}
    landmarks = {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.8, 5: 0.4 + 0.4 * np.sqrt(0.5), 7: 0.4, 11: 0.0, 50: 0.0}
    peak = 0.8
    bad_arguments = [
        ("schedule", "cosine"),
        ("schedule", -1),
        ("schedule", None),
        ("warmup_steps", -1),
        ("warmup_steps", 2.5),
        ("start", 1.5),
        ("shape", "square"),
        ("overlap", None),
    ]


class TestWarmupOfANumber(ScheduleContract):
    schedule = Warmup
    arguments = {"schedule": 1, "warmup_steps": 4, "start": 0.2, "shape": "cosine"}
    landmarks = {0: 0.2, 2: 0.6, 4: 1.0, 5: 1.0}
    peak = 1.0
    bad_arguments = []


class TestWarmupOfAKerasSchedule(ScheduleContract):
    schedule = Warmup
    arguments = {"schedule": KERAS.CosineDecay(0.1, 4, warmup_target=0.4, warmup_steps=2), "warmup_steps": 4}
    landmarks = {0: 0.02, 3: 0.08, 4: 0.1, 5: 0.25, 6: 0.4, 8: 0.2, 10: 0.0}
    peak = 0.4
    bad_arguments = []


FORMULAS = {
    "linear": lambda start, share: start + (1 - start) * share,
    "constant": lambda start, share: np.where(share < 1, start, 1),
    "exponential": lambda start, share: start ** (1 - share),
    "cosine": lambda start, share: start + (1 - start) * (1 - np.cos(np.pi * share)) / 2,
}


@pytest.mark.parametrize("start", [None, 0.1, 1.0])
@pytest.mark.parametrize("shape", FORMULAS)
def test_each_shape_follows_its_formula_and_then_the_schedule(shape, start):
    steps = np.arange(30)
    share = np.minimum(steps / 7, 1)
    inner = 0.5 * 0.5 * (1 + np.cos(np.pi * np.clip(steps - 7, 0, 20) / 20))
    expected = FORMULAS[shape](1 / 8 if start is None else start, share) * inner
    values = to_numpy(Warmup(Cosine(0.5, 20), 7, start=start, shape=shape)(steps))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("shape", FORMULAS)
def test_no_step_trains_at_a_rate_of_0_unless_it_is_asked_for(shape):
    assert to_numpy(Warmup(0.1, 1000, shape=shape)(np.arange(1001))).min() > 1e-5
    if shape != "exponential":
        assert float(Warmup(0.1, 1000, start=0.0, shape=shape)(0)) == 0


@pytest.mark.parametrize("shape", FORMULAS)
def test_the_warm_up_ends_exactly_on_the_schedule(shape):
    values = to_numpy(Warmup(0.3, 10, shape=shape)(np.arange(10, 20)))
    np.testing.assert_array_equal(values, np.full(10, np.float32(0.3)))


def test_the_schedules_own_length_counts_from_the_end_of_the_warm_up():
    schedule = Warmup(Cosine(1e-3, total_steps=900), 100)
    assert float(schedule(100)) == pytest.approx(1e-3)
    assert 0 < float(schedule(999)) < float(schedule(998))
    assert float(schedule(1000)) == 0


def test_equals_torch_at_every_step():
    def schedulers(optimizer):
        warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=5)
        cosine = lr_scheduler.CosineAnnealingLR(optimizer, 20)
        return lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[5])

    expected = torch_curve(schedulers, 26, initial=0.3)
    values = to_numpy(Warmup(Cosine(0.3, 20), 5, start=0.01)(np.arange(26)))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-8)


def test_equals_keras_at_every_step():
    reference = KERAS.CosineDecay(0.03, 20, alpha=0.1, warmup_target=0.3, warmup_steps=5)
    expected = [float(reference(step)) for step in range(30)]
    values = to_numpy(Warmup(Cosine(0.3, 20, final=0.03), 5, start=0.1)(np.arange(30)))
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_overlapping_the_schedules_clock_runs_from_the_beginning():
    values = to_numpy(Warmup(Cosine(0.8, 8), 4, start=0.5, overlap=True)(np.arange(9)))
    np.testing.assert_allclose(values[:4], [0.4, 0.5, 0.6, 0.7], rtol=1e-6)
    np.testing.assert_allclose(values[4:], to_numpy(Cosine(0.8, 8)(np.arange(4, 9))))


def test_without_steps_it_is_the_schedule_itself():
    steps = np.arange(12)
    np.testing.assert_array_equal(to_numpy(Warmup(Cosine(0.3, 10), 0)(steps)), to_numpy(Cosine(0.3, 10)(steps)))


def test_nests():
    schedule = Warmup(Warmup(1.0, 4, start=0.5), 2, start=0.0)
    np.testing.assert_allclose(to_numpy(schedule(np.arange(8))), [0, 0.25, 0.5, 0.625, 0.75, 0.875, 1, 1])


def test_counts_exactly_where_float32_does_not():
    schedule = Warmup(0.5, 2**24 + 3, start=0.25, shape="constant")
    assert float(schedule(2**24 + 2)) == 0.125
    assert float(schedule(2**24 + 3)) == 0.5


@pytest.mark.parametrize(
    ("schedule", "peak"),
    [
        (KERAS.ExponentialDecay(0.3, 5, 0.5), 0.3),
        (KERAS.PiecewiseConstantDecay([2, 4], [0.1, 0.2, 0.01]), 0.2),
        (KERAS.PolynomialDecay(0.3, 5), 0.3),
        (KERAS.CosineDecay(0.1, 5, warmup_target=0.2, warmup_steps=2), 0.2),
        (0.7, 0.7),
    ],
)
def test_knows_the_peak_of_what_it_wraps(schedule, peak):
    assert Warmup(schedule, 3).peak == pytest.approx(peak)


def test_an_exponential_warm_up_from_0_is_refused():
    with pytest.raises(ValueError, match=r"`start` must be above 0 .*start=0\.0"):
        Warmup(0.1, 5, start=0.0, shape="exponential")


def test_drawing_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"keras-tricks\[cli\]"):
        Warmup(0.1, 5).plot(3)
