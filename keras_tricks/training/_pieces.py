"""A batch in pieces: the gradient of the whole, in the memory that one piece needs.

Each piece goes through the step as Keras has it, losses, metrics, loss scaling and all, but its gradient is kept back.
A piece's loss is a mean over its samples, so the whole batch's gradient is that of the pieces, weighted by their sizes.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


class GradientKeeper:
    """Stands in for the optimizer of a step: takes the gradients and changes nothing."""

    def __init__(self, optimizer: keras.optimizers.Optimizer):
        self.optimizer = optimizer
        self.gradients: list[Tensor] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.optimizer, name)

    def apply(self, grads: Sequence[Tensor], trainable_variables: Any = None) -> None:
        """Keeps `grads`."""
        self.gradients = list(grads)

    def apply_gradients(self, grads_and_vars: Any) -> None:
        """Keeps the gradients."""
        self.gradients = [gradient for gradient, _ in grads_and_vars]

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> tuple[Any, Any]:
        """Keeps `grads`."""
        self.gradients = list(grads)
        return trainable_variables, optimizer_variables


@contextlib.contextmanager
def gradients_kept(trainer: keras.Model) -> Iterator[GradientKeeper]:
    """Within it a step of `trainer` computes gradients, and makes no update."""
    optimizer = trainer.optimizer
    keeper = GradientKeeper(optimizer)
    # Past Keras' tracking of attributes: nothing of the model changes.
    trainer.__dict__["optimizer"] = keeper
    try:
        yield keeper
    finally:
        trainer.__dict__["optimizer"] = optimizer


def samples(data: Any) -> Any:
    """How many samples a batch has; None where that is not known yet."""
    return next(part for part in keras.tree.flatten(data) if part is not None).shape[0]


def piece(data: Any, start: int, end: int | None) -> Any:
    """The samples from `start` to `end` of a batch, None for the rest of it."""
    return keras.tree.map_structure(lambda part: None if part is None else part[start:end], data)


def added(total: Sequence[Tensor] | None, gradients: Sequence[Tensor], share: Any) -> list[Tensor]:
    """`total + share * gradients`, in the gradients' dtype; None stays."""
    return [
        None
        if gradient is None
        else gradient * ops.cast(share, gradient.dtype) + (0 if total is None else total[place])
        for place, gradient in enumerate(gradients)
    ]
