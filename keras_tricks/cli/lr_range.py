"""`keras-tricks lr-range`: which learning rate to train with."""

import argparse
import importlib
import pathlib
from typing import Any

from keras_tricks.cli import _backend, _calls, _options, _settings
from keras_tricks.cli._error import CommandError

DESCRIPTION = """\
Train a model for a few updates with a learning rate that grows from each to the next, draw the loss over the rate, and
say which peak to train with: `keras-tricks train --learning-rate` of the same data set, model and augmentations.
"""

EPILOG = """\
examples:
  keras-tricks lr-range                                         the command's own model on the embedded digits
  keras-tricks lr-range --dataset cifar10 --model resnet --out range.png
  keras-tricks lr-range --optimizer sgd --low 1e-4 --high 100 --steps 200
"""
OPTIMIZERS = ("adamw", "sgd")


def add_parser(subparsers: Any) -> None:
    """Adds `lr-range` to the commands."""
    parser = _options.add_command(subparsers, "lr-range", "find a learning rate", DESCRIPTION, EPILOG)
    _options.add_data(parser)
    parser.add_argument("--model", choices=_settings.MODELS, default="cnn", help="architecture (default cnn)")
    parser.add_argument(
        "--augment",
        type=_calls.parse_argument,
        metavar="NAMES",
        help="as for `keras-tricks train`, with its defaults: crop and mixup, and flip where the images are no digits",
    )
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw", help="adamw (the default), or sgd with "
                        "Nesterov's momentum 0.9")  # fmt: skip
    parser.add_argument("--low", type=_options.positive, default=1e-6, help="the first rate (default 1e-6)")
    parser.add_argument("--high", type=_options.positive, default=10.0, help="the last rate (default 10)")
    parser.add_argument("--steps", type=_options.count, default=100, help="updates, at least 2 (default 100)")
    parser.add_argument("--batch-size", type=_options.count, default=32, help="images in a step (default 32)")
    parser.add_argument("--seed", type=_options.seed, default=0, help="of weights and draws (default 0)")
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("lr-range.png"), help="the picture (default lr-range.png)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tests the rates as the command line says."""
    _settings.check_dataset(arguments.dataset)
    if arguments.high <= arguments.low:
        raise CommandError(f"--high must be above --low {arguments.low:g}. Received: {arguments.high:g}")
    if arguments.steps < 2:
        raise CommandError(f"--steps must be at least 2. Received: {arguments.steps}")
    _options.check_installed()
    _options.check_writable(arguments.out)
    _backend.activate(_backend.choose(arguments.backend))
    # Not before: it imports Keras, which reads there which backend to run on.
    return importlib.import_module("keras_tricks.cli._ranging").find(arguments)
