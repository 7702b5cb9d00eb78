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
