"""Which samples are held out."""

import math

import numpy as np


def held_out(labels: np.ndarray, share: float = 0.2) -> np.ndarray:
    """A mask of a `share` of the samples, rounded up: the same ones every time, each class with its share.

    The classes whose count is furthest from a whole number round up, so that the total comes out.
    """
    classes, counts = np.unique(labels, return_counts=True)
    quotas = counts * share
    taken = np.floor(quotas).astype(int)
    missing = math.ceil(round(len(labels) * share, 6)) - taken.sum()
    taken[np.argsort(taken - quotas, kind="stable")[:missing]] += 1
    # The stream of RandomState is frozen by NumPy: the same images are held out for ever, on every machine.
    shuffle = np.random.RandomState(0).permutation
    mask = np.zeros(len(labels), bool)
    for label, count in zip(classes, taken, strict=True):
        mask[shuffle(np.flatnonzero(labels == label))[:count]] = True
    return mask
