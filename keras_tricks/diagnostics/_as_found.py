"""Leaving a model as it was found, whatever happens in between."""

import contextlib
import gc
import random
import sys
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

KEPT = ("train_function", "test_function", "steps_per_execution", "stop_training")


@contextlib.contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Afterwards, the generators of Python, NumPy, torch and Keras go on from where they were."""
    python_state, numpy_state, torch = random.getstate(), np.random.get_state(), sys.modules.get("torch")
    torch_state = torch and (torch.get_rng_state(), torch.cuda.get_rng_state_all())
    unseeded = _generator_of_unseeded_draws()
    state = _to_host(unseeded.state)
    try:
        yield
    finally:
        unseeded.state.assign(state)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if torch and torch_state:
            torch.set_rng_state(torch_state[0])
            torch.cuda.set_rng_state_all(torch_state[1])


def _generator_of_unseeded_draws() -> keras.random.SeedGenerator:
    """The one that `keras.random` draws from where no seed is given: Keras does not hand it out."""
    with keras.StatelessScope() as scope:
        keras.random.uniform(())  # says which variable it would have moved on
    moved = set(scope.state_mapping)
    # Not `isinstance`: it would wake up what is there lazily.
    generators = (found for found in gc.get_objects() if type(found) is keras.random.SeedGenerator)
    return next(found for found in generators if id(found.state) in moved)


@contextlib.contextmanager
def as_found(model: keras.Model) -> Iterator[None]:
    """Afterwards, also after an error, `model` trains on as if nothing had happened.

    Every variable of the model, its optimizer and metrics (seeds and counters among them) and what was compiled is put
    back. The model has to be compiled, and built.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    kept = [(variable, _to_host(variable)) for variable in _variables(model)]
    attributes = {name: getattr(model, name) for name in KEPT}
    in_training = getattr(model, "training", None)  # of a torch module
    known = {id(variable) for variable, _ in kept}
    model.train_function = model.test_function = None
    if keras.backend.backend() == "jax":
        # With `use_ema`, Keras leaves weights that are the very arrays of their averages: no step takes both.
        for variable, value in kept:
            variable.assign(value)
    try:
        yield
    finally:
        if keras.backend.backend() == "jax":
            _forget_arrays(model)
        for variable, value in kept:
            variable.assign(value)
        # Metrics are made by the first batch they see.
        if any(id(variable) not in known for variable in _variables(model)):
            model.reset_metrics()
        for name, value in attributes.items():
            setattr(model, name, value)
        if isinstance(in_training, bool):
            model.training = in_training


def _forget_arrays(model: keras.Model) -> None:
    """Has Keras let go of the arrays of the last step, which it would write into the variables after a later error."""
    probe = keras.callbacks.Callback()
    probe.set_model(model)
    with contextlib.suppress(Exception):
        _ = probe.model  # they are written now, and will not be again
    if getattr(model, "_jax_state", None) is not None:
        model._jax_state = None  # Keras has no public way


def _variables(model: keras.Model) -> list[keras.Variable]:
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())


def _to_host(variable: keras.Variable) -> np.ndarray:
    return np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable)))
