"""The data sets that have a name: scikit-learn's digits, and what Keras downloads."""

import importlib
from typing import Any

import numpy as np

from keras_tricks.data._split import held_out

DIGITS = tuple("0123456789")
CIFAR100_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CLASS_NAMES = {
    "digits": DIGITS,
    "mnist": DIGITS,
    "fashion_mnist": (
        *("T-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "cifar100": tuple(CIFAR100_NAMES.split()),
}
NAMES = tuple(CLASS_NAMES)


def load(name: str) -> dict[str, Any]:
    """The fields of the data set called `name`."""
    (x_train, y_train), (x_test, y_test) = _digits() if name == "digits" else _downloaded(name)
    return {
        "name": name,
        "x_train": with_channels(x_train),
        "y_train": y_train.reshape(-1).astype("int32"),
        "x_test": with_channels(x_test),
        "y_test": y_test.reshape(-1).astype("int32"),
        "class_names": CLASS_NAMES[name],
    }


def with_channels(images: np.ndarray) -> np.ndarray:
    """Images with a channel axis, which grey ones may lack."""
    return images[..., None] if images.ndim == 3 else images


def _digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError('The digits come with scikit-learn: pip install "keras-tricks[cli]"') from error
    digits = datasets.load_digits()
    # Stored as 0-16: the number of ink pixels in each cell of 4x4.
    images, labels = np.rint(digits.images * (255 / 16)).astype("uint8"), digits.target
    test = held_out(labels)
    return (images[~test], labels[~test]), (images[test], labels[test])


def _downloaded(name: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    try:
        # Fetched here so that the other data sets load without waiting for Keras.
        return importlib.import_module(f"keras.datasets.{name}").load_data()
    except Exception as error:  # Keras raises a bare Exception where a download fails.
        raise ConnectionError(
            f"The data set {name!r} could not be downloaded ({error}). Without a connection, use 'digits', "
            "a folder of images or an .npz file."
        ) from error
