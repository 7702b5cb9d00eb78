"""What is fed: data sets in, by name or from a disk, and augmented on their way."""

from keras_tricks.data.augment import augment
from keras_tricks.data.load import ImageDataset, load
from keras_tricks.data.repeated_augmentation import RepeatedAugmentation

__all__ = ["ImageDataset", "RepeatedAugmentation", "augment", "load"]
