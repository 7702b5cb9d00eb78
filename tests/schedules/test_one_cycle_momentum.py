"""OneCycleMomentum. That it equals torch's is tested with OneCycle."""

from keras_tricks.schedules import OneCycle, OneCycleMomentum
from tests.contracts.schedule import ScheduleContract


class TestOneCycleMomentum(ScheduleContract):
    schedule = OneCycleMomentum
    arguments = {"total_steps": 11, "rise": 5 / 11, "low": 0.8, "high": 0.9}
    landmarks = {0: 0.9, 2: 0.85, 4: 0.8, 7: 0.85, 10: 0.9, 99: 0.9}
    peak = 0.9
    bad_arguments = [
        ("total_steps", 0),
        ("rise", -0.5),
        ("low", -1),
        ("high", 0.7),
        ("high", 1.5),
        ("anneal", "cos"),
        ("three_phase", 2),
    ]


class TestOneCycleMomentumInThreePhases(ScheduleContract):
    schedule = OneCycleMomentum
    arguments = {"total_steps": 12, "rise": 5 / 12, "low": 0.8, "high": 0.9, "anneal": "linear", "three_phase": True}
    landmarks = {0: 0.9, 2: 0.85, 4: 0.8, 6: 0.85, 8: 0.9, 10: 0.9, 99: 0.9}
    peak = 0.9
    bad_arguments = [("rise", 0.7)]


def test_one_cycle_hands_on_what_they_share():
    momentum = OneCycle(0.1, 30, 0.4, anneal="linear", three_phase=True, low_momentum=0.5, high_momentum=0.6).momentum()
    expected = OneCycleMomentum(30, 0.4, 0.5, 0.6, "linear", True)
    assert momentum.get_config() == expected.get_config()
