"""Which backend Keras is to run on, decided before Keras is imported."""

import importlib.util
import json
import os
import pathlib
import sys

from keras_tricks.cli._error import CommandError

BACKENDS = ("tensorflow", "jax", "torch")


def choose(wanted: str | None) -> str:
    """The backend `wanted`, or else `$KERAS_BACKEND`, or else Keras' own default if it is installed, or any that is."""
    explicit = wanted or os.environ.get("KERAS_BACKEND")
    if explicit:
        return _checked(explicit)
    return next(filter(_is_installed, (_configured(), *BACKENDS)), None) or _checked("tensorflow")


def activate(backend: str) -> None:
    """Makes the coming import of Keras run on `backend`."""
    active = sys.modules["keras"].backend.backend() if "keras" in sys.modules else backend
    if active != backend:
        raise CommandError(f"Keras already runs on {active} in this process; the backend {backend} needs a new one.")
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Waiting threads of torch otherwise spin: beside any other busy process, small steps then take ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _checked(backend: str) -> str:
    if backend not in BACKENDS:
        raise CommandError(f"There is no backend {backend!r}. Choose one of {', '.join(BACKENDS)}.")
    if not _is_installed(backend):
        raise CommandError(f'The backend {backend} is not installed: pip install "keras-tricks[{backend}]"')
    return backend


def _is_installed(backend: str | None) -> bool:
    return backend in BACKENDS and importlib.util.find_spec(backend) is not None


def _configured() -> str | None:
    """The backend in the configuration file of Keras."""
    home = pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    try:
        return json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
