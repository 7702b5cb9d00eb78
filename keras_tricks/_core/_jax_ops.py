"""What JAX does several times faster by an operation of its own."""

from typing import Any

import jax
import jax.numpy as jnp

Tensor = Any


def take(value: Tensor, indices: Tensor, axis: int) -> Tensor:
    """See `keras_tricks._core.ops.take`."""
    axis %= value.ndim
    if value.shape[axis] == 0:
        # JAX takes nothing out of nothing, not even no images.
        return jnp.zeros((*value.shape[:axis], *indices.shape, *value.shape[axis + 1 :]), value.dtype)
    # Keras' own asks of each index whether it is in range.
    return jnp.asarray(value).at[(slice(None),) * axis + (indices,)].get(mode="promise_in_bounds")


def apart(value: Tensor, limit: int) -> Tensor:
    """A large value as it is, its first number not above `limit`, made before what is made of it: see `ops.once`."""

    def chosen(value: Tensor) -> Tensor:
        number = value.reshape(-1)[0].astype("int32")
        return jax.lax.cond(number > limit, lambda value: value.at[0].set(value[0]), lambda value: value, value)

    # An accelerator would wait for the choice; on a processor XLA takes its barriers away.
    return jax.lax.platform_dependent(value, cpu=chosen, default=jax.lax.optimization_barrier)


def windows(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """See `keras_tricks._core.ops.windows`."""

    def window(image: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return jax.lax.dynamic_slice(image, (row, column, 0), (*size, image.shape[-1]))

    return jax.vmap(window)(images, top, left)
