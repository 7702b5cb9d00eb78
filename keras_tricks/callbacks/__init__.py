"""The run, between batches and epochs."""

from keras_tricks.callbacks.evaluate_with_average import EvaluateWithAverage

__all__ = ["EvaluateWithAverage"]
