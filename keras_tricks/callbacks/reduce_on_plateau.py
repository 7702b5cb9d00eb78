"""Smaller learning rates when training makes no progress."""

import json
import math
import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from keras_tricks._core import checks, rates
from keras_tricks._core.config import Configured

GROWING = ("acc", "auc", "precision", "recall", "f1", "iou", "r2")


class ReduceOnPlateau(Configured, keras.callbacks.Callback):
    """Multiplies the learning rate by `factor` when `patience` epochs have passed without progress.

    Whatever the rate is: a number is set, and any schedule, with its warm-up, is scaled as a whole from there on, in
    wrappers and loss scaling as well. (Keras' `ReduceLROnPlateau` refuses schedules, and forgets the best value when
    training is resumed.) An epoch is progress if the monitored value is better than the best one by more than
    `threshold * abs(best)` ("relative"), or by more than `threshold` ("absolute").

    The count of epochs and the best value belong to a run: an epoch 0 begins a new one, and `fit(initial_epoch=...)`
    continues. The reduced rate is saved with the model; what the callback knows is in `backup`.

    Helps when: nobody knows how long to train. Hurts when: the monitored value is so noisy that progress looks like
    none; a fixed schedule is then better, and usually better anyway where the length is known.
    Cost: a schedule's reduction compiles the training step anew, on TensorFlow and JAX.

    Args:
        monitor: What to watch, a name in the logs of an epoch.
        factor: What the rate is multiplied by, in (0, 1).
        patience: Epochs without progress, at least 1.
        threshold: What counts as progress, not below 0.
        threshold_mode: "relative" or "absolute".
        cooldown: Epochs after a reduction that do not count.
        minimum: The smallest rate; of a schedule, the smallest peak.
        mode: "min" if smaller is better, "max", or "auto": "max" if the name has a part like acc, auc, precision,
            recall, f1, iou or r2.
        backup: A file (JSON) in which the best value and the counts are kept after each epoch, and found again by a
            new process that continues with `fit(initial_epoch=...)`.
        verbose: 1 to say each reduction.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        ```python
        schedule = kt.schedules.Warmup(0.1, warmup_steps=4)
        model.compile(kt.optimizers.SGD(schedule, momentum=0.9), "mse")
        plateau = kt.callbacks.ReduceOnPlateau("loss", factor=0.5, patience=1, threshold=1e9)
        history = model.fit(x_train, np.zeros((8, 10)), epochs=4, callbacks=[plateau], verbose=0).history
        assert np.isclose(history["learning_rate"][-1], 0.1 * 0.5**3)
        ```

    Reference: [He et al., 2015](https://arxiv.org/abs/1512.03385), section 3.4, who divided the rate by 10 "when the
        error plateaus"
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "relative",
        cooldown: int = 0,
        minimum: float = 0.0,
        mode: str = "auto",
        backup: str | os.PathLike[str] | None = None,
        verbose: int = 0,
    ):
        super().__init__()
        self.monitor = monitor
        self.factor = checks.positive_rate("factor", factor)
        if self.factor == 1:
            raise checks.fail("factor", "below 1", factor)
        self.patience = checks.count("patience", patience)
        self.threshold = checks.non_negative("threshold", threshold)
        self.threshold_mode = checks.one_of("threshold_mode", threshold_mode, ("relative", "absolute"))
        self.cooldown = checks.count("cooldown", cooldown, minimum=0)
        self.minimum = checks.non_negative("minimum", minimum)
        self.mode = checks.one_of("mode", mode, ("auto", "min", "max"))
        self.backup = None if backup is None else os.fspath(backup)
        self.verbose = verbose
        self._in_run = False
        self._begin()

    def _begin(self) -> None:
        self.best: float | None = None
        self.waited = 0
        self.cooling = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """A call of `fit` begins."""
        self._in_run = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Begins a new run at epoch 0, and else continues the last one."""
        if not self._in_run and epoch == 0:
            self._begin()
        elif not self._in_run and self.best is None and self.backup and pathlib.Path(self.backup).exists():
            kept = json.loads(pathlib.Path(self.backup).read_text())
            self.best, self.waited, self.cooling = kept["best"], kept["waited"], kept["cooling"]
        self._in_run = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the epoch, and reduces the rate if it is time."""
        logs = {} if logs is None else logs
        if self.monitor in logs:
            self._look(epoch, float(logs[self.monitor]))
        else:
            known = ", ".join(sorted(logs))
            warnings.warn(
                f"ReduceOnPlateau found no {self.monitor!r} in epoch {epoch}: there are {known}", stacklevel=2
            )
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if self.backup:
            kept = {"best": self.best, "waited": self.waited, "cooling": self.cooling}
            fresh = pathlib.Path(f"{self.backup}.new")
            fresh.write_text(json.dumps(kept))
            fresh.replace(self.backup)

    def _look(self, epoch: int, value: float) -> None:
        is_cooling, self.cooling = self.cooling > 0, max(0, self.cooling - 1)
        if self._is_progress(value):
            self.best, self.waited = value, 0
        elif not is_cooling:
            self.waited += 1
        if self.waited >= self.patience:
            self.waited, self.cooling = 0, self.cooldown
            if rates.reduce(self.model, self.factor, self.minimum) and self.verbose:
                print(f"\nEpoch {epoch + 1}: {self.monitor} made no progress for {self.patience} epochs, "
                      f"the learning rate is reduced")  # fmt: skip

    def _is_progress(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        margin = self.threshold * (abs(self.best) if self.threshold_mode == "relative" else 1.0)
        return value > self.best + margin if self._grows() else value < self.best - margin

    def _grows(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        return any(part in self.monitor.lower() for part in GROWING)
