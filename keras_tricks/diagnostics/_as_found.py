"""Leaving a model as it was found, whatever happens in between."""

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops


@contextlib.contextmanager
def as_found(model: keras.Model) -> Iterator[None]:
    """Afterwards, also after an error, `model` trains on as if nothing had happened.

    Every variable of the model, its optimizer and metrics (seeds and counters among them), the compiled step, and the
    random numbers of Python, NumPy and torch are put back. The model has to be compiled, and built.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    kept = [(variable, _to_host(variable)) for variable in _variables(model)]
    attributes = {name: getattr(model, name) for name in ("train_function", "steps_per_execution", "stop_training")}
    python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), _torch_state()
    known = {id(variable) for variable, _ in kept}
    if keras.backend.backend() == "jax":
        # With `use_ema`, Keras leaves weights that are the very arrays of their averages: no step takes both.
        for variable, value in kept:
            variable.assign(value)
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)
        # Metrics are made by the first batch they see.
        if any(id(variable) not in known for variable in _variables(model)):
            model.reset_metrics()
        for name, value in attributes.items():
            setattr(model, name, value)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if torch_state is not None:
            sys.modules["torch"].set_rng_state(torch_state)


def _variables(model: keras.Model) -> list[keras.Variable]:
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())


def _to_host(variable: keras.Variable) -> np.ndarray:
    return np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable)))


def _torch_state() -> Any:
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_rng_state()
