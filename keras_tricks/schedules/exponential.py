"""Exponential decay."""

import math

from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor


class Exponential(Schedule):
    """Multiplies the value by `factor` over each `decay_steps`, smoothly or all at once at their end.

    `initial * factor ** (step / decay_steps)`, the quotient rounded down with `staircase=True`.

    Helps when: the length of the run is not known before: no end has to be chosen.
    Hurts when: the rate becomes too small long before training ends.
    Cost: nothing.

    Args:
        initial: The value at step 0, not below 0.
        decay_steps: The number of steps over which the value falls to its `factor`.
        factor: What is left of it then, above 0, up to 1.
        staircase: Whether to fall at the end of each `decay_steps` only.

    Raises:
        ValueError: if an argument is out of range; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Exponential(0.8, decay_steps=10, factor=0.25)
        assert np.allclose([float(schedule(step)) for step in (0, 5, 10, 20)], [0.8, 0.4, 0.2, 0.05])
        ```

    Reference: [Szegedy et al., 2015](https://arxiv.org/abs/1512.00567), section 8
    """

    def __init__(self, initial: float, decay_steps: int, factor: float, staircase: bool = False):
        self.initial = checks.non_negative("initial", initial)
        self.decay_steps = checks.count("decay_steps", decay_steps)
        self.factor = checks.positive_rate("factor", factor)
        self.staircase = checks.one_of("staircase", staircase, (True, False))

    @property
    def peak(self) -> float:
        """`initial`."""
        return self.initial

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        whole = step // self.decay_steps
        part = 0 if self.staircase else ops.cast(step - whole * self.decay_steps, "float32") / self.decay_steps
        return self.initial * ops.exp(math.log(self.factor) * (ops.cast(whole, "float32") + part))
