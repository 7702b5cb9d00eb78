"""Weight decay that fits runs of any length."""

from keras_tricks._core import checks


def normalized_decay(value: float, batch_size: int, samples: int, epochs: float) -> float:
    """The `weight_decay` of a run, from a strength that is comparable between runs of different lengths.

    `value * sqrt(batch_size / (samples * epochs))`: AdamWR's normalised decay, for `decay="paper"`. With warm restarts,
    `epochs` are those of one cycle.

    Args:
        value: The normalised strength, not below 0; 0.025 to 0.05 in the paper's experiments on CIFAR-10.
        batch_size: Samples of one update, above 0.
        samples: Samples of the training set, above 0.
        epochs: Epochs of the run, above 0.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        decay = kt.optimizers.normalized_decay(0.05, batch_size=128, samples=50_000, epochs=100)
        assert round(decay, 6) == 0.000253
        schedule = kt.schedules.Cosine(1e-3, total_steps=39_100)
        optimizer = kt.optimizers.AdamW(schedule, weight_decay=decay, decay="paper")
        ```

    Reference: [Loshchilov & Hutter, 2017](https://arxiv.org/abs/1711.05101), appendix B.1
    """
    value = checks.non_negative("value", value)
    batch_size, samples = checks.count("batch_size", batch_size), checks.count("samples", samples)
    return value * (batch_size / (samples * checks.positive("epochs", epochs))) ** 0.5
