"""Exponential moving average of the weights."""

from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks.optimizers._averaging import AveragingWrapper
from keras_tricks.optimizers._base import Tensor


class WeightAverage(AveragingWrapper):
    """Keeps an exponential moving average of the weights beside the ones that are trained.

    After update s = 0, 1, 2, ... of the weights: `d = min(decay, 1 - (1 + s / gamma) ** -power)`, then
    `average = d * average + (1 - d) * weights`. So the first update copies the weights, and the average looks back
    over a growing share of the run until `decay` is reached (with the defaults, after 31,622 updates). Updates are
    counted, not batches: under the inner optimizer's `gradient_accumulation_steps`, and where loss scaling skips a
    step, the average waits too. BatchNorm's moving mean and variance are averaged in the same way, as soon as
    `kt.callbacks.EvaluateWithAverage` takes part in `fit`; it also is what validates, predicts and saves with the
    average. The weights that are trained are never touched.

    Helps when: training ends at a learning rate that is still high, or the validation curve is noisy.
    Hurts when: the run is short compared with the 1 / (1 - decay) updates that the average looks back over.
    Cost: one more copy of the weights (float32), and one pass over them at each update.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        decay: The average's memory at each update, in [0, 1]; near 1.
        warmup: Whether the decay grows from 0. Without it, it is `decay` from the second update on.
        warmup_gamma: Updates over which the growth starts (γ), above 0.
        warmup_power: Its speed (p), above 0; 2/3 for long runs, 3/4 for short ones.
        **kwargs: `name`: see `OptimizerWrapper`; `statistics_shapes` is filled in when saved.

    Attributes:
        average: Pairs of each averaged variable of the model and its average.
        updates: The number of updates seen.

    Raises:
        ValueError: if an argument is out of range, or `inner_optimizer` is not an optimizer.

    Example:
        ```python
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(kt.optimizers.WeightAverage(keras.optimizers.Adam(0.01), decay=0.99), "mse")
        model.fit(np.ones((8, 4)), np.ones((8, 1)), epochs=2, verbose=0)
        variable, average = model.optimizer.average[0]
        assert variable.shape == average.shape
        ```

    Reference: [Polyak & Juditsky, 1992](https://epubs.siam.org/doi/10.1137/0330046); the warm-up as in
        [timm's ModelEmaV3](https://github.com/huggingface/pytorch-image-models)
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        decay: float = 0.999,
        warmup: bool = True,
        warmup_gamma: float = 1.0,
        warmup_power: float = 2 / 3,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        self.decay = checks.rate("decay", decay)
        self.warmup = checks.one_of("warmup", warmup, (True, False))
        self.warmup_gamma = checks.positive("warmup_gamma", warmup_gamma)
        self.warmup_power = checks.positive("warmup_power", warmup_power)

    def share(self, step: Tensor) -> Tensor:
        """1 - d, computed as such: float32 would lose its digits in 1 - (1 - d)."""
        if not self.warmup:
            return ops.where(ops.equal(step, 0.0), 1.0, 1.0 - self.decay)
        return ops.maximum((1.0 + step / self.warmup_gamma) ** -self.warmup_power, 1.0 - self.decay)
