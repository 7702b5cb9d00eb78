"""Many draws of a layer without an image: what a law is tested on."""

from collections.abc import Iterator
from typing import Any

import pytest

from keras_tricks._core import random

DRAWS = 100_000
# For laws of a layer's numbers: tens of thousands of draws, a new shape to compile for.
one_law_for_all = pytest.mark.once("the layer's draws on file, and those of `_core.random`, are every backend's")


def draws(layer: Any, height: int, width: int, count: int = DRAWS, at_once: int = 5_000) -> Iterator[dict[str, Any]]:
    """What `layer` draws for `count` images of this size, in calls of `at_once` images."""
    for call in range(count // at_once):
        yield layer.sample((at_once, height, width, 0), random.key((5, call), (1, 2)))
