"""PCALighting."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import LEVELS, ColorAugmentation

# Of ImageNet's pixels; the eigenvalues for pixels in [0, 1], times 255.
IMAGENET_EIGENVALUES = (55.46, 4.794, 1.148)
IMAGENET_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


class PCALighting(ColorAugmentation):
    """Shifts the colour of each image along the principal components of the data's colours: another light.

    `pixel = pixel + eigenvectors @ (strength * eigenvalues)`, then clipped, with three `strength ~ N(0, std)` for each
    image.

    Helps when: photographs differ in the intensity and the colour of the light.
    Hurts when: the tint carries the class.
    Cost: one pass over the batch.

    Args:
        std: Standard deviation of the three strengths, not below 0.
        eigenvalues: Three numbers, the largest shifts first, in levels of 0 to 255 whatever `value_range` is.
        eigenvectors: A matrix of 3 x 3: rows for red, green and blue, a column for each eigenvalue.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    `adapt(images)` puts those of your own data in the place of ImageNet's; they are saved with the layer.

    Input shape: images `(batch, height, width, 3)`, and whatever belongs to them.
    Output shape: the same, in the layer's compute dtype.

    Raises:
        ValueError: for an argument out of its range; at the first call for images of another number of channels.

    Example:
        ```python
        layer = kt.augment.PCALighting(std=0.1, seed=1)
        layer.adapt(images)
        assert layer(images).shape == images.shape
        ```

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824)
    """

    channels = (3,)

    def __init__(
        self,
        std: float = 0.1,
        eigenvalues: Sequence[float] = IMAGENET_EIGENVALUES,
        eigenvectors: Sequence[Sequence[float]] = IMAGENET_EIGENVECTORS,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.std = checks.non_negative("std", std)
        self.eigenvalues = _numbers("eigenvalues", eigenvalues, (3,), "three numbers")
        self.eigenvectors = _numbers("eigenvectors", eigenvectors, (3, 3), "three rows of three numbers")

    def adapt(self, images: Any) -> None:
        """Takes the eigenvalues and eigenvectors from all pixels of `images`, an array laid out as a batch.

        Before the layer is compiled into a training step or a data pipeline: there they are constants.
        """
        pixels = np.asarray(keras.ops.convert_to_numpy(images), "float64")
        if pixels.ndim != 4:
            raise checks.fail("images", "a batch, of four axes", pixels.shape)
        if self.data_format == "channels_first":
            pixels = pixels.transpose(0, 2, 3, 1)
        self._check_channels(pixels)
        low, high = self.value_range
        shares = (pixels.reshape(-1, 3) - low) / (high - low)
        eigenvalues, eigenvectors = np.linalg.eigh(np.cov(shares, rowvar=False))
        self.eigenvalues = tuple((LEVELS * np.maximum(eigenvalues[::-1], 0)).tolist())
        self.eigenvectors = tuple(map(tuple, eigenvectors[:, ::-1].tolist()))

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """What to add to the channels of each image."""
        strengths = self.std * random.normal(seed, (shape[0], 1, 1, 3))
        components = np.asarray(self.eigenvectors, "float32") * np.asarray(self.eigenvalues, "float32")
        return {"shift": ops.sum(strengths[..., None, :] * ops.constant(components, seed), axis=-1)}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images in another light."""
        return _levels.scaled(levels, None, params["shift"])

    def spare(self, params: Params, touched: Tensor) -> Params:
        """Nothing to add."""
        return {"shift": params["shift"] * ops.cast(touched, "float32")[:, None, None, None]}


def _numbers(argument: str, value: Any, shape: tuple[int, ...], expected: str) -> Any:
    """Nested lists of finite numbers of one shape, as nested tuples."""
    try:
        array = np.asarray(value, "float64")
    except (TypeError, ValueError):
        raise checks.fail(argument, expected, value) from None
    if array.shape != shape or not np.isfinite(array).all():
        raise checks.fail(argument, expected, value)
    return tuple(map(tuple, array.tolist())) if len(shape) == 2 else tuple(array.tolist())
