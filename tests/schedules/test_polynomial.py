"""Polynomial."""

import keras
import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import Polynomial
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestPolynomial(ScheduleContract):
    schedule = Polynomial
    arguments = {"initial": 0.5, "total_steps": 8, "final": 0.1}
    landmarks = {0: 0.5, 2: 0.1 + 0.4 * 0.5625, 4: 0.2, 8: 0.1, 1000: 0.1}
    peak = 0.5
    bad_arguments = [("initial", -1.0), ("total_steps", 0), ("final", -0.1), ("power", 0)]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 0.9])
def test_equals_torch_and_keras_at_every_step(power):
    values = to_numpy(Polynomial(0.3, 20, power=power)(np.arange(25)))
    expected = torch_curve(lambda optimizer: lr_scheduler.PolynomialLR(optimizer, 20, power), 25, 0.3)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-8)
    reference = keras.optimizers.schedules.PolynomialDecay(0.3, 20, 0.01, power)
    expected = [float(reference(step)) for step in range(25)]
    np.testing.assert_allclose(to_numpy(Polynomial(0.3, 20, 0.01, power)(np.arange(25))), expected, rtol=1e-5)
