"""What a run leaves on the disk, written so that an interruption or a full disk never costs what was there before."""

import contextlib
import csv
import io
import json
import os
import pathlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_tricks.cli._error import CommandError

PARTIAL = ".partial"


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A path to write to, whose file takes the place of the one at `path` once all of it is on the disk."""
    partial = path.with_name(f"{path.stem}{PARTIAL}{path.suffix}")
    try:
        yield partial
        _flush(partial, os.O_RDWR)
        os.replace(partial, path)
        _flush(path.parent, os.O_RDONLY)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _flush(path: pathlib.Path, flags: int) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder, and renames durably by itself.
        return
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RunFolder:
    """The files of one run.

    Everything that a resumed run needs is in two of them: `config.json`, written before training starts, and
    `checkpoint.npz`, one for all epochs so far. The rest is made from those.

    Args:
        path: The folder.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.config = path / "config.json"
        self.checkpoint = path / "checkpoint.npz"
        self.metrics = path / "metrics.csv"
        self.curves = path / "curves.png"
        self.augmented = path / "augmented.png"
        self.model = path / "model.keras"

    def files(self) -> list[pathlib.Path]:
        """All of them that are there."""
        files = (self.model, self.metrics, self.curves, self.augmented, self.config, self.checkpoint)
        return [path for path in files if path.exists()]

    @classmethod
    def next_free(cls, parent: pathlib.Path, name: str) -> "RunFolder":
        """The folder `<name>-<n>` in `parent`, one number above the highest there."""
        name = re.sub(r"[^\w.-]+", "_", name)
        taken = [
            int(path.name.removeprefix(f"{name}-"))
            for path in parent.glob(f"{name}-*")
            if path.name.removeprefix(f"{name}-").isdecimal()
        ]
        return cls(parent / f"{name}-{max(taken, default=0) + 1}")

    def check_free(self) -> None:
        """Refuses a folder that holds anything."""
        if self.config.exists():
            raise CommandError(f"{self.path} already holds a run. Continue it with --resume, or choose another --out.")
        if self.path.exists() and not self.path.is_dir():
            raise CommandError(f"{self.path} is a file. Choose another --out.")
        if self.path.is_dir() and any(PARTIAL not in found.name for found in self.path.iterdir()):
            raise CommandError(f"{self.path} holds other files. Choose another --out.")

    def read_config(self) -> dict[str, Any]:
        """The configuration of the run that is here."""
        if not self.config.exists():
            raise CommandError(f"{self.path} holds no run to resume.")
        try:
            return json.loads(self.config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CommandError(f"{self.config} is damaged ({error}); the run cannot be resumed.") from error

    def begin(self, config: Mapping[str, Any]) -> None:
        """Claims the folder for a run, which can be resumed from now on."""
        self.check_free()
        self.path.mkdir(parents=True, exist_ok=True)
        self._write_text(self.config, json.dumps(config, indent=2, ensure_ascii=False) + "\n")

    def read_checkpoint(self) -> tuple[list[np.ndarray], list[dict[str, float]]]:
        """The state after the last finished epoch, and a row of metrics for each; both empty if none is finished."""
        if not self.checkpoint.exists():
            return [], []
        try:
            with self.checkpoint.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                rows = json.loads(str(file["rows"]))
                return [file[f"state_{index}"] for index in range(len(file.files) - 1)], rows
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise CommandError(f"{self.checkpoint} is damaged ({error}); the run cannot be resumed.") from error

    def write_checkpoint(self, state: Sequence[np.ndarray], rows: Sequence[Mapping[str, float]]) -> None:
        """Stores the state after an epoch, and only then shows its row in `metrics.csv`."""
        with replacing(self.checkpoint) as path:
            arrays: dict[str, Any] = {f"state_{index}": array for index, array in enumerate(state)}
            np.savez(path, rows=np.array(json.dumps(rows)), **arrays)
        self.write_metrics(rows)

    def write_metrics(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Makes `metrics.csv` from the rows of a checkpoint."""
        text = io.StringIO(newline="")
        if rows:
            writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        self._write_text(self.metrics, text.getvalue())

    def _write_text(self, path: pathlib.Path, text: str) -> None:
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
