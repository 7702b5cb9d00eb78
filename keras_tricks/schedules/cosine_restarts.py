"""Cosine decay with warm restarts."""

import math

import numpy as np
from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import LAST_STEP, Schedule, Tensor, stage_of

MOST_CYCLES = 10_000


class CosineRestarts(Schedule):
    """Falls along half a cosine, jumps back up, and falls again, more slowly each time.

    Cycle k lasts `round(period * period_factor ** k)` steps and begins at `initial * peak_factor ** k`; its boundaries
    are whole steps, added up without rounding.

    Helps when: the length of the run is not known before: the end of each cycle is a good model, and these can be
    averaged.
    Hurts when: the length is known: a single fall reaches better losses at equal length.
    Cost: nothing.

    Args:
        initial: The value at the beginning of the first cycle, not below 0.
        period: The number of steps of the first cycle.
        period_factor: How many times as long as the one before each cycle is, at least 1.
        peak_factor: What each restart leaves of the height, above 0, up to 1.
        final: The value at which each cycle ends, not below 0, nor above `initial`.
        warmup_steps: Steps at the beginning of each cycle, within its length, in which the value rises to its height:
            `(t + 1) / (warmup_steps + 1)` of it at the t-th.

    Raises:
        ValueError: if an argument is out of range, or `warmup_steps` not below `period`; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.CosineRestarts(0.8, period=4, final=0.2)
        assert np.allclose([float(schedule(step)) for step in (0, 2, 4, 8, 12)], [0.8, 0.5, 0.8, 0.5, 0.8])
        ```

    Reference: [Loshchilov & Hutter, 2016](https://arxiv.org/abs/1608.03983)
    """

    def __init__(
        self,
        initial: float,
        period: int,
        period_factor: float = 2.0,
        peak_factor: float = 1.0,
        final: float = 0.0,
        warmup_steps: int = 0,
    ):
        self.initial = checks.non_negative("initial", initial)
        self.period = checks.count("period", period)
        self.period_factor = checks.positive("period_factor", period_factor)
        self.peak_factor = checks.positive_rate("peak_factor", peak_factor)
        self.final = checks.non_negative("final", final)
        self.warmup_steps = checks.count("warmup_steps", warmup_steps, minimum=0)
        if self.period_factor < 1:
            raise checks.fail("period_factor", "at least 1", period_factor)
        if self.final > self.initial:
            raise checks.fail("final", f"not above initial={initial!r}", final)
        if self.warmup_steps >= self.period:
            raise checks.fail("warmup_steps", f"below period={period!r}", warmup_steps)
        if self.period_factor > 1:
            self._cycles()

    @property
    def peak(self) -> float:
        """`initial`."""
        return self.initial

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        if self.period_factor == 1:
            cycle = step // self.period
            place, length = step - cycle * self.period, self.period
        else:
            starts, lengths = self._cycles()
            cycle = stage_of(step, starts[1:])
            place = step - ops.cast(ops.take(ops.convert_to_tensor(starts), cycle, axis=0), step.dtype)
            length = ops.cast(ops.take(ops.convert_to_tensor(lengths), cycle, axis=0), "float32")
        place = ops.cast(place, "float32")
        peak = self.initial * ops.exp(math.log(self.peak_factor) * ops.cast(cycle, "float32"))
        left = (length - ops.maximum(place, float(self.warmup_steps))) / (length - self.warmup_steps)
        # A height below `final` does not rise towards it.
        low = ops.minimum(peak, self.final)
        fall = low + (peak - low) * ops.sin(0.5 * math.pi * left) ** 2
        return fall * ops.minimum((place + 1.0) / (self.warmup_steps + 1.0), 1.0)

    def cycle_end(self, step: int) -> int:
        """How many steps are done when the cycle that `step` belongs to has ended."""
        if self.period_factor == 1:
            return (step // self.period + 1) * self.period
        starts, lengths = self._cycles()
        cycle = int(np.searchsorted(starts, step, side="right")) - 1
        return int(starts[cycle]) + int(lengths[cycle])

    def _cycles(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the cycles begin, and how long they are, int32, until steps cannot be counted any further."""
        starts, lengths = [0], [self.period]
        while starts[-1] + lengths[-1] < LAST_STEP:
            starts.append(starts[-1] + lengths[-1])
            lengths.append(round(self.period * self.period_factor ** len(lengths)))
            if len(starts) > MOST_CYCLES:
                raise checks.fail("period_factor", "1, or farther from it", self.period_factor)
        lengths[-1] = min(lengths[-1], LAST_STEP)
        return np.array(starts, "int32"), np.array(lengths, "int32")
