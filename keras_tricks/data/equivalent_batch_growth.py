"""equivalent_batch_growth."""

import dataclasses
import itertools
from typing import Any

from keras_tricks._core import checks, feeding
from keras_tricks.data.growing_batch import GrowingBatch, growth


@dataclasses.dataclass(frozen=True)
class BatchGrowth:
    """Growing batches that are worth a step decay: what `equivalent_batch_growth` returns.

    Attributes:
        schedule: The learning rate over the updates that are left: constant while batches grow, falling afterwards.
        boundaries: Epochs from which on batches are larger.
        factor: How many times larger.
        maximum: The largest batch in samples, None for no limit.
        steps_per_epoch: Steps of an epoch with small batches.
        batch_size: Samples of a small batch.
        batch_sizes: Samples of a batch before the first boundary, and from each boundary of the schedule on.

    Example:
        ```python
        plan = kt.data.equivalent_batch_growth(
            kt.schedules.Step(0.1, boundaries=[4, 8], factor=0.5), steps_per_epoch=4, batch_size=2, maximum=4
        )
        assert plan.batch_sizes == (2, 4, 4)
        model.compile(kt.optimizers.SGD(plan.schedule, momentum=0.9), "mse")
        growing = plan.apply((images, images[:, 0, 0, :1]))
        assert [growing.batch_size_at(epoch) for epoch in range(3)] == [2, 4, 4]
        ```
    """

    schedule: Any
    boundaries: tuple[int, ...]
    factor: float
    maximum: int | None
    steps_per_epoch: int
    batch_size: int
    batch_sizes: tuple[int, ...]

    def apply(self, dataset: Any, **kwargs: Any) -> GrowingBatch:
        """`dataset` (arrays, or a data set of batches of `batch_size`) in batches that grow as planned.

        Args:
            dataset: As `GrowingBatch`'s.
            **kwargs: `shuffle`, `seed`, `initial_epoch`, as `GrowingBatch`'s; `batch_size` for a data set of single
                samples.

        Raises:
            ValueError: if the batches of a data set, or their number, are not what was planned with.
        """
        if feeding.is_of_arrays(dataset):
            kwargs.setdefault("batch_size", self.batch_size)
        growing = GrowingBatch(
            dataset,
            boundaries=self.boundaries,
            factor=self.factor,
            maximum=self.maximum,
            **kwargs,
        )
        if growing.batch_size != self.batch_size:
            raise checks.fail("dataset", f"in batches of batch_size={self.batch_size}", growing.batch_size)
        if growing.batches_at(0) != self.steps_per_epoch:
            raise checks.fail("dataset", f"of steps_per_epoch={self.steps_per_epoch} batches", growing.batches_at(0))
        return growing


def equivalent_batch_growth(
    step_schedule: Any, steps_per_epoch: int, batch_size: int, maximum: int | None = None, epochs: int | None = None
) -> BatchGrowth:
    """Turns a step decay into batches that grow: the same noise in the gradient, in fewer updates.

    The noise of an update goes with `rate * samples / batch`. Where the decay multiplies the rate by `factor`, the
    batch is `1 / factor` times as large instead (rounded down to whole small batches), until `maximum`; what is missing
    then is taken from the rate, so that `rate / batch` is that of the step decay in each epoch.

    Args:
        step_schedule: A `keras_tricks.schedules.Step` over steps of `batch_size`, each boundary the end of an epoch.
        steps_per_epoch: Steps of an epoch with small batches, the last, shorter one counted.
        batch_size: Samples of a small batch.
        maximum: The largest batch in samples, at least `batch_size`; None for no limit.
        epochs: How long the run is; needed for a schedule with `every`, which has no last boundary.

    Returns:
        A frozen `BatchGrowth`: `.schedule` for the optimizer, `.apply(dataset)` for `fit`.

    Raises:
        ValueError: if an argument is out of its range, the schedule is no step decay, a boundary lies within an epoch.

    Example:
        ```python
        decay = kt.schedules.Step(0.1, boundaries=[600, 1200], factor=0.2)  # epochs 60 and 120
        plan = kt.data.equivalent_batch_growth(decay, steps_per_epoch=10, batch_size=128, maximum=640)
        assert plan.batch_sizes == (128, 640, 640)
        rates = keras.ops.convert_to_numpy(plan.schedule([0, 600, 719, 720]))
        assert np.allclose(rates, [0.1, 0.1, 0.1, 0.02])
        ```

    Reference: [Smith et al., 2017](https://arxiv.org/abs/1711.00489)
    """
    steps_per_epoch = checks.count("steps_per_epoch", steps_per_epoch)
    batch_size = checks.count("batch_size", batch_size)
    maximum = checks.optional_count("maximum", maximum)
    if maximum is not None and maximum < batch_size:
        raise checks.fail("maximum", f"at least batch_size={batch_size}", maximum)
    falls = _falls(step_schedule, steps_per_epoch, checks.optional_count("epochs", epochs))
    factor = 1 / step_schedule.factor
    joined = [growth(factor, stage, batch_size, maximum) for stage in range(len(falls) + 1)]
    # Relative to the initial rate: what the decay leaves of it, times what the batch has grown.
    rates = [step_schedule.factor**stage * count for stage, count in enumerate(joined)]
    lengths = [end - start for start, end in itertools.pairwise([0, *falls])]
    updates = [length * -(-steps_per_epoch // count) for length, count in zip(lengths, joined, strict=False)]
    schedule = type(step_schedule)(
        step_schedule.initial,
        boundaries=list(itertools.accumulate(updates)),
        factor=[after / before for before, after in itertools.pairwise(rates)],
    )
    return BatchGrowth(
        schedule,
        tuple(falls),
        factor,
        maximum,
        steps_per_epoch,
        batch_size,
        tuple(count * batch_size for count in joined),
    )


def _falls(schedule: Any, steps_per_epoch: int, epochs: int | None) -> list[int]:
    """The epochs at which the rate falls."""
    if not all(hasattr(schedule, name) for name in ("initial", "boundaries", "every", "factor")):
        raise checks.fail("step_schedule", "a keras_tricks.schedules.Step", schedule)
    if not checks.is_number(schedule.factor) or schedule.factor >= 1:
        raise checks.fail("step_schedule", "a Step with one factor below 1", schedule.factor)
    steps = schedule.boundaries
    if steps is None:
        if epochs is None:
            raise ValueError(
                f"`epochs` is needed for a schedule that falls again and again. Received: every={schedule.every}"
            )
        steps = range(schedule.every, epochs * steps_per_epoch, schedule.every)
    within = [step for step in steps if step % steps_per_epoch]
    if within:
        raise ValueError(
            "`step_schedule` must fall between epochs, where batches can grow. "
            f"Received: a boundary at step {within[0]}, with steps_per_epoch={steps_per_epoch}"
        )
    falls = [step // steps_per_epoch for step in steps]
    return falls if epochs is None else [epoch for epoch in falls if epoch < epochs]
