"""Polynomial decay."""

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor


class Polynomial(Schedule):
    """Falls from `initial` to `final` along a power of what is left of the run, and stays there.

    `final + (initial - final) * (1 - min(step, total_steps) / total_steps) ** power`.

    Helps when: the length of the run is known; `power=2` with LARS, or 0.9 for segmentation, are the usual choices.
    Hurts when: training stops early or goes on: the low rates at the end are where much of the accuracy comes from.
    Cost: nothing.

    Args:
        initial: The value at step 0, not below 0.
        total_steps: The number of steps until `final` is reached.
        final: The value from then on, not below 0.
        power: The exponent, above 0; 1 is a straight line.

    Raises:
        ValueError: if an argument is out of range; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Polynomial(0.4, total_steps=100)
        assert np.allclose([float(schedule(step)) for step in (0, 50, 100, 500)], [0.4, 0.1, 0.0, 0.0])
        ```

    Reference: [You et al., 2017](https://arxiv.org/abs/1708.03888), section 5
    """

    def __init__(self, initial: float, total_steps: int, final: float = 0.0, power: float = 2.0):
        self.initial = checks.non_negative("initial", initial)
        self.total_steps = checks.count("total_steps", total_steps)
        self.final = checks.non_negative("final", final)
        self.power = checks.positive("power", power)

    @property
    def peak(self) -> float:
        """The larger one of the two ends."""
        return max(self.initial, self.final)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        left = self.remainder(step, self.total_steps)
        return self.final + (self.initial - self.final) * left**self.power
