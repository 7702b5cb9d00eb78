"""How far a layer may be trusted to move: its norm over that of its step."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_tricks.optimizers import _each
from keras_tricks.optimizers._optimizer import Optimizer

Tensor = Any


def trusted(
    optimizer: Optimizer,
    steps: Sequence[Tensor],
    variables: list[keras.Variable],
    coefficient: Any,
    largest: Any = None,
    epsilon: Any = 0.0,
) -> list[Tensor]:
    """The steps, those of decayed variables with their decay, and times their ratio."""
    chosen = optimizer.decayed(variables)
    if not chosen:
        return list(steps)
    own, weights = [steps[place] for place in chosen], [variables[place] for place in chosen]
    strength = optimizer.decay_strength() if optimizer.decay == "ratio" else None
    if strength is not None:
        own = _each.sums(own, weights, strength)
    own = _each.products(own, trust_ratios(weights, own, coefficient, largest, epsilon))
    scaled = dict(zip(chosen, own, strict=True))
    return [scaled.get(place, step) for place, step in enumerate(steps)]


def trust_ratios(
    variables: Sequence[keras.Variable],
    steps: Sequence[Tensor],
    coefficient: Any,
    largest: Any = None,
    epsilon: Any = 0.0,
) -> list[Tensor]:
    """`coefficient * |variable| / (|step| + epsilon)` for each, at most `largest`; 1 where a norm is 0."""
    ratios = []
    for size, length in zip(_each.norms(variables), _each.norms(steps), strict=True):
        size = ops.cast(size, length.dtype)
        is_none = ops.logical_or(ops.equal(size, 0), ops.equal(length, 0))
        ratio = coefficient * size / ops.where(is_none, ops.ones_like(length), length + epsilon)
        ratio = ops.where(is_none, ops.ones_like(ratio), ratio)
        ratios.append(ratio if largest is None else ops.minimum(ratio, largest))
    return ratios
