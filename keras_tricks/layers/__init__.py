"""Layers: what happens to activations inside the model."""

from keras_tricks.layers._base import TrainingOnlyLayer
from keras_tricks.layers.drop_path import DropPath

__all__ = ["DropPath", "TrainingOnlyLayer"]
