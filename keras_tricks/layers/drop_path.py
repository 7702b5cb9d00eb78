"""Stochastic depth."""

from typing import Any

from keras import ops

from keras_tricks._core import checks, random
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
        rate: The share of samples whose branch is dropped, in [0, 1]. At 1 the branch is always zero.
        seed: An integer in [0, 2**31), or None for a fresh stream.
        **kwargs: `name`, `dtype`: see `TrainingOnlyLayer`.

    Input shape: `(batch, ...)`.
    Output shape: the same.

    Raises:
        ValueError: if `rate` is not in [0, 1].

    Example:
        ```python
        inputs = keras.Input((8, 8, 4))
        branch = keras.layers.Conv2D(4, 3, padding="same")(inputs)
        model = keras.Model(inputs, inputs + kt.layers.DropPath(0.2, seed=1)(branch))
        assert model(np.ones((2, 8, 8, 4)), training=True).shape == (2, 8, 8, 4)
        ```

    Reference: [Huang et al., 2016](https://arxiv.org/abs/1603.09382)
    """

    def __init__(self, rate: float = 0.0, seed: int | None = None, **kwargs: Any):
        super().__init__(seed=seed, **kwargs)
        self.rate = checks.rate("rate", rate)

    def perturb(self, x: Tensor, seed: Tensor) -> Tensor:
        """Some samples zero, the others scaled up."""
        if self.rate == 1:
            return ops.zeros_like(x)
        kept = random.bernoulli(seed, (ops.shape(x)[0],) + (1,) * (len(x.shape) - 1), 1 - self.rate)
        return ops.where(kept, x / (1 - self.rate), 0.0)
