"""The run, between batches and epochs."""

from keras_tricks.callbacks.evaluate_with_average import EvaluateWithAverage
from keras_tricks.callbacks.log_hyperparameters import LogHyperparameters
from keras_tricks.callbacks.reduce_on_plateau import ReduceOnPlateau
from keras_tricks.callbacks.refresh_batch_norm import RefreshBatchNorm
from keras_tricks.callbacks.snapshot_ensemble import SnapshotEnsemble

__all__ = ["EvaluateWithAverage", "LogHyperparameters", "ReduceOnPlateau", "RefreshBatchNorm", "SnapshotEnsemble"]
