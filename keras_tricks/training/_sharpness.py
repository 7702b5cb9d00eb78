"""Two passes over a batch: the gradient that moves the weights is taken where the loss is about highest nearby.

The first pass is the step as Keras has it, but its gradient is kept back: it says which way up is. The second pass
computes the loss of the same batch once more, at the weights raised that way, with all other state as the first pass
found it (the same masks of dropout), and leaves nothing behind but its gradient.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks.training import _loss, _pieces
from keras_tricks.training.sam import SAM

Tensor = Any

ETA = 0.01  # η of the adaptive form: what a weight of 0 counts for


def raised(sharpness: SAM, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """The weights on top of the ball of radius rho that the gradients point up in, and the norm of the slope.

    `w + rho * g / norm(g)`; adaptive, with `T = abs(w) + eta`, `w + rho * T * T * g / norm(T * g)`. Loss scaling makes
    no difference. Where there is no slope, the weights stay.
    """
    dtypes = [keras.backend.standardize_dtype(weight.dtype) for weight in weights]
    weights = [ops.cast(weight, _pieces.wide(dtype)) for weight, dtype in zip(weights, dtypes, strict=True)]
    slopes = [ops.cast(gradient, weight.dtype) for gradient, weight in zip(gradients, weights, strict=True)]
    sizes = [ops.abs(weight) + ETA for weight in weights] if sharpness.adaptive else []
    if sizes:
        slopes = [size * slope for size, slope in zip(sizes, slopes, strict=True)]
    norm = ops.sqrt(sum(ops.cast(ops.sum(ops.square(slope)), "float32") for slope in slopes))
    length = ops.where(norm > 0, sharpness.rho / norm, 0.0)
    steps = [ops.cast(length, slope.dtype) * slope for slope in slopes]
    if sizes:
        steps = [size * step for size, step in zip(sizes, steps, strict=True)]
    tops = zip(weights, steps, dtypes, strict=True)
    return [ops.cast(weight + step, dtype) for weight, step, dtype in tops], norm


def moved(weights: Sequence[keras.Variable], gradients: Sequence[Tensor | None]) -> list[int]:
    """The places of the weights that have a slope: not of those that Keras overwrites with their gradient."""
    pairs = enumerate(zip(weights, gradients, strict=True))
    return [p for p, (w, g) in pairs if g is not None and not getattr(w, "overwrite_with_gradient", False)]


def is_due(trainer: keras.Model) -> Tensor:
    """Whether the coming update is one of those that take two passes."""
    return ops.equal(ops.convert_to_tensor(trainer.optimizer.iterations) % trainer.sharpness.every, 0)


def scaled_loss(trainer: keras.Model, data: Any) -> Tensor:
    """The loss of a batch as the optimizer wants it for the gradients."""
    return trainer.optimizer.scale_loss(_loss.compiled_loss(trainer, data))


def skips_overflow(optimizer: Any) -> bool:
    """Whether the optimizer leaves out a step whose gradients are not finite."""
    return hasattr(optimizer, "dynamic_growth_steps")
