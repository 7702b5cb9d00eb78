"""A Gaussian blur of each image, as wide as is said for it."""

from typing import Any

from keras_tricks._core import ops

Tensor = Any


def blur(levels: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """The images, blurred along their columns and their rows by bells of `sigma` pixels, (batch, 1, 1, 1)."""
    weights = [ops.exp((-0.5 * distance * distance) / (sigma * sigma)) for distance in range(radius + 1)]
    total = weights[0] + 2.0 * sum(weights[1:])
    weights = [weight / total for weight in weights]
    return _filter(_filter(levels, weights, 1), weights, 2)


def _filter(levels: Tensor, weights: list[Tensor], axis: int) -> Tensor:
    """The symmetric kernel with these `weights` from its middle outwards, along one axis."""
    radius, size = len(weights) - 1, ops.shape(levels)[axis]
    places = ops.arange(-radius, size + radius, dtype="int32")
    mirrored = (size - 1) - ops.abs((size - 1) - ops.abs(places))
    padded = ops.take(levels, ops.maximum(mirrored, ops.zeros_like(mirrored)), axis=axis)

    def shifted(start: int) -> Tensor:
        return padded[:, start : start + size] if axis == 1 else padded[:, :, start : start + size]

    blurred = weights[0] * shifted(radius)
    for distance in range(1, radius + 1):
        blurred = blurred + weights[distance] * (shifted(radius - distance) + shifted(radius + distance))
    return blurred
