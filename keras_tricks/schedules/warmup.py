"""Warm-up before any schedule."""

import math
from typing import Any

from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.moving import peak_of, schedule_or_number, value_at
from keras_tricks.schedules._base import Schedule, Tensor

SHAPES = ("linear", "constant", "exponential", "cosine")


class Warmup(Schedule):
    """Rises to the first value of any schedule during `warmup_steps`, then follows it from its beginning.

    During the warm-up, at `step` t of w, `schedule(0)` is multiplied by

    - linear: `start + (1 - start) * t / w`,
    - constant: `start`,
    - exponential: `start ** (1 - t / w)`,
    - cosine: `start + (1 - start) * (1 - cos(pi * t / w)) / 2`,

    and from t = w on, the value is `schedule(t - w)`: all shapes but the constant one reach `schedule(0)` exactly at
    t = w, without a jump. The schedule's own length counts from the end of the warm-up, so
    `Warmup(Cosine(1e-3, total_steps=900), 100)` lasts 1000 steps. With `start=None` it is `1 / (w + 1)`, with which the
    linear form is `(t + 1) / (w + 1)`: no step trains at a rate of 0.

    Helps when: batches or rates are large, or the optimizer's statistics (Adam, BatchNorm) have to settle first; the
    paper needs it to train ImageNet with batches of 8192.
    Hurts when: the run is so short that the steps are missing later. Cost: nothing.

    Args:
        schedule: Any schedule, of this package or of Keras, or a number.
        warmup_steps: The number of steps of the warm-up (w); 0 for none.
        start: The value at step 0 as a share of `schedule(0)`, in [0, 1], above 0 for the exponential shape; None for
            `1 / (warmup_steps + 1)`.
        shape: "linear", "constant", "exponential" or "cosine".
        overlap: Whether the schedule's clock runs during the warm-up, as in timm: the length stays the schedule's own,
            and at t = w the value jumps from near `schedule(0)` to `schedule(w)`.

    Raises:
        ValueError: if an argument is out of range; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.Warmup(kt.schedules.Cosine(1.0, total_steps=10), warmup_steps=4)
        assert np.allclose([float(schedule(step)) for step in (0, 1, 3, 4, 9, 14)], [0.2, 0.4, 0.8, 1.0, 0.5, 0.0])
        ```

    Reference: [Goyal et al., 2017](https://arxiv.org/abs/1706.02677), section 2.2
    """

    def __init__(
        self,
        schedule: Any,
        warmup_steps: int,
        start: float | None = None,
        shape: str = "linear",
        overlap: bool = False,
    ):
        self.schedule = schedule_or_number("schedule", schedule)
        self.warmup_steps = checks.count("warmup_steps", warmup_steps, minimum=0)
        self.start = None if start is None else checks.rate("start", start)
        self.shape = checks.one_of("shape", shape, SHAPES)
        self.overlap = checks.one_of("overlap", overlap, (True, False))
        if self.shape == "exponential" and self.start == 0:
            raise checks.fail("start", "above 0 for an exponential warm-up", start)

    @property
    def peak(self) -> float:
        """The largest value of the schedule inside."""
        return peak_of(self.schedule)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        clock = step if self.overlap else step - self.warmup_steps
        return self._share(step) * value_at(self.schedule, ops.where(step < self.warmup_steps, 0, clock))

    def _share(self, step: Tensor) -> Tensor:
        """The share of the schedule's value: exactly 1 from the end of the warm-up on."""
        start = 1 / (self.warmup_steps + 1) if self.start is None else self.start
        left = self.remainder(step, self.warmup_steps)
        if self.shape == "constant":
            return ops.where(left > 0, start, ops.ones_like(left))
        if self.shape == "exponential":
            return ops.exp(math.log(start) * left)
        return 1.0 - (1.0 - start) * (left if self.shape == "linear" else ops.sin(0.5 * math.pi * left) ** 2)
