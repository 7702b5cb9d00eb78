"""The training run itself. Imported once the backend is chosen."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import pathlib
import platform
import shlex
import time
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

import keras_tricks as kt
from keras_tricks.cli import _augmentations, _console, _models, _pictures
from keras_tricks.cli._batches import ShuffledBatches
from keras_tricks.cli._error import CommandError
from keras_tricks.cli._run_folder import RunFolder, replacing
from keras_tricks.cli._settings import Settings

PACKAGES = ("keras-tricks", "keras", "numpy", "tensorflow", "jax", "torch")


def train(settings: Settings, folder: RunFolder | None, began_with: dict[str, Any] | None) -> int:
    """Trains in `folder`, by default the next free one under `runs`; `began_with` is the configuration to resume."""
    console = Console(highlight=False, soft_wrap=True)
    data = _console.load(settings.dataset, settings.image_size, settings.strict, console)
    config = _describe(settings, data)
    # A call with arguments that the trick refuses is told before there is a run.
    shape = data.x_train.shape[1:]
    _augmentations.check_size(_augmentations.build(settings.augment, shape, data.num_classes, settings.seed), shape)
    folder = folder or RunFolder.next_free(pathlib.Path("runs"), data.name)
    if began_with is None:
        folder.begin(config)
    elif began_with["data"] != config["data"]:
        raise CommandError(f"The images in {settings.dataset} are not those that the run in {folder.path} began with.")
    run = _Run(settings, data, folder, console)
    try:
        run.prepare()
        run.fit()
        run.finish()
    except KeyboardInterrupt:
        raise CommandError(f"Interrupted. {run.how_to_resume()}", exit_code=130) from None
    except OSError as error:
        raise CommandError(f"{error}. {run.how_to_resume()}", exit_code=1) from error
    return 0


class _Run:
    def __init__(self, settings: Settings, data: kt.data.ImageDataset, folder: RunFolder, console: Console):
        self.settings = settings
        self.data = data
        self.folder = folder
        self.console = console
        self.state, self.rows = folder.read_checkpoint()
        self.average = kt.callbacks.EvaluateWithAverage() if settings.average else None

    def prepare(self) -> None:
        """Builds everything as it was when the run began, then puts it in the state of the last finished epoch."""
        settings, data = self.settings, self.data
        keras.utils.set_random_seed(settings.seed)
        self.model = _models.build(settings.model, data.x_train.shape[1:], data.num_classes, settings.seed)
        self.trainer = kt.Trainer(self.model, augment=self._augmentations())
        self._compile()
        if self.rows:
            self._restore(self.state)
            self.console.print(f"Resuming {self.folder.path} after epoch {len(self.rows)} of {settings.epochs}.")
        # The run may have died between a checkpoint and its row.
        self.folder.write_metrics(self.rows)
        self._picture_augmented()

    def fit(self) -> None:
        """Trains the epochs that are left."""
        if len(self.rows) == self.settings.epochs:
            return
        batches = self._batches(first_epoch=len(self.rows))
        with _console.progress_on(self.console) as progress:
            self.trainer.fit(
                batches,
                steps_per_epoch=batches.steps_per_epoch,
                initial_epoch=len(self.rows),
                epochs=self.settings.epochs,
                validation_data=(self.data.x_test, self.data.y_test),
                validation_batch_size=500,
                callbacks=[*filter(None, [self.average]), _EpochKeeper(self, batches.steps_per_epoch, progress)],
                shuffle=False,
                verbose=0,
            )

    def keep(self, row: dict[str, float]) -> None:
        """Stores the state after an epoch, with its row of metrics."""
        if self.average:
            self.average.give_back(self.trainer)
        rows = [*self.rows, row]
        self.folder.write_checkpoint([keras.ops.convert_to_numpy(variable) for variable in self._state()], rows)
        self.rows = rows

    def finish(self) -> None:
        """Writes what the run was for, and shows it."""
        averaged = self.average.averaged(self.trainer) if self.average else contextlib.nullcontext()
        with averaged, replacing(self.folder.model) as path:
            self.model.save(path)
        _pictures.save_curves(self.folder.curves, self.rows)
        self.console.print(self._results(), *self.folder.files(), sep="\n")

    def how_to_resume(self) -> str:
        """What is safe, and the command that goes on from there."""
        command = shlex.join(["keras-tricks", "train", "--out", str(self.folder.path), "--resume"])
        return f"Epoch {len(self.rows)} of {self.settings.epochs} is safe. Continue with:\n  {command}"

    def _augmentations(self) -> list[kt.augment.BatchAugmentation]:
        shape, seed = self.data.x_train.shape[1:], self.settings.seed
        steps = self._batches().steps_per_epoch
        return _augmentations.build(self.settings.augment, shape, self.data.num_classes, seed, steps)

    def _batches(self, first_epoch: int = 0) -> ShuffledBatches:
        settings, data = self.settings, self.data
        return ShuffledBatches(
            data.x_train, data.y_train, settings.batch_size, settings.seed, first_epoch, settings.epochs
        )

    def _compile(self) -> None:
        settings = self.settings
        total_steps = self._batches().num_batches
        warmup_steps = total_steps // 10
        cosine = kt.schedules.Cosine(settings.learning_rate, total_steps - warmup_steps)
        optimizer = keras.optimizers.AdamW(kt.schedules.Warmup(cosine, warmup_steps), weight_decay=0.01)
        if self.average:
            optimizer = kt.optimizers.WeightAverage(optimizer, statistics_shapes=self._shapes_of_statistics())
        self.trainer.compile(
            optimizer, loss=kt.losses.Crossentropy(label_smoothing=0.1), metrics=[kt.metrics.Accuracy()]
        )
        optimizer.build(self.trainer.trainable_variables)

    def _shapes_of_statistics(self) -> list[tuple[int, ...]]:
        # Given now, so that there is a place for their averages before a checkpoint is read.
        return [variable.shape for variable in self.trainer.non_trainable_variables if "float" in variable.dtype]

    def _state(self) -> list[keras.Variable]:
        """All that training changes: weights, statistics, seeds and counters, the optimizer's variables."""
        metrics = {id(variable) for variable in self.trainer.metrics_variables}
        variables = [variable for variable in self.trainer.variables if id(variable) not in metrics]
        return variables + self.trainer.optimizer.variables

    def _restore(self, state: list[np.ndarray]) -> None:
        variables = self._state()
        if [variable.shape for variable in variables] != [array.shape for array in state]:
            raise CommandError(f"{self.folder.checkpoint} does not fit the model: it was written by another version.")
        for variable, array in zip(variables, state, strict=True):
            variable.assign(array)

    def _picture_augmented(self) -> None:
        images, labels = self._batches()[0]
        images, labels = images[:32], labels[:32]
        # Other objects than the trainer's, whose streams must not advance.
        if layers := self._augmentations():
            images, labels = map(keras.ops.convert_to_numpy, kt.augment.Sequence(layers)((images, labels)))
        if labels.ndim == 1:
            labels = np.eye(self.data.num_classes)[labels]
        _pictures.save_augmented(self.folder.augmented, images, labels, self.data.class_names)

    def _results(self) -> Table:
        settings, last = self.settings, self.rows[-1]
        results = {
            "backend": settings.backend,
            "model": settings.model,
            "augmentation": escape(", ".join(settings.augment)) or "none",
            "epochs": str(settings.epochs),
            "training time": f"{sum(row['seconds'] for row in self.rows):.0f} s",
            "held-out loss": f"{last['val_loss']:.4f}",
            "held-out accuracy": f"{last['val_accuracy']:.2%}",
        }
        table = Table(
            title=f"{self.data.name}: {len(self.data.x_train)} training and {len(self.data.x_test)} held-out images",
            title_justify="left",
            show_header=False,
        )
        for name, value in results.items():
            table.add_row(name, value)
        return table


class _EpochKeeper(keras.callbacks.Callback):
    """Keeps each epoch as it ends, and shows how far the run is."""

    def __init__(self, run: _Run, steps_per_epoch: int, progress: Progress):
        super().__init__()
        self.run = run
        self.progress = progress
        self.steps_per_epoch = steps_per_epoch
        total, done = (epochs * steps_per_epoch for epochs in (run.settings.epochs, len(run.rows)))
        self.task = progress.add_task("training", total=total, completed=done)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.progress.advance(self.task)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        row: dict[str, float] = {
            "epoch": epoch + 1,
            "seconds": round(time.perf_counter() - self.began, 3),
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            **{name: float(value) for name, value in (logs or {}).items()},
        }
        self.run.keep(row)
        self.progress.console.print(
            f"epoch {row['epoch']:3}/{self.run.settings.epochs}   loss {row['loss']:.4f}   accuracy "
            f"{row['accuracy']:.2%}   held out: loss {row['val_loss']:.4f}   accuracy {row['val_accuracy']:.2%}"
            f"   {row['seconds']:.1f} s"
        )


def _describe(settings: Settings, data: kt.data.ImageDataset) -> dict[str, Any]:
    """What `config.json` says."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        digest.update(np.ascontiguousarray(array).data)
    return {
        "settings": dataclasses.asdict(settings),
        "data": {
            "name": data.name,
            "training_images": len(data.x_train),
            "held_out_images": len(data.x_test),
            "image_shape": list(data.x_train.shape[1:]),
            "class_names": list(data.class_names),
            "fingerprint": digest.hexdigest(),
        },
        "versions": {"python": platform.python_version()} | _versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
