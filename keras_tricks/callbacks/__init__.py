"""The run, between batches and epochs."""

from keras_tricks.callbacks.evaluate_with_average import EvaluateWithAverage
from keras_tricks.callbacks.log_hyperparameters import LogHyperparameters
from keras_tricks.callbacks.reduce_on_plateau import ReduceOnPlateau

__all__ = ["EvaluateWithAverage", "LogHyperparameters", "ReduceOnPlateau"]
