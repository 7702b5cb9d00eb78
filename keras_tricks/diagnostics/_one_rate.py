"""Holding an optimizer at one rate after the other, whatever rate it has in place."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core.moving import KerasSchedule
from keras_tricks._core.rates import innermost, schedule_of


class _Ladder(KerasSchedule):
    """Stays on each of `rates` for `ticks` of the optimizer's clock, from the time `start` on."""

    def __init__(self, rates: np.ndarray, start: int, ticks: int):
        self.rates, self.start, self.ticks = rates.astype("float32"), start, ticks

    def __call__(self, step: Any) -> Any:
        rung = (ops.cast(step, "int32") - self.start) // self.ticks
        return ops.take(ops.convert_to_tensor(self.rates), ops.clip(rung, 0, len(self.rates) - 1), axis=0)

    def get_config(self) -> dict[str, Any]:
        return {"rates": self.rates.tolist(), "start": self.start, "ticks": self.ticks}


class _Clock(KerasSchedule):
    """Says what time it is: what an optimizer gives its schedule."""

    def __call__(self, step: Any) -> Any:
        return ops.cast(step, "float32")

    def get_config(self) -> dict[str, Any]:
        return {}


@contextlib.contextmanager
def one_rate_at_a_time(model: keras.Model, rates: np.ndarray) -> Iterator[Callable[[int], None]]:
    """Within it, `hold(i)` before the i-th update has it made at `rates[i]`; called in order, from 0.

    A rate that is a number is set. A schedule is exchanged for the ladder, since Keras lets none be set over it, and
    put back afterwards.
    """
    optimizer = innermost(model.optimizer)
    schedule = schedule_of(optimizer)
    if schedule is None:
        yield lambda index: setattr(optimizer, "learning_rate", float(rates[index]))
        return
    try:
        optimizer.learning_rate = _Clock()
        start = int(ops.convert_to_numpy(ops.convert_to_tensor(optimizer.learning_rate)))
        optimizer.learning_rate = _Ladder(rates, start, _ticks(optimizer))
        model.make_train_function(force=True)
        yield lambda index: None
    finally:
        optimizer.learning_rate = schedule


def batches_per_update(optimizer: keras.optimizers.Optimizer) -> int:
    """How many batches make an update."""
    return innermost(optimizer).gradient_accumulation_steps or 1


def _ticks(optimizer: keras.optimizers.Optimizer) -> int:
    """How far the clock of the schedule moves in an update: Keras' counts batches, ours updates."""
    return 1 if getattr(optimizer, "schedules_count_updates", False) else batches_per_update(optimizer)
