"""The training step itself."""

from keras_tricks.training.trainer import Trainer

__all__ = ["Trainer"]
