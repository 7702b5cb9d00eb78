"""GaussianNoise."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import ColorAugmentation


class GaussianNoise(ColorAugmentation):
    """Adds noise of its own to each level.

    `level = level + std * N(0, 1)`, then clipped, with `std ~ U(std)` per image.

    Helps when: images are noisy where the model will be used; robustness to noise is wanted.
    Hurts when: fine texture carries the class.
    Cost: a normal number for each level, drawn and added.

    Args:
        std: Standard deviation in levels of 0 to 255 whatever `value_range` is, not below 0; a pair is a range.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: if `std` is below 0.

    Example:
        ```python
        noisy = kt.augment.GaussianNoise(std=(0, 20), seed=1)(images)
        assert noisy.shape == images.shape
        ```
    """

    def __init__(self, std: float | tuple[float, float] = (0, 25), **kwargs: Any):
        super().__init__(**kwargs)
        self.std = checks.span("std", std, 0)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The noise, and how much of it each image gets."""
        strength, noise = random.split(seed, 2)
        shared, own = random.noise_words(noise, shape[0], (shape[1] * shape[2] * shape[3] + 1) // 2)
        std = random.within(strength, (shape[0], 1, 1, 1), self.std)
        return {"std": std, "shared_words": shared, "own_words": own}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images with noise."""
        count, height, width, channels = ops.shape(levels)
        noise = random.normal_of(params["shared_words"], params["own_words"], count, height * width * channels)
        return levels + params["std"] * ops.reshape(noise, (count, height, width, channels))

    def spare(self, params: Params, touched: Tensor) -> Params:
        """Noise of no strength."""
        return params | {"std": params["std"] * ops.cast(touched, "float32")[:, None, None, None]}
