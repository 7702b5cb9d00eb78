"""Draws README's picture: what each augmentation does to the photographs that come with scikit-learn.

KERAS_BACKEND=jax python tools/picture.py
"""

from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

import keras_tricks as kt

TARGET = Path(__file__).resolve().parent.parent / "notebooks" / "tricks.jpg"
SIDE, NAMES = 240, ("temple", "flower")

AUGMENTATIONS = {
    "RandomFlip": kt.augment.RandomFlip(rate=1.0, seed=1),
    "RandomCrop(padding=60)": kt.augment.RandomCrop(padding=60, fill="reflect", seed=4),
    "MixUp(1.0)": kt.augment.MixUp(1.0, num_classes=2, seed=5),
    "CutMix()": kt.augment.CutMix(num_classes=2, seed=14),
}


def squares() -> tuple[np.ndarray, np.ndarray]:
    """The middle of each photograph, and its class."""
    photographs = load_sample_images().images
    corners = [(np.array(photograph.shape[:2]) - SIDE) // 2 for photograph in photographs]
    cut = [p[row : row + SIDE, column : column + SIDE] for p, (row, column) in zip(photographs, corners, strict=True)]
    return np.stack(cut), np.arange(len(cut))


def describe(label: np.ndarray) -> str:
    """A class, or the shares of two."""
    if label.ndim == 0:
        return NAMES[label]
    return ", ".join(f"{share:.2f} {name}" for share, name in zip(label, NAMES, strict=True) if share > 0.005)


def main() -> None:
    images, labels = squares()
    columns = {"as they are": (images, labels)} | {
        name: layer((images, labels)) for name, layer in AUGMENTATIONS.items()
    }
    figure, axes = plt.subplots(2, len(columns), figsize=(2.1 * len(columns), 4.9))
    for column, (name, batch) in zip(axes.T, columns.items(), strict=True):
        pictures, rows = (np.asarray(keras.ops.convert_to_numpy(part)) for part in batch)
        column[0].set_title(name, fontsize=10)
        for axis, picture, row in zip(column, pictures, rows, strict=True):
            axis.imshow(picture.round().astype("uint8"))
            axis.set_xlabel(describe(row), fontsize=9)
            axis.set(xticks=[], yticks=[])
    figure.tight_layout()
    figure.savefig(TARGET, dpi=80, pil_kwargs={"quality": 85})
    print(TARGET.name)


if __name__ == "__main__":
    main()
