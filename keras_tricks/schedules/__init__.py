"""Schedules: numbers that change over the steps of training."""

from keras_tricks.schedules._base import Schedule
from keras_tricks.schedules.cosine import Cosine
from keras_tricks.schedules.warmup import Warmup

__all__ = ["Cosine", "Schedule", "Warmup"]
