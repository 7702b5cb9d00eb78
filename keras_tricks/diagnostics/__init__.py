"""Diagnostics: functions that look at a model and its training, and leave both as they found them."""

from keras_tricks.diagnostics._rate_range import LearningRateRange
from keras_tricks.diagnostics.learning_rate_range import learning_rate_range

__all__ = ["LearningRateRange", "learning_rate_range"]
