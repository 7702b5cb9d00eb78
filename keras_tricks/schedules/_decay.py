"""What the schedules share that go from one value to another during a known number of steps."""

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor


class Decay(Schedule):
    """Goes from `initial` to `final` and stays there; a member writes `height(left)`.

    `final + (initial - final) * height(left)`, where `left` is the share of `total_steps` that is left.

    Args:
        initial: The value at step 0, not below 0.
        total_steps: The number of steps until `final` is reached.
        final: The value from then on, not below 0.
    """

    def __init__(self, initial: float, total_steps: int, final: float = 0.0):
        self.initial = checks.non_negative("initial", initial)
        self.total_steps = checks.count("total_steps", total_steps)
        self.final = checks.non_negative("final", final)

    def height(self, left: Tensor) -> Tensor:
        """Where between `final` (0) and `initial` (1) the value is, from the share that is left, in [0, 1]."""
        raise NotImplementedError

    @property
    def peak(self) -> float:
        """The larger one of the two ends."""
        return max(self.initial, self.final)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        return self.final + (self.initial - self.final) * self.height(self.remainder(step, self.total_steps))
