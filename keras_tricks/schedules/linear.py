"""Linear decay."""

from keras_tricks.schedules._base import Tensor
from keras_tricks.schedules._decay import Decay


class Linear(Decay):
    """Goes from `initial` to `final` in a straight line, and stays there.

    `initial + (final - initial) * min(step, total_steps) / total_steps`.

    Helps when: the length of the run is known: with a warm-up it is the usual choice for fine-tuning language models,
    and a line that rises is that of DropPath's rate, or of a momentum.
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
        schedule = kt.schedules.Linear(0.4, total_steps=100, final=0.1)
        assert np.allclose([float(schedule(step)) for step in (0, 50, 100, 500)], [0.4, 0.25, 0.1, 0.1])
        ```

    Reference: [Defazio et al., 2023](https://arxiv.org/abs/2310.07831)
    """

    def height(self, left: Tensor) -> Tensor:
        """A straight line."""
        return left
