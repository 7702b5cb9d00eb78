"""The learning rate of another batch size."""

import math

from keras_tricks._core import checks


def scale_learning_rate(
    base: float, batch_size: int, reference: int = 256, rule: str = "linear", accumulation_steps: int = 1
) -> float:
    """The learning rate for batches of `batch_size`, where `base` is right for batches of `reference`.

    With SGD the noise of a step shrinks with the batch, so that the rate may grow as much: "linear". Optimizers that
    divide by the size of the gradients (Adam, LAMB) take its square root: "sqrt". Large rates want a `Warmup`.

    Args:
        base: The rate for batches of `reference`, not below 0.
        batch_size: Samples of one batch, over all devices.
        reference: Samples of the batch for which `base` was chosen.
        rule: "linear" or "sqrt".
        accumulation_steps: How many batches make one update: the optimizer's `gradient_accumulation_steps`.

    Returns:
        The rate, a plain number.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        assert np.isclose(kt.schedules.scale_learning_rate(0.1, batch_size=512, accumulation_steps=4), 0.8)
        assert np.isclose(kt.schedules.scale_learning_rate(1e-3, batch_size=1024, rule="sqrt"), 2e-3)
        ```

    Reference: [Goyal et al., 2017](https://arxiv.org/abs/1706.02677), section 2.1
    """
    checks.one_of("rule", rule, ("linear", "sqrt"))
    samples = checks.count("batch_size", batch_size) * checks.count("accumulation_steps", accumulation_steps)
    ratio = samples / checks.count("reference", reference)
    return checks.non_negative("base", base) * (ratio if rule == "linear" else math.sqrt(ratio))
