"""OneCycle."""

import numpy as np
import pytest
from torch.optim import lr_scheduler

from keras_tricks.schedules import OneCycle
from tests.contracts.schedule import ScheduleContract
from tests.running import to_numpy
from tests.schedules.torch_curves import torch_curve

CURVES = [
    {"total_steps": 50},
    {"total_steps": 7, "pct_start": 0.5},
    {"total_steps": 101, "pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0},
    {"total_steps": 40, "pct_start": 0.45, "three_phase": True},
    {"total_steps": 33, "pct_start": 0.2, "three_phase": True, "base_momentum": 0.7, "max_momentum": 0.8},
    {"total_steps": 20, "pct_start": 0.0},
    {"total_steps": 20, "pct_start": 1.0},
]


class TestOneCycle(ScheduleContract):
    schedule = OneCycle
    arguments = {"peak": 0.8, "total_steps": 11, "rise": 5 / 11, "start_factor": 0.25, "end_factor": 0.125}
    landmarks = {0: 0.2, 2: 0.5, 4: 0.8, 7: 0.45, 10: 0.1, 99: 0.1}
    peak = 0.8
    bad_arguments = [
        ("peak", -1.0),
        ("peak", None),
        ("total_steps", 0),
        ("total_steps", None),
        ("rise", 1.5),
        ("start_factor", -0.1),
        ("end_factor", 2),
        ("anneal", "cos"),
        ("three_phase", None),
        ("low_momentum", -1),
        ("high_momentum", 1.5),
        ("div_factor", 0),
        ("final_div_factor", -1),
    ]


class TestOneCycleInThreePhases(ScheduleContract):
    schedule = OneCycle
    arguments = {"peak": 0.8, "total_steps": 12, "rise": 5 / 12, "anneal": "linear", "three_phase": True}
    arguments |= {"start_factor": 0.25, "end_factor": 0.125}
    landmarks = {0: 0.2, 2: 0.5, 4: 0.8, 6: 0.5, 8: 0.2, 11: 0.1, 50: 0.1}
    peak = 0.8
    bad_arguments = [("rise", 0.6)]


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("arguments", CURVES)
def test_equals_torch_at_every_step_under_its_names(arguments, anneal):
    def scheduler(optimizer):
        return lr_scheduler.OneCycleLR(optimizer, 0.7, anneal_strategy=anneal, **arguments)

    steps = arguments["total_steps"]
    values = to_numpy(OneCycle(max_lr=0.7, anneal_strategy=anneal, **arguments)(np.arange(steps)))
    np.testing.assert_allclose(values, torch_curve(scheduler, steps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("arguments", CURVES)
def test_its_momentum_equals_torchs_at_every_step(arguments, anneal):
    def scheduler(optimizer):
        return lr_scheduler.OneCycleLR(optimizer, 0.7, anneal_strategy=anneal, **arguments)

    steps = arguments["total_steps"]
    momentum = OneCycle(max_lr=0.7, anneal_strategy=anneal, **arguments).momentum()
    expected = torch_curve(scheduler, steps, name="momentum", momentum=0.9)
    np.testing.assert_allclose(to_numpy(momentum(np.arange(steps))), expected, rtol=1e-5)


def test_the_defaults_are_torchs():
    ours, theirs = OneCycle(0.7, 50), OneCycle(max_lr=0.7, total_steps=50, div_factor=25.0, final_div_factor=1e4)
    np.testing.assert_allclose(to_numpy(ours(np.arange(50))), to_numpy(theirs(np.arange(50))), rtol=1e-5)


def test_the_ends_are_exact():
    schedule = OneCycle(0.5, 1000, rise=0.3, start_factor=0.5, end_factor=0.25)
    assert [float(schedule(step)) for step in (0, 299, 999, 1000)] == [0.25, 0.5, 0.125, 0.125]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"peak": 0.1, "total_steps": 5, "maximum": 3}, "unexpected arguments: maximum"),
        ({"peak": 0.1, "total_steps": 5, "max_lr": 3}, "`peak` and `max_lr`"),
    ],
)
def test_unknown_and_doubled_names_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        OneCycle(**arguments)


def test_what_was_made_under_torchs_names_is_saved_under_ours():
    schedule = OneCycle(max_lr=0.7, total_steps=20, pct_start=0.2, div_factor=4, final_div_factor=50)
    config = schedule.get_config()
    assert (config["peak"], config["rise"], config["start_factor"]) == (0.7, 0.2, 0.25)
    assert config["end_factor"] == pytest.approx(0.005)
    steps = np.arange(20)
    np.testing.assert_array_equal(to_numpy(OneCycle.from_config(config)(steps)), to_numpy(schedule(steps)))
