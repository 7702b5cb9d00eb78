"""The training step itself."""

from keras_tricks.training.sam import SAM
from keras_tricks.training.trainer import Trainer

__all__ = ["SAM", "Trainer"]
