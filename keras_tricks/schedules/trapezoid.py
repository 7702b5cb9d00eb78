"""Warm-up, stable, cool-down."""

import math

from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor

COOLDOWNS = ("linear", "cosine", "1-sqrt")


class Trapezoid(Schedule):
    """Rises to `peak`, stays there, and falls to `final` at the end.

    The rise is `(step + 1) / (warmup_steps + 1)` of the peak. At the share p of the cool-down, what is left above
    `final` is

    - linear: `1 - p`,
    - cosine: `(1 + cos(pi * p)) / 2`,
    - 1-sqrt: `1 - sqrt(p)`, the best one of the paper.

    Helps when: the length of the run is to stay open: what is trained at `peak` can go on, or be cooled down from any
    moment; the paper finds it on a par with a cosine of the same length.
    Hurts when: the cool-down is much shorter than a tenth of the run.
    Cost: nothing.

    Args:
        peak: The largest value, not below 0.
        total_steps: The number of steps until `final` is reached.
        warmup_steps: The number of steps of the rise, at the beginning of them; 0 for none.
        cooldown_steps: The number of steps of the fall, at the end of them; 0 for none.
        cooldown: "linear", "cosine" or "1-sqrt".
        final: The value from the end on, not below 0, nor above `peak`.

    Raises:
        ValueError: if an argument is out of range, or warm-up and cool-down longer than the whole; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Trapezoid(0.8, total_steps=100, warmup_steps=3, cooldown_steps=20)
        assert np.allclose([float(schedule(step)) for step in (0, 3, 80, 90, 100)], [0.2, 0.8, 0.8, 0.4, 0.0])
        ```

    Reference: [Hägele et al., 2024](https://arxiv.org/abs/2405.18392)
    """

    peak: float = 0.0

    def __init__(
        self,
        peak: float,
        total_steps: int,
        warmup_steps: int,
        cooldown_steps: int,
        cooldown: str = "linear",
        final: float = 0.0,
    ):
        self.peak = checks.non_negative("peak", peak)
        self.total_steps = checks.count("total_steps", total_steps)
        self.warmup_steps = checks.count("warmup_steps", warmup_steps, minimum=0)
        self.cooldown_steps = checks.count("cooldown_steps", cooldown_steps, minimum=0)
        self.cooldown = checks.one_of("cooldown", cooldown, COOLDOWNS)
        self.final = checks.non_negative("final", final)
        if self.warmup_steps + self.cooldown_steps > self.total_steps:
            raise ValueError(
                "`warmup_steps` and `cooldown_steps` must fit into `total_steps`. Received: "
                f"warmup_steps={warmup_steps!r}, cooldown_steps={cooldown_steps!r}, total_steps={total_steps!r}"
            )
        if self.final > self.peak:
            raise checks.fail("final", f"not above peak={peak!r}", final)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        risen = 1.0 - self.remainder(step + 1, self.warmup_steps + 1)
        start = self.total_steps - self.cooldown_steps
        left = self.remainder(step - start, self.cooldown_steps) if self.cooldown_steps else self._before(step, start)
        if self.cooldown == "cosine":
            left = ops.sin(0.5 * math.pi * left) ** 2
        if self.cooldown == "1-sqrt":
            left = 1.0 - ops.sqrt(1.0 - left)
        return risen * (self.final + (self.peak - self.final) * left)

    @staticmethod
    def _before(step: Tensor, end: int) -> Tensor:
        """1 before `end`, then 0."""
        return ops.cast(step < end, "float32")
