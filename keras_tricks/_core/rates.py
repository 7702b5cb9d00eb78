"""The learning rate of any optimizer, whatever stands around it: which schedule it follows, and how to change it."""

from typing import Any

import keras

from keras_tricks._core import checks
from keras_tricks._core.config import Configured
from keras_tricks._core.moving import KerasSchedule, peak_of, value_at


def innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer that moves the weights, inside all wrappers."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.active() if hasattr(optimizer, "active") else optimizer.inner_optimizer
    if hasattr(optimizer, "optimizers"):
        raise ValueError(f"The optimizer must have one learning rate. Received: {optimizer}, which holds several")
    return optimizer


def schedule_of(optimizer: keras.optimizers.Optimizer) -> KerasSchedule | None:
    """The schedule that the rate follows, None if it is a number."""
    optimizer = innermost(optimizer)
    if hasattr(optimizer, "learning_rate_schedule"):
        return optimizer.learning_rate_schedule
    if isinstance(optimizer.learning_rate, keras.Variable):
        return None
    # A Keras optimizer shows what its schedule says, and not the schedule.
    found = next((value for value in vars(optimizer).values() if isinstance(value, KerasSchedule)), None)
    if found is None:
        raise ValueError(f"The learning rate must be a number or a schedule. Received: that of {optimizer}, a function")
    return found


class Reduced(Configured, KerasSchedule):
    """A schedule times a number: what a schedule becomes when training reduces it.

    Args:
        schedule: Any schedule.
        factor: A number above 0, up to 1.
    """

    def __init__(self, schedule: KerasSchedule, factor: float):
        self.schedule = schedule
        self.factor = checks.positive_rate("factor", factor)

    def __call__(self, step: Any) -> Any:
        return self.factor * value_at(self.schedule, step)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "factor": self.factor}

    @property
    def peak(self) -> float:
        """The schedule's, times the number."""
        return self.factor * peak_of(self.schedule)


def reduce(model: keras.Model, factor: float, minimum: float = 0.0) -> bool:
    """Multiplies the rate (or the whole schedule) by `factor`, as far as it (or its peak) stays above `minimum`.

    Works inside `fit`. Returns whether anything changed.
    """
    optimizer, schedule = innermost(model.optimizer), schedule_of(model.optimizer)
    rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate)) if schedule is None else peak_of(schedule)
    factor = max(factor, min(1.0, minimum / rate)) if rate > 0 else 1.0
    if factor == 1.0:
        return False
    if schedule is None:
        optimizer.learning_rate = rate * factor
        return True
    kept = schedule.factor if isinstance(schedule, Reduced) else 1.0
    optimizer.learning_rate = Reduced(schedule.schedule if isinstance(schedule, Reduced) else schedule, kept * factor)
    model.make_train_function(force=True)  # the schedule is part of what is compiled
    return True
