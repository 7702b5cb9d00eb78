"""Scaled."""

import keras
import numpy as np

from keras_tricks.schedules import Cosine, Scaled
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy


class TestScaled(ScheduleContract):
    schedule = Scaled
    arguments = {"schedule": Cosine(0.8, 8), "factor": 0.25}
    landmarks = {0: 0.2, 4: 0.1, 8: 0.0}
    peak = 0.2
    bad_arguments = [("schedule", None), ("schedule", -2), ("factor", -1), ("factor", "half")]


class TestScaledNumber(ScheduleContract):
    schedule = Scaled
    arguments = {"schedule": 0.5, "factor": 3}
    landmarks = {0: 1.5, 7: 1.5}
    peak = 1.5
    bad_arguments = []


def test_scales_a_schedule_of_keras():
    reference = keras.optimizers.schedules.ExponentialDecay(0.4, 5, 0.5)
    expected = [2 * float(reference(step)) for step in range(12)]
    np.testing.assert_allclose(to_numpy(Scaled(reference, 2)(np.arange(12))), expected, rtol=1e-6)
