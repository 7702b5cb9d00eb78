"""Trapezoid."""

import numpy as np
import pytest

from keras_tricks.schedules import Trapezoid
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy


class TestTrapezoid(ScheduleContract):
    schedule = Trapezoid
    arguments = {"peak": 0.8, "total_steps": 12, "warmup_steps": 3, "cooldown_steps": 4, "final": 0.2}
    landmarks = {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.8, 8: 0.8, 10: 0.5, 12: 0.2, 100: 0.2}
    peak = 0.8
    bad_arguments = [
        ("peak", -1),
        ("peak", None),
        ("total_steps", 6),
        ("total_steps", 0),
        ("warmup_steps", 9),
        ("warmup_steps", -1),
        ("cooldown_steps", 10),
        ("cooldown", "sqrt"),
        ("final", 0.9),
    ]


FORMULAS = {
    "linear": lambda share: 1 - share,
    "cosine": lambda share: (1 + np.cos(np.pi * share)) / 2,
    "1-sqrt": lambda share: 1 - np.sqrt(share),
}


@pytest.mark.parametrize("cooldown", FORMULAS)
@pytest.mark.parametrize(("warmup", "down"), [(0, 20), (5, 15), (1, 0), (0, 0)])
def test_follows_the_formula_of_each_cool_down(cooldown, warmup, down):
    steps = np.arange(30)
    rise = np.minimum((steps + 1) / (warmup + 1), 1)
    share = np.clip((steps - (20 - down)) / down, 0, 1) if down else (steps >= 20) * 1.0
    expected = rise * (0.1 + 0.4 * FORMULAS[cooldown](share))
    values = to_numpy(Trapezoid(0.5, 20, warmup, down, cooldown, final=0.1)(steps))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-7)
