"""`keras-tricks preview`: what augmentations do to the images of a data set, in one picture."""

import argparse
import importlib
import pathlib
from typing import Any

from keras_tricks.cli import _backend, _calls, _options, _settings

DESCRIPTION = """\
Draw images of a data set as they are and, in a row for each augmentation, as several draws of it make them, with their
labels.
"""

EPILOG = """\
examples:
  keras-tricks preview                                               every augmentation, on the embedded digits
  keras-tricks preview --augment "flip, cutmix" --dataset cifar10 --out grid.png
  keras-tricks preview --augment "RandomErasing(rate=1, fill='color'), affine(rotation=45)" --dataset photos --no-boxes
"""
ALL = "all"


def add_parser(subparsers: Any) -> None:
    """Adds `preview` to the commands."""
    parser = _options.add_command(subparsers, "preview", "draw what augmentations do", DESCRIPTION, EPILOG)
    _options.add_data(parser)
    parser.add_argument(
        "--augment",
        type=_calls_or_all,
        default=ALL,
        metavar="NAMES",
        help="comma-separated classes of keras_tricks.augment, by their names or in short "
        f"({_calls.choices()}), if you like with arguments; or all of them, each at rate 1 (the default)",
    )
    parser.add_argument("--columns", type=_options.count, default=8, help="pictures in a row (default 8)")
    parser.add_argument("--draws", type=_options.count, default=4, help="draws for each image (default 4)")
    parser.add_argument(
        "--boxes",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="put a box and a mask into the middle of each image, to see them move (the default), or leave it as it is",
    )
    parser.add_argument("--seed", type=_options.seed, default=0, help="of the images and of the draws (default 0)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("preview.png"), help="(default preview.png)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draws as the command line says."""
    _settings.check_dataset(arguments.dataset)
    _options.check_installed()
    _options.check_writable(arguments.out)
    _backend.activate(_backend.choose(arguments.backend))
    # Not before: it imports Keras, which reads there which backend to run on.
    return importlib.import_module("keras_tricks.cli._previewing").preview(arguments)


def _calls_or_all(text: str) -> str:
    if text.strip().lower() != ALL:
        try:
            if not _calls.parse(text):
                raise ValueError("names no augmentation")
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text
