"""Join."""

import keras
import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import Cosine, Join, Linear, Step
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve


class TestJoin(ScheduleContract):
    schedule = Join
    arguments = {"stages": [(Linear(0.0, 4, 0.8), 4), (Cosine(0.8, 8), 4), (0.3, 2)]}
    landmarks = {0: 0.0, 2: 0.4, 4: 0.8, 6: 0.4 + 0.4 * np.sqrt(0.5), 7: 0.4 + 0.4 * np.cos(3 * np.pi / 8), 8: 0.3}
    peak = 0.8
    bad_arguments = [("stages", []), ("stages", 3), ("stages", [0.1]), ("stages", [(0.1, 2, 3)])]


class TestJoinOfOne(ScheduleContract):
    schedule = Join
    arguments = {"stages": [(Cosine(0.8, 8), None)]}
    landmarks = {0: 0.8, 4: 0.4, 8: 0.0}
    peak = 0.8
    bad_arguments = []


def test_equals_torch_at_every_step():
    def schedulers(optimizer):
        parts = [lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 5), lr_scheduler.StepLR(optimizer, 3, 0.5)]
        return lr_scheduler.SequentialLR(optimizer, [*parts, lr_scheduler.CosineAnnealingLR(optimizer, 9)], [5, 12])

    schedule = Join([(Linear(0.03, 5, 0.3), 5), (Step(0.3, every=3, factor=0.5), 7), (Cosine(0.3, 9), 9)])
    np.testing.assert_allclose(
        to_numpy(schedule(np.arange(22))), torch_curve(schedulers, 22, 0.3), rtol=1e-5, atol=1e-8
    )


def test_after_all_stages_the_last_one_is_held_where_it_is():
    held, going_on = (Join([(0.1, 2), (Linear(1.0, 10), steps)]) for steps in (5, None))
    np.testing.assert_allclose(to_numpy(held(np.arange(6, 10))), [0.6, 0.5, 0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(to_numpy(going_on(np.arange(6, 14))), [*np.linspace(0.6, 0, 7).tolist(), 0], atol=1e-7)


def test_stages_of_keras_follow_their_own_clock():
    schedule = Join([(0.5, 3), (keras.optimizers.schedules.PolynomialDecay(0.4, 4, 0.0), 4)])
    np.testing.assert_allclose(to_numpy(schedule(np.arange(9))), [0.5] * 3 + [0.4, 0.3, 0.2, 0.1, 0, 0], atol=1e-7)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([(0.1, None), (0.2, 3)], "`steps`.*steps=None"),
        ([(0.1, 0), (0.2, 3)], "`steps`.*steps=0"),
        ([(0.1, 3), (0.2, 2.5)], "`steps`.*steps=2.5"),
        ([(-0.1, 3)], "`schedule`.*schedule=-0.1"),
        ([("cosine", 3)], "`schedule`.*schedule='cosine'"),
    ],
)
def test_a_bad_stage_is_named_with_its_value(stages, message):
    with pytest.raises(ValueError, match=message):
        Join(stages)
