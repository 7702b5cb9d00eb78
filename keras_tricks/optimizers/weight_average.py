"""Averages of the weights: exponential and moving, or the plain mean."""

import math
from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks.optimizers._averaging import AveragingWrapper
from keras_tricks.optimizers._base import Tensor

DECAY = 0.999


class WeightAverage(AveragingWrapper):
    """Keeps an average of the weights beside the ones that are trained.

    Updates s = 0, 1, 2, ... of the weights are counted from `start`, and those with s = 0, every, 2 * every, ... are
    taken. The first is copied; before it the average is the model itself. Then

    - kind="ema", an exponential moving average: `average = d * average + (1 - d) * weights` with
      `d = min(decay, 1 - (1 + s / gamma) ** -power) ** every`. It looks back over a growing share of the run until
      `decay` is reached (with the defaults, after 31,622 updates), and, whatever `every` is, over as many updates.
    - kind="mean", the plain mean of what was taken: stochastic weight averaging (SWA), for a learning rate that is
      constant or cyclical from `start` on. Once an epoch is `every=steps_per_epoch`. To take the ends of the epochs
      (or of cycles), and not the updates after them, let `start` be that of the first end, less 1.

    Updates are counted, not batches: under the inner optimizer's `gradient_accumulation_steps`, and where loss scaling
    skips a step, the average waits too. BatchNorm's moving mean and variance are averaged in the same way in a
    `kt.Trainer`, and in a plain model as soon as `kt.callbacks.EvaluateWithAverage` takes part in `fit`; it also is
    what validates, predicts and saves with the average, and with its `refresh_batch_norm` the statistics are those of
    the averaged weights themselves, as SWA has them. The weights that are trained are never touched.

    Helps when: training ends at a learning rate that is still high, or the validation curve is noisy. After a cosine
    that ends at 0 we saw no gain (CIFAR-10, twelve epochs: EMA 57.9 %, mean 57.9 %, plain 58.1 %;
    `tools/experiments/averages.py`, three seeds).
    Hurts when: the run is short compared with the 1 / (1 - decay) updates that the average looks back over; for a mean,
    when what it begins with is far from where the run ends.
    Cost: one more copy of the weights (float32), and one pass over them at each update that is taken.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        decay: The average's memory at each update, in [0, 1]; near 1. A mean has none.
        kind: "ema" or "mean".
        every: One update in so many is taken, at least 1.
        start: Updates before the first one that is taken, not below 0.
        warmup: Whether the decay grows from 0. Without it, it is `decay` from the second update on. This and the next
            two are for the "ema".
        warmup_gamma: Updates over which the growth starts (γ), above 0.
        warmup_power: Its speed (p), above 0; 2/3 for long runs, 3/4 for short ones.
        **kwargs: `name`: see `OptimizerWrapper`; `statistics_shapes` is filled in when saved.

    Attributes:
        average: Pairs of each averaged variable of the model and its average.
        updates: The number of updates seen, those before `start` among them.

    Raises:
        ValueError: if an argument is out of range, a `decay` is given for the mean, or `inner_optimizer` is not an
            optimizer.

    Example:
        ```python
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        rate = kt.schedules.Join([(kt.schedules.Cosine(0.1, 6, final=0.05), 6), (0.05, None)])
        optimizer = kt.optimizers.WeightAverage(keras.optimizers.SGD(rate), kind="mean", start=7, every=2)
        model.compile(optimizer, "mse")
        model.fit(np.ones((8, 4)), np.ones((8, 1)), batch_size=4, epochs=6, verbose=0)  # ends of epochs 4, 5 and 6
        variable, average = model.optimizer.average[0]
        assert variable.shape == average.shape
        ```

    Reference: [Polyak & Juditsky, 1992](https://epubs.siam.org/doi/10.1137/0330046); the warm-up as in
        [timm's ModelEmaV3](https://github.com/huggingface/pytorch-image-models); the mean:
        [Izmailov et al., 2018](https://arxiv.org/abs/1803.05407)
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        decay: float = DECAY,
        kind: str = "ema",
        every: int = 1,
        start: int = 0,
        warmup: bool = True,
        warmup_gamma: float = 1.0,
        warmup_power: float = 2 / 3,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, every=every, start=start, **kwargs)
        self.kind = checks.one_of("kind", kind, ("ema", "mean"))
        self.decay = checks.rate("decay", decay)
        if self.kind == "mean" and self.decay != DECAY:
            raise checks.fail("decay", 'left out for kind="mean", which weighs all alike', decay)
        self.warmup = checks.one_of("warmup", warmup, (True, False))
        self.warmup_gamma = checks.positive("warmup_gamma", warmup_gamma)
        self.warmup_power = checks.positive("warmup_power", warmup_power)

    def share(self, step: Tensor) -> Tensor:
        """1 - d, computed as such: float32 would lose its digits in 1 - (1 - d)."""
        if self.kind == "mean":
            return 1.0 / (ops.cast(step // self.every, "float32") + 1.0)
        if not self.warmup:
            return ops.where(ops.equal(step, 0), 1.0, self._rescaled_share(1.0 - self.decay))
        grown = (1.0 + ops.cast(step, "float32") / self.warmup_gamma) ** -self.warmup_power
        share = ops.maximum(grown, 1.0 - self.decay)
        return share if self.every == 1 else -ops.expm1(self.every * ops.log1p(-share))

    def _rescaled_share(self, share: float) -> float:
        if self.every == 1 or share == 1:
            return share
        return -math.expm1(self.every * math.log1p(-share))
