"""Polynomial decay."""

from keras_tricks._core import checks
from keras_tricks.schedules._base import Tensor
from keras_tricks.schedules._decay import Decay


class Polynomial(Decay):
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
        super().__init__(initial, total_steps, final)
        self.power = checks.positive("power", power)

    def height(self, left: Tensor) -> Tensor:
        """A power of what is left."""
        return left**self.power
