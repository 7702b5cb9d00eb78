"""A schedule times a number."""

from typing import Any

from keras_tricks._core import checks
from keras_tricks._core.moving import peak_of, schedule_or_number, value_at
from keras_tricks.schedules._base import Schedule, Tensor


class Scaled(Schedule):
    """Multiplies any schedule by a fixed number.

    Helps when: one part of a model trains at a share of the rate of the rest, or a rate is scaled with the batch.
    Hurts when: nothing to fear: the shape of the schedule stays.
    Cost: nothing.

    Args:
        schedule: Any schedule, of this package or of Keras, or a number.
        factor: A number not below 0.

    Raises:
        ValueError: if an argument is out of range; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Scaled(kt.schedules.Cosine(0.4, total_steps=10), 0.5)
        assert np.allclose([float(schedule(step)) for step in (0, 5, 10)], [0.2, 0.1, 0.0])
        ```
    """

    def __init__(self, schedule: Any, factor: float):
        self.schedule = schedule_or_number("schedule", schedule)
        self.factor = checks.non_negative("factor", factor)

    @property
    def peak(self) -> float:
        """The schedule's peak times `factor`."""
        return self.factor * peak_of(self.schedule)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        return self.factor * value_at(self.schedule, step)
