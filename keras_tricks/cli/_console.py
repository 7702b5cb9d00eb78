"""What the commands share on the terminal: a progress bar, and a data set with its complaints."""

import warnings

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import keras_tricks as kt
from keras_tricks.cli._error import CommandError


def progress_on(console: Console) -> Progress:
    """A bar that shows only on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def load(dataset: str, image_size: tuple[int, int] | None, strict: bool, console: Console) -> kt.data.ImageDataset:
    """The data set; says what was skipped."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # What is skipped is printed below.
            data = kt.data.load(dataset, image_size, strict)
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(str(error)) from error
    if data.skipped:
        console.print(f"Skipped {len(data.skipped)} unreadable image(s):", *data.skipped, sep="\n  ", markup=False)
    return data
