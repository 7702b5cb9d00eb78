"""Cosine decay."""

import math

from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor


class Cosine(Schedule):
    """Falls from `initial` to `final` along half a cosine, and stays there.

    `final + (initial - final) * (1 + cos(pi * min(step, total_steps) / total_steps)) / 2`.

    Helps when: the length of the run is known; it has no steps to place, and is the usual choice of image recipes.
    Hurts when: training stops early or goes on: the low rates at the end are where much of the accuracy comes from.
    Cost: nothing.

    Args:
        initial: The value at step 0, not below 0.
        total_steps: The number of steps until `final` is reached.
        final: The value from then on, not below 0.

    Raises:
        ValueError: if an argument is out of range; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Cosine(0.1, total_steps=100, final=0.02)
        assert np.allclose([float(schedule(step)) for step in (0, 50, 100, 500)], [0.1, 0.06, 0.02, 0.02])
        ```

    Reference: [Loshchilov & Hutter, 2016](https://arxiv.org/abs/1608.03983)
    """

    def __init__(self, initial: float, total_steps: int, final: float = 0.0):
        self.initial = checks.non_negative("initial", initial)
        self.total_steps = checks.count("total_steps", total_steps)
        self.final = checks.non_negative("final", final)

    @property
    def peak(self) -> float:
        """The larger one of the two ends."""
        return max(self.initial, self.final)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        # sin(x/2)**2 is (1 - cos(x))/2 with its digits kept where x, the angle that is left, is small.
        height = ops.sin(0.5 * math.pi * self.remainder(step, self.total_steps)) ** 2
        return self.final + (self.initial - self.final) * height
