"""What all optimizers need for variables of their own."""

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


def as_written(function: Any) -> Any:
    """Marks, for TensorFlow, a function that AutoGraph is to leave as it is: without control flow on tensors."""
    function.autograph_info__ = {}
    return function


class Unowned:
    """Hides a list from Keras, which would take the variables in it for the optimizer's own state."""

    def __init__(self, items: Iterable[Any] = ()):
        self.items = list(items)


def to_host(variable: keras.Variable) -> np.ndarray:
    """The value as it is now: a copy, since NumPy's view of a torch tensor would change with it."""
    return np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable)))


def is_overwritten(variable: keras.Variable) -> bool:
    """Whether Keras overwrites the variable with its gradient (the scales of float8)."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


def path_of(variable: Any) -> str:
    """What patterns are searched for in; a `tf.Variable` has a name only."""
    return str(getattr(variable, "path", variable.name))


def keys(variable: Any) -> list[int]:
    """By what to recognise a variable: on TensorFlow, a Keras variable may be given as the `tf.Variable` inside it."""
    inside = keras.backend.backend() == "tensorflow" and isinstance(variable, keras.Variable)
    return [id(variable), id(variable.value)] if inside else [id(variable)]


def check_replicas(what: str) -> None:
    """Refuses several replicas of TensorFlow's, for `what` would compute something else there."""
    if keras.backend.backend() == "tensorflow":
        count = importlib.import_module("keras_tricks.optimizers._tensorflow").replicas()
        if count > 1:
            raise NotImplementedError(f"{what} on one replica of TensorFlow. Received: a strategy of {count} replicas")


def dense(gradients: Iterable[Tensor | None]) -> list[Tensor | None]:
    """The gradients as ordinary tensors: on TensorFlow, those of an embedding come as rows and their indices."""
    if keras.backend.backend() != "tensorflow":
        return list(gradients)
    as_tensor = importlib.import_module("keras_tricks.optimizers._tensorflow").as_tensor
    return [None if gradient is None else as_tensor(gradient) for gradient in gradients]


class WithSlots(keras.optimizers.Optimizer):
    """An optimizer that keeps numbers beside the weights."""

    def add_slots(self, variables: Sequence[keras.Variable], name: str) -> list[keras.Variable | None]:
        """One variable of zeros beside each of `variables`, in float32 or wider: small steps vanish in 16 bits.

        None stands beside a variable that Keras overwrites with its gradient.
        """
        return [None if is_overwritten(variable) else self.add_slot(variable, name) for variable in variables]

    def add_slot(self, variable: keras.Variable, name: str) -> keras.Variable:
        """One of `add_slots`."""
        return self.add_variable(
            variable.shape,
            dtype=variable.dtype if variable.dtype == "float64" else "float32",
            aggregation="only_first_replica",
            name=f"{path_of(variable).replace('/', '_').replace(':', '_')}_{name}",
        )
