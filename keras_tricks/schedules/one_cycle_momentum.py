"""The momentum of a one-cycle run."""

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor
from keras_tricks.schedules._phases import check_phases, follow


class OneCycleMomentum(Schedule):
    """Falls while the rate of `OneCycle` rises, and rises again while it falls.

    Made by `OneCycle.momentum()`. With three phases it is back at `high` when the second ends, and stays there.

    Helps when: the rate of the run is a one-cycle: the paper finds that high rates want a low momentum.
    Hurts when: the rate stays as it is.
    Cost: nothing.

    Args:
        total_steps: The number of steps of the whole run.
        rise: The share of them in which the rate rises, in [0, 1]; at most 0.5 with three phases.
        low: The smallest value, in [0, 1].
        high: The value at the beginning and at the end, in [0, 1], not below `low`.
        anneal: "cosine" or "linear".
        three_phase: Whether the rate goes in three phases.

    Raises:
        ValueError: if an argument is out of range; for a negative step.

    Example:
        ```python
        momentum = kt.schedules.OneCycle(0.4, total_steps=100, rise=0.5, anneal="linear").momentum()
        assert np.allclose([float(momentum(step)) for step in (0, 49, 74, 99)], [0.95, 0.85, 0.9, 0.95])
        ```

    Reference: [Smith, 2018](https://arxiv.org/abs/1803.09820), section 4.3
    """

    def __init__(
        self,
        total_steps: int,
        rise: float = 0.3,
        low: float = 0.85,
        high: float = 0.95,
        anneal: str = "cosine",
        three_phase: bool = False,
    ):
        self.total_steps, self.rise, self.anneal, self.three_phase = check_phases(
            total_steps, rise, anneal, three_phase
        )
        self.low, self.high = checks.rate("low", low), checks.rate("high", high)
        if self.high < self.low:
            raise checks.fail("high", f"not below low={low!r}", high)

    @property
    def peak(self) -> float:
        """`high`."""
        return self.high

    def value(self, step: Tensor) -> Tensor:
        """The momentum at `step`."""
        ends = (self.high, self.low, self.high) + ((self.high,) if self.three_phase else ())
        return follow(step, ends, self.total_steps, self.rise, self.anneal, self.three_phase)
