"""The training step with the augmentation in it, in the form that each backend's `fit` compiles."""

import contextlib
import functools
import importlib
from collections.abc import Callable
from typing import Any

import keras

from keras_tricks.training import _pieces
from keras_tricks.training._guard import StepGuard
from keras_tricks.training.sam import SAM

Tensor = Any


class StatefulStep:
    """TensorFlow and torch: the step reads and writes the variables themselves."""

    micro_batch_size: int | None
    sharpness: SAM | None

    def train_step(self, data: Any) -> Any:
        """One update from one batch, augmented first."""
        data = self.augment_data(data)  # type: ignore[attr-defined]
        step = _in_passes(self, super().train_step)  # type: ignore[misc]
        size = self.micro_batch_size
        return step(data) if _fits(data, size) else _with("pieces").train_in_pieces(self, step, data, size)

    def weights_kept(self) -> contextlib.AbstractContextManager[None]:
        """Here a loop that ends by an exception cannot lose the variables."""
        return contextlib.nullcontext()


class StatelessStep:
    """JAX: the step is a function of the variables' values, which it gives back."""

    _guard: StepGuard
    optimizer: keras.optimizers.Optimizer
    steps_per_execution: int
    micro_batch_size: int | None
    sharpness: SAM | None
    train_function: Any

    def train_step(self, state: Any, data: Any) -> Any:
        """One update from one batch, augmented first."""
        trainable, non_trainable, optimizer, metrics = state
        variables = self.non_trainable_variables  # type: ignore[attr-defined]
        with keras.StatelessScope(state_mapping=list(zip(variables, non_trainable, strict=True))) as scope:
            data = self.augment_data(data)  # type: ignore[attr-defined]
        non_trainable = [scope.get_current_value(variable) for variable in variables]
        state = (trainable, non_trainable, optimizer, metrics)
        step = _in_passes(self, super().train_step)  # type: ignore[misc]
        size = self.micro_batch_size
        return (
            step(state, data) if _fits(data, size) else _with("pieces").train_in_pieces(self, step, state, data, size)
        )

    def make_train_function(self, force: bool = False) -> None:
        """As Keras', guarded."""
        self._make_guarded("train", ("trainable", "non_trainable", "optimizer", "metrics"), force)

    def make_test_function(self, force: bool = False) -> None:
        """As Keras', guarded."""
        self._make_guarded("test", ("trainable", "non_trainable", "metrics"), force)

    def make_predict_function(self, force: bool = False) -> None:
        """As Keras', guarded."""
        self._make_guarded("predict", ("trainable", "non_trainable"), force)

    def weights_kept(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, no exception and no interrupt loses the variables."""
        return self._guard.watch(self)

    def _make_guarded(self, name: str, state: tuple[str, ...], force: bool) -> None:
        made_anew = force or getattr(self, f"{name}_function") is None
        getattr(super(), f"make_{name}_function")(force)
        if not made_anew:
            return

        def holders() -> list[list[Any]]:
            return [
                self.optimizer.variables if part == "optimizer" else getattr(self, f"{part}_variables")
                for part in state
            ]

        function = getattr(self, f"{name}_function")
        if name == "train" and self.sharpness is not None and _with("sharpness").chooses_on_host(self):
            make = functools.partial(super().make_train_function, force=True)  # type: ignore[misc]
            function = _with("sharpness").chosen_on_host(self, make)
        setattr(self, f"{name}_function", self._guard.wrap(function, holders, self.steps_per_execution))


def _fits(data: Any, size: int | None) -> bool:
    """Whether a batch is known to be no larger than a piece."""
    count = None if size is None else _pieces.samples(data)
    return size is None or (count is not None and count <= size)


def _in_passes(trainer: Any, step: Callable[..., Any]) -> Callable[..., Any]:
    """`step`, or the one that takes two passes where the trainer does."""
    if trainer.sharpness is None:
        return step
    return functools.partial(_with("sharpness").train_in_two_passes, trainer, step)


def _with(name: str) -> Any:
    """The active backend's file for `name`."""
    return importlib.import_module(f"keras_tricks.training._{keras.backend.backend()}_{name}")


AugmentedStep: type = StatelessStep if keras.backend.backend() == "jax" else StatefulStep
