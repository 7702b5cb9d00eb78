"""Training tricks for Keras 3: the same objects on TensorFlow, JAX and PyTorch, driven by `model.fit`."""

import importlib
import sys
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

FAMILIES = (
    "augment",
    "callbacks",
    "data",
    "diagnostics",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "schedules",
    "training",
)

# What the hooks of a trick of one's own draw and compute with: `random.uniform(seed, shape)`, and `keras.ops` that runs
# in data pipelines of other backends too.
FOR_HOOKS = ("ops", "random")

__all__ = [*FAMILIES, *FOR_HOOKS, "Trainer"]


def __getattr__(name: str) -> Any:
    if name in FAMILIES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in FOR_HOOKS:
        return importlib.import_module(f"{__name__}._core.{name}")
    if name == "Trainer":
        return importlib.import_module(f"{__name__}.training").Trainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _is_starting_the_command() -> bool:
    """Whether this import is the first step of `keras-tricks` or `python -m keras_tricks.cli`."""
    return Path(sys.argv[0]).stem == "keras-tricks" or sys.orig_argv[1:3] == ["-m", f"{__name__}.cli"]


# The families are imported here, not at first use: importing a class registers it, and a saved model must load after
# `import keras_tricks` alone. The command is the exception, because its `--backend` has to be set before Keras loads.
if not _is_starting_the_command():
    for _family in FAMILIES:
        importlib.import_module(f"{__name__}.{_family}")
