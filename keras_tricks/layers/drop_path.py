"""Stochastic depth."""

from typing import Any

from keras import ops

from keras_tricks._core import checks, random
from keras_tricks._core.moving import KerasSchedule, peak_of
from keras_tricks.layers._base import Tensor, TrainingOnlyLayer


class DropPath(TrainingOnlyLayer):
    """Drops the whole branch for some samples of the batch: stochastic depth, at the end of a residual branch.

    `x * kept / (1 - rate)` with `kept ~ Bernoulli(1 - rate)`, one for each sample, so the expectation is `x` and
    inference needs no scaling. The paper draws once for the whole batch and scales at inference; the form per sample,
    scaled in training, is the one that published recipes use.

    Helps when: the network is deep and residual; the paper claims better accuracy and shorter training for ResNets of
    over a hundred layers.
    Hurts when: the network is shallow or the training short. Put the rate up linearly with depth: 0 in the first
    block, the full rate in the last. Cost: one multiplication.

    Args:
        rate: The share of samples whose branch is dropped, in [0, 1], or a schedule of it: `Linear(0.0, 1000, 0.2)`
            rises over the first thousand batches that the layer sees in training. At 1 the branch is always zero.
        seed: An integer in [0, 2**31), or None for a fresh stream.
        **kwargs: `name`, `dtype`: see `TrainingOnlyLayer`.

    Input shape: `(batch, ...)`.
    Output shape: the same.

    Raises:
        ValueError: if `rate` is not in [0, 1], or reaches above 1.

    Example:
        ```python
        inputs = keras.Input((8, 8, 4))
        branch = keras.layers.Conv2D(4, 3, padding="same")(inputs)
        model = keras.Model(inputs, inputs + kt.layers.DropPath(0.2, seed=1)(branch))
        assert model(np.ones((2, 8, 8, 4)), training=True).shape == (2, 8, 8, 4)
        ```

    Reference: [Huang et al., 2016](https://arxiv.org/abs/1603.09382)
    """

    def __init__(self, rate: Any = 0.0, seed: int | None = None, **kwargs: Any):
        super().__init__(seed=seed, **kwargs)
        self.rate = _scheduled_rate(rate) if isinstance(rate, KerasSchedule) else checks.rate("rate", rate)

    def perturb(self, x: Tensor, seed: Tensor) -> Tensor:
        """Some samples zero, the others scaled up."""
        # A number stays one: as a tensor it would be sent to an accelerator at each step.
        kept = 1.0 - self.now(self.rate)
        least = max if isinstance(kept, float) else ops.maximum
        is_kept = random.bernoulli(seed, (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1), kept)
        # At a rate of 1 nothing is kept, and the scale must be finite, in 16 bits too, for its gradient.
        scale = 1.0 / least(kept, 1e-4)
        return ops.where(is_kept, x * (scale if isinstance(scale, float) else ops.cast(scale, x.dtype)), 0.0)


def _scheduled_rate(rate: KerasSchedule) -> KerasSchedule:
    if peak_of(rate) > 1:
        raise checks.fail("rate", "a schedule with a peak in [0, 1]", rate)
    return rate
