"""Schedules: numbers that change over the steps of training."""

from keras_tricks.schedules._base import Schedule
from keras_tricks.schedules.cosine import Cosine
from keras_tricks.schedules.cosine_restarts import CosineRestarts
from keras_tricks.schedules.cyclical import Cyclical
from keras_tricks.schedules.exponential import Exponential
from keras_tricks.schedules.inverse_sqrt import InverseSqrt
from keras_tricks.schedules.join import Join
from keras_tricks.schedules.linear import Linear
from keras_tricks.schedules.one_cycle import OneCycle
from keras_tricks.schedules.one_cycle_momentum import OneCycleMomentum
from keras_tricks.schedules.polynomial import Polynomial
from keras_tricks.schedules.scale_learning_rate import scale_learning_rate
from keras_tricks.schedules.scaled import Scaled
from keras_tricks.schedules.step import Step
from keras_tricks.schedules.trapezoid import Trapezoid
from keras_tricks.schedules.warmup import Warmup

__all__ = [
    "Cosine",
    "CosineRestarts",
    "Cyclical",
    "Exponential",
    "InverseSqrt",
    "Join",
    "Linear",
    "OneCycle",
    "OneCycleMomentum",
    "Polynomial",
    "Scaled",
    "Schedule",
    "Step",
    "Trapezoid",
    "Warmup",
    "scale_learning_rate",
]
