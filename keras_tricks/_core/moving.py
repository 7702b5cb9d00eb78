"""Numbers that may move: wherever a number may stand, a schedule may stand too."""

from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.config import Configured

Tensor = Any
KerasSchedule = keras.optimizers.schedules.LearningRateSchedule


def schedule_or_number(argument: str, value: Any) -> Any:
    """Approves of a schedule, ours or Keras' own, or of a number not below 0."""
    if isinstance(value, KerasSchedule):
        return value
    if not checks.is_number(value) or value < 0:
        raise checks.fail(argument, "a schedule or a number not below 0", value)
    return float(value)


def value_at(schedule: Any, step: Tensor) -> Any:
    """What a schedule says at `step`; a number says the same at every step."""
    if not isinstance(schedule, KerasSchedule):
        return schedule
    if isinstance(schedule, Configured) or len(step.shape) == 0:
        return schedule(step)
    # Some of Keras' own (CosineDecay with a warm-up) take one step at a time.
    return ops.reshape(ops.map(schedule, ops.reshape(step, (-1,))), ops.shape(step))


def peak_of(schedule: Any) -> float:
    """The largest value of a schedule or number.

    For Keras' own it is read off their arguments, and for a foreign schedule without a `peak` it is the first value.
    """
    if not isinstance(schedule, KerasSchedule):
        return float(schedule)
    if hasattr(schedule, "peak"):
        return float(schedule.peak)
    arguments = [getattr(schedule, name, None) for name in ("initial_learning_rate", "warmup_target")]
    rates = [rate for rate in arguments if rate is not None] + list(getattr(schedule, "values", []))
    return float(max(rates)) if rates else float(ops.convert_to_numpy(schedule(0)))
