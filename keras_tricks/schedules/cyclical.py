"""Cyclical learning rates."""

import math

import numpy as np
from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor

POLICIES = ("triangular", "triangular2", "exp_range")


class Cyclical(Schedule):
    """Goes up and down in straight lines between `low` and `high`, again and again.

    The height of the triangles above `low` is `high - low`, times

    - triangular: 1,
    - triangular2: 1/2 in the second cycle, 1/4 in the third, and so on,
    - exp_range: `gamma ** step`.

    Helps when: no single rate is known to be good: the cycle visits all of them; the ends of its falls give
    models to average.
    Hurts when: the run ends at the top of a cycle: let it end where a fall ends.
    Cost: nothing.

    Args:
        low: The value at step 0 and at the end of each cycle, not below 0.
        high: The value in the middle of the first, above `low`.
        half_cycle_steps: The number of steps from `low` to `high`.
        policy: "triangular", "triangular2" or "exp_range".
        gamma: The factor of each step under "exp_range", above 0, up to 1.
        down_steps: The number of steps back to `low`; None for `half_cycle_steps`.

    Raises:
        ValueError: if an argument is out of range, or `high` not above `low`; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Cyclical(0.1, 0.5, half_cycle_steps=4, policy="triangular2")
        assert np.allclose([float(schedule(step)) for step in (0, 2, 4, 8, 12)], [0.1, 0.3, 0.5, 0.1, 0.3])
        ```

    Reference: [Smith, 2015](https://arxiv.org/abs/1506.01186)
    """

    def __init__(
        self,
        low: float,
        high: float,
        half_cycle_steps: int,
        policy: str = "triangular",
        gamma: float = 1.0,
        down_steps: int | None = None,
    ):
        self.low = checks.non_negative("low", low)
        self.high = checks.non_negative("high", high)
        if self.high <= self.low:
            raise checks.fail("high", f"above low={low!r}", high)
        self.half_cycle_steps = checks.count("half_cycle_steps", half_cycle_steps)
        self.policy = checks.one_of("policy", policy, POLICIES)
        self.gamma = checks.positive_rate("gamma", gamma)
        self.down_steps = checks.optional_count("down_steps", down_steps)

    @property
    def peak(self) -> float:
        """`high`; less under "exp_range", where the first rise is damped already."""
        if self.policy != "exp_range":
            return self.high
        steps = np.arange(self.half_cycle_steps + 1.0)
        heights = steps / self.half_cycle_steps * self.gamma**steps
        return self.low + (self.high - self.low) * float(heights.max())

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        up, down = self._lengths()
        cycle = step // (up + down)
        place = step - cycle * (up + down)
        rise, fall = ops.cast(place, "float32") / up, ops.cast(up + down - place, "float32") / down
        height = (self.high - self.low) * ops.minimum(rise, fall)
        if self.policy == "triangular2":
            height = height * ops.exp(-math.log(2) * ops.cast(cycle, "float32"))
        if self.policy == "exp_range":
            height = height * ops.exp(math.log(self.gamma) * ops.cast(step, "float32"))
        return self.low + height

    def cycle_end(self, step: int) -> int:
        """How many steps are done when the cycle that `step` belongs to has ended."""
        length = sum(self._lengths())
        return (step // length + 1) * length

    def _lengths(self) -> tuple[int, int]:
        return self.half_cycle_steps, self.down_steps or self.half_cycle_steps
