"""The training step itself."""

from keras_tricks.training.fit_lbfgs import fit_lbfgs
from keras_tricks.training.sam import SAM
from keras_tricks.training.trainer import Trainer

__all__ = ["SAM", "Trainer", "fit_lbfgs"]
