"""What is fed: data sets in, by name or from a disk, and augmented on their way."""

from keras_tricks.data.augment import augment
from keras_tricks.data.equivalent_batch_growth import BatchGrowth, equivalent_batch_growth
from keras_tricks.data.growing_batch import GrowingBatch
from keras_tricks.data.load import ImageDataset, load
from keras_tricks.data.repeated_augmentation import RepeatedAugmentation

__all__ = [
    "BatchGrowth",
    "GrowingBatch",
    "ImageDataset",
    "RepeatedAugmentation",
    "augment",
    "equivalent_batch_growth",
    "load",
]
