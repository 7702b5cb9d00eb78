"""Gradients and weights, at each update."""

from keras_tricks.optimizers._base import OptimizerWrapper
from keras_tricks.optimizers.weight_average import WeightAverage

__all__ = ["OptimizerWrapper", "WeightAverage"]
