"""Schedules one after another."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.moving import peak_of, schedule_or_number, value_at
from keras_tricks.schedules._base import Schedule, Tensor


class Join(Schedule):
    """Follows several schedules, one after another, each from its own beginning.

    Helps when: a run has stages that no other schedule knows: a cosine, then a constant rate to average weights over.
    Hurts when: a stage does not begin where the one before it ended: a jump up can undo what was learned.
    Cost: that of all its stages, at each step: next to nothing.

    Args:
        stages: Pairs `(schedule, steps)`: any schedule, of this package or of Keras, or a number, and for how many
            steps it is followed. After all of them the last one is held where it is after its steps; None instead of
            its number lets it go on.

    Raises:
        ValueError: if there is no stage, or one that is no such pair; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Join([(kt.schedules.Cosine(0.4, 10, final=0.1), 10), (0.1, 5), (0.05, None)])
        assert np.allclose([float(schedule(step)) for step in (0, 5, 10, 14, 15)], [0.4, 0.25, 0.1, 0.1, 0.05])
        ```
    """

    def __init__(self, stages: Sequence[tuple[Any, int | None]]):
        if not isinstance(stages, (list, tuple)) or not stages:
            raise checks.fail("stages", "a list of pairs (schedule, steps)", stages)
        self.stages = []
        for index, stage in enumerate(stages):
            if not isinstance(stage, (list, tuple)) or len(stage) != 2:
                raise checks.fail("stages", "a list of pairs (schedule, steps)", stages)
            last = index == len(stages) - 1
            steps = checks.optional_count("steps", stage[1]) if last else checks.count("steps", stage[1])
            self.stages.append((schedule_or_number("schedule", stage[0]), steps))

    @property
    def peak(self) -> float:
        """The largest value of all stages."""
        return max(peak_of(schedule) for schedule, _ in self.stages)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        start, result = 0, None
        for schedule, steps in self.stages:
            clock = ops.maximum(step - start, 0)
            value = value_at(schedule, clock if steps is None else ops.minimum(clock, steps))
            value = ops.cast(value, "float32")
            result = value if result is None else ops.where(step < start, result, value)
            start += steps or 0
        return result
