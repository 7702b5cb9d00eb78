"""InverseSqrt."""

import numpy as np
import pytest

from keras_tricks.schedules import InverseSqrt
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy


class TestInverseSqrt(ScheduleContract):
    schedule = InverseSqrt
    arguments = {"peak": 0.4, "warmup_steps": 4}
    landmarks = {0: 0.1, 1: 0.2, 3: 0.4, 15: 0.2, 63: 0.1}
    peak = 0.4
    bad_arguments = [("peak", -0.1), ("peak", None), ("warmup_steps", 0)]


def test_noams_form_equals_the_papers_formula():
    steps = np.arange(1, 20_001)
    expected = 2.0 * 512**-0.5 * np.minimum(steps**-0.5, steps * 4000**-1.5)
    schedule = InverseSqrt.noam(512, 4000, scale=2.0)
    np.testing.assert_allclose(to_numpy(schedule(steps - 1)), expected, rtol=1e-6)
    assert schedule.peak == pytest.approx(expected.max())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model_size": 0, "warmup_steps": 4}, "`model_size`.*model_size=0"),
        ({"model_size": 8, "warmup_steps": -4}, "`warmup_steps`.*warmup_steps=-4"),
        ({"model_size": 8, "warmup_steps": 4, "scale": -1}, "`scale`.*scale=-1"),
    ],
)
def test_noams_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        InverseSqrt.noam(**arguments)
