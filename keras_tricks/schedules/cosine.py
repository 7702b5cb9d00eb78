"""Cosine decay."""

import math

from keras import ops

from keras_tricks.schedules._base import Tensor
from keras_tricks.schedules._decay import Decay


class Cosine(Decay):
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

    def height(self, left: Tensor) -> Tensor:
        """Half a cosine."""
        # sin(x/2)**2 is (1 - cos(x))/2 with its digits kept where x, the angle that is left, is small.
        return ops.sin(0.5 * math.pi * left) ** 2
