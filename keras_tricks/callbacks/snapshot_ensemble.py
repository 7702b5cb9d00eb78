"""One training, several models: those at the ends of the cycles of its learning rate."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks, rates
from keras_tricks._core.config import Configured
from keras_tricks._core.kept import weights_kept

AVERAGES = ("probabilities", "logits")


class SnapshotEnsemble(Configured, keras.callbacks.Callback):
    """Keeps the weights at the end of each cycle, and predicts with all of them.

    The cycles are those of the optimizer's schedule, or of another one; or they are given in epochs, or in updates of
    the weights. Cycles of updates end where they end, also within an epoch; with `steps_per_execution` above 1, at the
    end of the execution in which they do. Behind `kt.callbacks.EvaluateWithAverage`, cycles of epochs keep the average.

    Predictions of the ensemble are means of the models' probabilities, and leave the model as it is, also after an
    error.

    Helps when: the rate falls to about zero in each cycle, and rises again: an ensemble for the time of one training.
    Hurts when: there is time for but one long cycle, whose model is better than that of a short one.
    Cost: a copy of the weights in the host's memory for each snapshot; to predict, a prediction for each.

    Args:
        cycle_epochs: How many epochs a cycle lasts, or a list of the epochs, counted from 1, with which cycles end.
        cycle_steps: The same in updates of the weights, counted from the first one that the optimizer ever made.
        schedule: A schedule that has cycles, such as `kt.schedules.CosineRestarts`: anything with
            `cycle_end(step)`. If none of the three is given, the one that the optimizer follows.
        keep: How many snapshots to keep, the last ones; None for all.
        folder: A folder in which each snapshot is written too, as `model.save_weights` does, and found again by a new
            process that continues. There is a file for every snapshot, whatever `keep` is.

    Attributes:
        snapshots: The weights as lists of arrays, as from `model.get_weights()`, the oldest first.
        updates: How many updates were done at each.

    Raises:
        ValueError: if an argument is out of range, or several of the first three are given; in `fit`, if none is, and
            the optimizer follows no schedule that has cycles.

    Example:
        ```python
        schedule = kt.schedules.CosineRestarts(0.1, period=2, period_factor=1)
        model.compile(keras.optimizers.SGD(schedule), kt.losses.Crossentropy(from_logits=True))
        ensemble = kt.callbacks.SnapshotEnsemble()
        model.fit(images, labels, batch_size=4, epochs=3, callbacks=[ensemble], verbose=0)
        assert ensemble.updates == [2, 4, 6]
        assert ensemble.predict(images, last=2, from_logits=True, verbose=0).shape == (8, 10)
        ```

    Reference: [Huang et al., 2017](https://arxiv.org/abs/1704.00109)
    """

    def __init__(
        self,
        cycle_epochs: int | Sequence[int] | None = None,
        cycle_steps: int | Sequence[int] | None = None,
        schedule: Any = None,
        keep: int | None = None,
        folder: str | os.PathLike[str] | None = None,
    ):
        super().__init__()
        given = {"cycle_epochs": cycle_epochs, "cycle_steps": cycle_steps, "schedule": schedule}
        if sum(value is not None for value in given.values()) > 1:
            raise ValueError(f"`cycle_epochs`, `cycle_steps` and `schedule` exclude one another. Received: {given}")
        self.cycle_epochs = _ends("cycle_epochs", cycle_epochs)
        self.cycle_steps = _ends("cycle_steps", cycle_steps)
        if schedule is not None and not hasattr(schedule, "cycle_end"):
            raise checks.fail("schedule", "a schedule that has cycles", schedule)
        self.schedule = schedule
        self.keep = checks.optional_count("keep", keep)
        self.folder = None if folder is None else os.fspath(folder)
        self.snapshots: list[list[np.ndarray]] = []
        self.updates: list[int] = []
        self._belongs_to: keras.Model | None = None
        # Of cycles of updates: the next end, and how many batches it takes at least to get there.
        self._end: float = 0
        self._wait: float = 0
        self._batches = 0

    def predict(
        self, x: Any, last: int | None = None, from_logits: bool = False, average: str = "probabilities", **kwargs: Any
    ) -> Any:
        """The mean of what the models at the snapshots predict.

        Args:
            x: What `model.predict` takes; a data set that can be gone through again.
            last: How many snapshots, the last ones; None for all.
            from_logits: Whether the model's outputs are logits. They become probabilities: by the softmax, those with
                one column by the sigmoid. Otherwise outputs are averaged as they are.
            average: What is averaged: "probabilities", or "logits", which become probabilities after that.
            **kwargs: For `model.predict`.

        Returns:
            An array, or what the model's outputs are like, of arrays.
        """
        checks.one_of("average", average, AVERAGES)
        if average == "logits" and not from_logits:
            raise checks.fail("average", '"probabilities" where the outputs are not logits', average)
        chosen = self._last(last)
        model, total = self.model, None
        with weights_kept(model):
            for weights in chosen:
                model.set_weights(weights)
                outputs = keras.tree.map_structure(_wide, model.predict(x, **kwargs))
                if from_logits and average == "probabilities":
                    outputs = keras.tree.map_structure(_probabilities, outputs)
                total = outputs if total is None else keras.tree.map_structure(np.add, total, outputs)

        def mean(outputs: np.ndarray) -> np.ndarray:
            outputs = outputs / len(chosen)
            return (_probabilities(outputs) if average == "logits" else outputs).astype("float32")

        return keras.tree.map_structure(mean, total)

    def models(self, last: int | None = None) -> list[keras.Model]:
        """A new model for each snapshot, or for the `last` ones, the oldest first."""
        made = []
        for weights in self._last(last):
            made.append(keras.models.clone_model(self.model))
            made[-1].set_weights(weights)
        return made

    def restore(self, index: int = -1) -> None:
        """Puts a snapshot into the model."""
        weights = self._last(None)[index]
        self.model.set_weights(weights)

    def _last(self, last: int | None) -> list[list[np.ndarray]]:
        last = checks.optional_count("last", last)
        if len(self.snapshots) < (last or 1):
            raise ValueError(f"`last` snapshots must have been taken. Received: last={last!r} of {len(self.snapshots)}")
        return self.snapshots if last is None else self.snapshots[-last:]

    def set_model(self, model: keras.Model) -> None:
        """Of another model than before, there are no snapshots yet."""
        super().set_model(model)
        if model is not self._belongs_to:
            self._belongs_to, self.snapshots, self.updates = model, [], []

    def on_train_begin(self, logs: Any = None) -> None:
        """Looks for cycles, and for what another process has written."""
        if self.cycle_epochs is None:
            self._next_end(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Finds out when the next cycle ends; not earlier, because another callback may have restored the optimizer."""
        if self.folder is not None and not self.snapshots:
            self._read_all()
        if self.cycle_epochs is None:
            self._batches = 0
            self._look_ahead(self._done())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keeps the weights, if a cycle of updates has ended. The model is looked at only when that can be."""
        if self.cycle_epochs is not None:
            return
        self._wait -= batch + 1 - self._batches
        self._batches = batch + 1
        if self._wait <= 0:
            done = self._done()
            if done >= self._end:
                self._take(done)
            self._look_ahead(done)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the weights, if a cycle of epochs has ended."""
        if self.cycle_epochs is not None and _first_after(self.cycle_epochs, epoch) == epoch + 1:
            self._take(self._done())

    def _done(self) -> int:
        return int(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(self.model.optimizer.iterations)))

    def _look_ahead(self, done: int) -> None:
        self._end = self._next_end(done)
        self._wait = self._end - done

    def _next_end(self, done: int) -> float:
        """The first end of a cycle after so many updates."""
        if self.cycle_steps is not None:
            return _first_after(self.cycle_steps, done)
        optimizer = rates.innermost(self.model.optimizer)
        schedule: Any = rates.schedule_of(optimizer) if self.schedule is None else self.schedule
        if not hasattr(schedule, "cycle_end"):
            raise ValueError(
                "SnapshotEnsemble needs `cycle_epochs`, `cycle_steps`, or a `schedule` that has cycles. "
                f"Received: none, and an optimizer that follows {schedule!r}"
            )
        batches = 1 if hasattr(optimizer, "schedules_count_updates") else optimizer.gradient_accumulation_steps or 1
        return -(-schedule.cycle_end(done * batches) // batches)

    def _take(self, updates: int) -> None:
        if self.updates and self.updates[-1] == updates:  # of a `fit` that was taken up again
            self.snapshots.pop(), self.updates.pop()
        self._keep(updates, self.model.get_weights())
        if self.folder is not None:
            pathlib.Path(self.folder).mkdir(parents=True, exist_ok=True)
            self.model.save_weights(self._path(updates), overwrite=True)

    def _keep(self, updates: int, weights: list[np.ndarray]) -> None:
        self.snapshots.append([np.array(array) for array in weights])  # on torch they are views of the live ones
        self.updates.append(updates)
        if self.keep is not None:
            self.snapshots, self.updates = self.snapshots[-self.keep :], self.updates[-self.keep :]

    def _path(self, updates: int) -> pathlib.Path:
        return pathlib.Path(self.folder or "") / f"snapshot_{updates:08d}.weights.h5"

    def _read_all(self) -> None:
        """What another process has written up to the update at which this one begins."""
        model, done = self.model, self._done()
        names = [
            re.fullmatch(r"snapshot_(\d+)\.weights\.h5", path.name)
            for path in pathlib.Path(self.folder or "").glob("*")
        ]
        found = sorted(int(name[1]) for name in names if name and int(name[1]) <= done)
        for updates in found[-(self.keep or len(found)) :]:
            with weights_kept(model), _without_optimizer(model):
                model.load_weights(self._path(updates))
                weights = model.get_weights()
                self._keep(updates, weights)


def _ends(argument: str, value: Any) -> int | list[int] | None:
    if value is None or checks.is_integer(value):
        return checks.optional_count(argument, value)
    return checks.increasing(argument, value)


def _first_after(ends: int | list[int], done: int) -> float:
    """The first of the ends that is larger than `done`."""
    if isinstance(ends, int):
        return (done // ends + 1) * ends
    return next((end for end in ends if end > done), float("inf"))


def _wide(outputs: Any) -> np.ndarray:
    return np.asarray(outputs, "float64")


def _probabilities(logits: np.ndarray) -> np.ndarray:
    if logits.shape[-1] == 1:
        return np.exp(-np.logaddexp(0.0, -logits))
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@contextlib.contextmanager
def _without_optimizer(model: keras.Model) -> Iterator[None]:
    """Within it Keras loads weights into the model, and nothing into its optimizer."""
    optimizer = model.optimizer
    vars(model)["optimizer"] = None  # past Keras' tracking of attributes
    try:
        yield
    finally:
        vars(model)["optimizer"] = optimizer
