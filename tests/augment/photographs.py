"""Two photographs, for the tests that compare with Pillow."""

import functools

import numpy as np
from PIL import Image
from sklearn import datasets


@functools.cache
def photographs(height: int = 96, width: int = 128) -> np.ndarray:
    """A temple and a flower, (2, height, width, 3) uint8."""
    images = [Image.fromarray(image).resize((width, height)) for image in datasets.load_sample_images().images]
    return np.stack([np.asarray(image) for image in images])


def pillow_resize(image: np.ndarray, size: tuple[int, int], interpolation: str = "bilinear") -> np.ndarray:
    """`image` resized by Pillow to `(height, width)` in floating point, one channel at a time; clipped."""
    channels = [
        Image.fromarray(image[..., channel].astype("float32")).resize(
            size[::-1], Image.Resampling[interpolation.upper()]
        )
        for channel in range(image.shape[-1])
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1).clip(0, 255)
