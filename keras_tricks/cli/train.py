"""`keras-tricks train`: a data set in, a trained model out."""

import argparse
import dataclasses
import importlib
import pathlib
from typing import Any

from keras_tricks.cli import _backend, _calls, _options, _settings
from keras_tricks.cli._error import CommandError
from keras_tricks.cli._run_folder import RunFolder
from keras_tricks.cli._settings import Settings

DESCRIPTION = """\
Train an image classifier with training tricks and write it, with everything about its training, into a run folder:

  config.json     all settings, with the versions of what ran
  metrics.csv     one row for each finished epoch
  curves.png      loss and accuracy over the epochs
  augmented.png   what the model sees in training, with its labels
  model.keras     the trained model: takes images as stored (0-255), loads with Keras alone
  checkpoint.npz  where --resume continues
"""

EPILOG = """\
examples:
  keras-tricks train                                        train on the embedded digits
  keras-tricks train --backend jax --augment crop,cutmix    another backend, other tricks
  keras-tricks train --dataset photos --image-size 64       a folder: photos/train/cat/1.jpg, photos/test/cat/7.jpg
  keras-tricks train --out runs/digits-1 --resume           continue an interrupted run
"""


def add_parser(subparsers: Any) -> None:
    """Adds `train` to the commands."""
    parser = _options.add_command(
        subparsers, "train", "train an image classifier", DESCRIPTION, EPILOG, argument_default=argparse.SUPPRESS
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a training run."""
    default = Settings()
    parser.add_argument(
        "--dataset",
        help="digits (the default: 1,797 scanned digits of 8x8, embedded), mnist, fashion_mnist, cifar10 or cifar100 "
        "(downloaded), a folder of class folders (train/<class>/*.jpg and test/<class>/*.jpg; without test or val a "
        "fixed fifth is held out), or an .npz with x_train, y_train, x_test, y_test",
    )
    parser.add_argument(
        "--backend",
        help=f"{', '.join(_backend.BACKENDS)}; by default what KERAS_BACKEND or Keras' configuration says",
    )
    parser.add_argument("--model", choices=_settings.MODELS, help=f"architecture (default {default.model})")
    parser.add_argument(
        "--augment",
        type=_calls.parse_argument,
        metavar="NAMES",
        help="comma-separated, in the order in which they are applied, or none: classes of keras_tricks.augment, by "
        f"their names or in short ({_calls.choices()}), if you like with arguments: flip,RandomErasing(rate=1). With "
        "mixup and cutmix together, each is applied to a random half of the images. By default crop and mixup, and "
        "flip where the images are not digits",
    )
    parser.add_argument(
        "--epochs", type=_options.count, help=f"passes over the training images (default {default.epochs})"
    )
    parser.add_argument("--batch-size", type=_options.count, help=f"images in a step (default {default.batch_size})")
    parser.add_argument("--learning-rate", type=_options.positive, help=f"its peak (default {default.learning_rate})")
    parser.add_argument(
        "--average",
        action=argparse.BooleanOptionalAction,
        help="evaluate and ship a moving average of the weights (the default), or the weights themselves",
    )
    parser.add_argument(
        "--seed",
        type=_options.seed,
        help=f"of weights, order, dropout and augmentation: same seed, same run (default {default.seed})",
    )
    parser.add_argument(
        "--image-size",
        type=_options.image_size,
        metavar="SIZE",
        help="resize a folder's images to SIZE x SIZE, or HEIGHTxWIDTH (default: the first image's size)",
    )
    parser.add_argument("--strict", action="store_true", help="stop at an image that cannot be read, do not skip it")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER", help="run folder (default runs/<dataset>-<n>)")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out, with its own settings, where it stopped"
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains as the command line says."""
    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(Settings)
        if hasattr(arguments, field.name)
    }
    if "dataset" in given:
        given["dataset"] = _settings.resolved(given["dataset"])
    out = getattr(arguments, "out", None)
    folder = RunFolder(out) if out else None
    began_with = None
    if hasattr(arguments, "resume"):
        if not folder:
            raise CommandError("--resume continues the run in a folder. Name it: --out FOLDER --resume")
        began_with = folder.read_config()
        settings = _settings_of_run(folder, began_with, given)
    else:
        if folder:
            folder.check_free()
        settings = _settings_of_new_run(given)
    _options.check_installed()
    _backend.activate(settings.backend)
    # Not before: it imports Keras, which reads there which backend to run on.
    training = importlib.import_module("keras_tricks.cli._training")
    return training.train(settings, folder, began_with)


def _settings_of_new_run(given: dict[str, Any]) -> Settings:
    dataset = given.get("dataset", Settings.dataset)
    _settings.check_dataset(dataset)
    return Settings(
        **{"augment": _settings.default_augment(dataset)} | given | {"backend": _backend.choose(given.get("backend"))}
    )


def _settings_of_run(folder: RunFolder, began_with: dict[str, Any], given: dict[str, Any]) -> Settings:
    settings = Settings(**began_with["settings"])
    for name, value in given.items():
        if value != getattr(settings, name):
            raise CommandError(
                f"The run in {folder.path} has --{name.replace('_', '-')} {_shown(getattr(settings, name))}, not "
                f"{_shown(value)}. --resume continues a run with its own settings: leave that option out, or start "
                "another run in a new --out."
            )
    _settings.check_dataset(settings.dataset)
    _backend.choose(settings.backend)
    return settings


def _shown(value: Any) -> str:
    return (
        ",".join(value) or "none" if isinstance(value, tuple) and all(isinstance(v, str) for v in value) else str(value)
    )
