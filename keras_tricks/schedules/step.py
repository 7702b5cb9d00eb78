"""Step decay."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor, stage_of


class Step(Schedule):
    """Multiplies the value by `factor` at each boundary, and stays constant between them.

    `initial * factor ** k` at step t, where k counts the `boundaries` b with t >= b, or is `t // every`.

    Helps when: a published recipe says at which epochs its rate falls; the plateaus show when it has stopped helping.
    Hurts when: the length of the run changes: the boundaries have to be placed anew.
    Cost: nothing.

    Args:
        initial: The value at step 0, not below 0.
        boundaries: Steps from which on the next value holds, increasing, each at least 1. Instead of `every`.
        every: The number of steps between two falls. Instead of `boundaries`.
        factor: What each fall leaves of the value, above 0, up to 1; or one number above 0 for each of `boundaries`.

    Raises:
        ValueError: if an argument is out of range; unless exactly one of `boundaries` and `every` is given.

    Example:
        ```python
        schedule = kt.schedules.Step(0.1, boundaries=[30, 60])
        assert np.allclose([float(schedule(step)) for step in (0, 29, 30, 60)], [0.1, 0.1, 0.01, 0.001])
        assert np.allclose(kt.schedules.Step(0.8, every=2, factor=0.5)([1, 2, 5]), [0.8, 0.4, 0.2])
        ```

    Reference: [He et al., 2015](https://arxiv.org/abs/1512.03385), section 3.4
    """

    def __init__(
        self,
        initial: float,
        boundaries: Sequence[int] | None = None,
        every: int | None = None,
        factor: float | Sequence[float] = 0.1,
    ):
        self.initial = checks.non_negative("initial", initial)
        if (boundaries is None) == (every is None):
            raise ValueError(
                f"Give either `boundaries` or `every`. Received: boundaries={boundaries!r}, every={every!r}"
            )
        self.boundaries = None if boundaries is None else checks.increasing("boundaries", boundaries)
        self.every = checks.optional_count("every", every)
        if isinstance(factor, (list, tuple)):
            is_fine = factor and len(factor) == len(self.boundaries or ())
            if not is_fine or not all(checks.is_number(number) and number > 0 for number in factor):
                raise checks.fail("factor", f"a number above 0 for each of boundaries={boundaries!r}", factor)
            self.factor: Any = list(map(float, factor))
        else:
            self.factor = checks.positive_rate("factor", factor)

    @property
    def peak(self) -> float:
        """`initial`, unless factors above 1 lead beyond it."""
        return float(self._values().max()) if isinstance(self.factor, list) else self.initial

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        if self.boundaries is None:
            return self.initial * ops.exp(math.log(self.factor) * ops.cast(step // self.every, "float32"))
        values = self._values().astype("float32")
        return ops.take(ops.convert_to_tensor(values), stage_of(step, self.boundaries), axis=0)

    def _values(self) -> np.ndarray:
        """The value before the first boundary, and from each on."""
        count = len(self.boundaries or ())
        factors = self.factor if isinstance(self.factor, list) else [self.factor] * count
        return self.initial * np.cumprod([1.0, *factors])
