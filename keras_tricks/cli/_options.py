"""What the commands' options take, and what the commands need."""

import argparse
import importlib.util
import math
import pathlib

from keras_tricks.cli._error import CommandError


def check_installed() -> None:
    """Refuses to begin without the libraries of the extra `cli`."""
    missing = [name for name in ("matplotlib", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(f'The command needs {" and ".join(missing)}: pip install "keras-tricks[cli]"')


def check_writable(out: pathlib.Path) -> None:
    """Refuses a picture that cannot be written."""
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise CommandError(f"Cannot write to {out}: --out is a file in a folder that exists.")


def count(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0. Received: {text}")
    return int(text)


def seed(text: str) -> int:
    """A whole number in [0, 2**31)."""
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2**31 - 1. Received: {text}")
    return int(text)


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0. Received: {text}")
    return value


def image_size(text: str) -> tuple[int, int]:
    """Height and width."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) >= 1 for side in sides):
        raise argparse.ArgumentTypeError(f"must be a number of pixels, or HEIGHTxWIDTH. Received: {text}")
    return int(sides[0]), int(sides[-1])
