"""What JAX does several times faster by an operation of its own."""

from typing import Any

import jax

Tensor = Any


def windows(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """See `keras_tricks._core.ops.windows`."""

    def window(image: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return jax.lax.dynamic_slice(image, (row, column, 0), (*size, image.shape[-1]))

    return jax.vmap(window)(images, top, left)
