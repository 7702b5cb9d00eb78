"""Metrics: how well predictions do."""

from keras_tricks.metrics.accuracy import Accuracy

__all__ = ["Accuracy"]
