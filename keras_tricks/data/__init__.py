"""What is fed: data sets in, by name or from a disk."""

from keras_tricks.data.load import ImageDataset, load

__all__ = ["ImageDataset", "load"]
