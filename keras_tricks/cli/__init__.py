"""The command `keras-tricks`. Keras is imported only after the arguments are read: `--backend` has to come first."""

import argparse
import sys
from collections.abc import Sequence

from keras_tricks.cli import lr_range, preview, train
from keras_tricks.cli._error import CommandError

__all__ = ["main"]

COMMANDS = (train, preview, lr_range)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (by default the process's own) and returns the exit code.

    0 is success, 1 a run that failed midway, 2 a command that cannot be run as given, 130 an interruption.
    """
    parser = argparse.ArgumentParser(
        prog="keras-tricks", description="Training tricks for Keras 3, on TensorFlow, JAX and PyTorch."
    )
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except CommandError as error:
        kind = "" if error.exit_code == 130 else "error: "
        print(f"keras-tricks: {kind}{error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
