"""What learning rate, momentum and the like were, in the history and step by step."""

import csv
import importlib.util
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_tricks._core import checks
from keras_tricks._core.config import Configured
from keras_tricks._core.rates import innermost

NAMES = ("learning_rate", "momentum", "beta_1", "beta_2", "weight_decay")


class LogHyperparameters(Configured, keras.callbacks.Callback):
    """Writes the numbers of the optimizer into the logs of each epoch, and of single steps into a CSV or TensorBoard.

    A schedule's number is what it says for the next update: at the end of an epoch, that of the next epoch's first.
    `History`, and every callback behind this one, sees them among the logs.

    Helps when: a schedule should be seen at work. Hurts when: nothing to fear.
    Cost: a few numbers read from the device, each epoch, and each step that is written. With `steps_per_execution`, and
    where Keras runs ahead of the device, that is time: then write every tenth step, or none.

    Args:
        names: Attributes of the optimizer; by default those it has of learning_rate, momentum, beta_1, beta_2 and
            weight_decay.
        batch_size: The batch size, to be logged too: a number, or a data set with an attribute `batch_size` that
            changes, such as one that grows its batches.
        csv: A file to which a row is added for each step that is written: the number of updates done before, and the
            numbers of the next.
        tensorboard: A folder for TensorBoard's files, which TensorFlow writes on every backend
            (`pip install tensorflow tensorboard`).
        every: How many batches there are from one written step to the next.

    Raises:
        ValueError: if an argument is out of range; in `fit`, if the optimizer has no attribute of a name.

    Example:
        ```python
        one_cycle = kt.schedules.OneCycle(0.1, total_steps=3)
        model.compile(kt.optimizers.SGD(one_cycle, momentum=one_cycle.momentum()), "mse")
        logged = kt.callbacks.LogHyperparameters(batch_size=8)
        history = model.fit(x_train, np.zeros((8, 10)), epochs=3, callbacks=[logged], verbose=0).history
        assert history["batch_size"] == [8, 8, 8]
        assert np.isclose(history["momentum"][0], float(one_cycle.momentum()(1)))
        ```
    """

    def __init__(
        self,
        names: Sequence[str] | None = None,
        batch_size: Any = None,
        csv: str | os.PathLike[str] | None = None,
        tensorboard: str | os.PathLike[str] | None = None,
        every: int = 1,
    ):
        super().__init__()
        if names is not None and (isinstance(names, str) or not all(isinstance(name, str) for name in names)):
            raise checks.fail("names", "a list of attribute names", names)
        if batch_size is not None and not checks.is_integer(getattr(batch_size, "batch_size", batch_size)):
            raise checks.fail("batch_size", "an integer or an object that has one", batch_size)
        self.names = None if names is None else list(names)
        self.batch_size = batch_size
        self.csv = None if csv is None else os.fspath(csv)
        self.tensorboard = None if tensorboard is None else os.fspath(tensorboard)
        self.every = checks.count("every", every)
        self._writer: Any = None

    def now(self) -> dict[str, float]:
        """The numbers as they are for the next update."""
        optimizer = innermost(self.model.optimizer)
        names = self.names
        if names is None:
            names = [name for name in NAMES if getattr(optimizer, name, None) is not None]
        missing = [name for name in names if not hasattr(optimizer, name)]
        if missing:
            raise ValueError(f"`names` must be attributes of {type(optimizer).__name__}. Received: {missing}")
        numbers = {name: float(keras.ops.convert_to_numpy(getattr(optimizer, name))) for name in names}
        if self.batch_size is not None:
            numbers["batch_size"] = getattr(self.batch_size, "batch_size", self.batch_size)
        return numbers

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the numbers to the logs."""
        if logs is not None:
            logs.update(self.now())

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the numbers of the step that begins."""
        if batch % self.every == 0 and (self.csv or self.tensorboard):
            step, numbers = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)), self.now()
            if self.csv:
                self._add_row({"step": step, **numbers})
            if self.tensorboard:
                self._summary().write(step, numbers)

    def _add_row(self, row: dict[str, float]) -> None:
        path = pathlib.Path(self.csv or "")
        is_new = not path.exists() or not path.stat().st_size
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def _summary(self) -> Any:
        if self._writer is None:
            if not all(map(importlib.util.find_spec, ("tensorflow", "tensorboard"))):
                raise ImportError("`tensorboard` needs TensorFlow and TensorBoard: pip install tensorflow tensorboard")
            module = importlib.import_module("keras_tricks.callbacks._tensorflow_summary")
            self._writer = module.Summary(self.tensorboard)
        return self._writer

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Closes TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
