"""Losses: the distance between predictions and targets."""

from keras_tricks.losses.crossentropy import Crossentropy

__all__ = ["Crossentropy"]
