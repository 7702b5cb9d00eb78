"""A batch in pieces: the gradient of the whole, in the memory that one piece needs.

Each piece goes through the step as Keras has it, losses, metrics, loss scaling and all, but its gradient is kept back.
A piece's loss is a mean over its samples: times the piece's share of the batch, the pieces' gradients sum to the whole
batch's. The loss is weighted, and not the gradients, so that those of 16 bits overflow no earlier than the whole one.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


class GradientKeeper:
    """Stands in for the optimizer of a step: takes the gradients of the loss times `share`, and changes nothing."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, share: Any):
        self.optimizer = optimizer
        self.share = share
        self.gradients: list[Tensor] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.optimizer, name)

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The optimizer's, of the piece's share."""
        return self.optimizer.scale_loss(loss * ops.cast(self.share, loss.dtype))

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
def gradients_kept(trainer: keras.Model, share: Any = 1.0) -> Iterator[GradientKeeper]:
    """Within it a step of `trainer` on a `share` of the batch computes gradients, and makes no update."""
    optimizer = trainer.optimizer
    keeper = GradientKeeper(optimizer, share)
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


def added(total: Sequence[Tensor | None], gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The sum, in 32 bits at least; None is nothing."""
    return [_sum(before, gradient) for before, gradient in zip(total, gradients, strict=True)]


def in_type_of(weights: Sequence[keras.Variable], total: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The gradients that were summed, in the dtype of their weights."""
    return [
        gradient if gradient is None else ops.cast(gradient, weight.dtype)
        for weight, gradient in zip(weights, total, strict=True)
    ]


def wide(dtype: str) -> str:
    """The dtype to sum `dtype` in."""
    return "float32" if "16" in dtype else dtype


def _sum(before: Tensor | None, gradient: Tensor | None) -> Tensor | None:
    if gradient is None:
        return before
    gradient = ops.cast(gradient, wide(keras.backend.standardize_dtype(gradient.dtype)))
    return gradient if before is None else before + gradient
