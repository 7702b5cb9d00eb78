"""What the commands' options take, and what the commands need."""

import argparse
import importlib.util
import math
import pathlib
from typing import Any

from keras_tricks.cli import _backend
from keras_tricks.cli._error import CommandError


def check_installed() -> None:
    """Refuses to begin without the libraries of the extra `cli`."""
    missing = [name for name in ("matplotlib", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(f'The command needs {" and ".join(missing)}: pip install "keras-tricks[cli]"')


def add_command(
    subparsers: Any, name: str, summary: str, description: str, epilog: str, **options: Any
) -> argparse.ArgumentParser:
    """A command of that name, whose texts are printed as they are written."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    return parser


def add_data(parser: argparse.ArgumentParser) -> None:
    """The options of a command that looks at a data set without a run of its own."""
    parser.add_argument(
        "--dataset",
        default="digits",
        help="digits (the default), mnist, fashion_mnist, cifar10, cifar100, a folder of class folders, or an .npz",
    )
    parser.add_argument(
        "--image-size",
        type=image_size,
        metavar="SIZE",
        help="resize a folder's images to SIZE x SIZE, or HEIGHTxWIDTH (default: the first image's size)",
    )
    parser.add_argument("--backend", help=f"{', '.join(_backend.BACKENDS)}; by default what KERAS_BACKEND says")


def check_writable(out: pathlib.Path) -> None:
    """Refuses a picture that cannot be written."""
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise CommandError(f"Cannot write to {out}: --out is a file in a folder that exists.")
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = sorted(FigureCanvasBase.get_supported_filetypes())
    if out.suffix.lower().lstrip(".") not in kinds:
        raise CommandError(f"Cannot write to {out}: the name of --out ends in one of .{', .'.join(kinds)}.")


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
