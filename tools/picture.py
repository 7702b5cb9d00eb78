"""Draws README's pictures: what augmentations do to the photographs that come with scikit-learn.

KERAS_BACKEND=jax python tools/picture.py
"""

from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import keras_tricks as kt
from keras_tricks.cli._pictures import draw

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
SIDE, NAMES = 240, ("temple", "flower")
HEIGHT, WIDTH, COLUMNS = 120, 180, 7

AUGMENTATIONS = {
    "RandomFlip": kt.augment.RandomFlip(rate=1.0, seed=1),
    "RandomCrop(padding=60)": kt.augment.RandomCrop(padding=60, fill="reflect", seed=4),
    "MixUp(1.0)": kt.augment.MixUp(1.0, num_classes=2, seed=5),
    "CutMix()": kt.augment.CutMix(num_classes=2, seed=14),
}

# Every member of `kt.augment` but the base, with arguments and seeds whose effect is seen at a glance.
MEMBERS = (
    kt.augment.MixUp(1.0, num_classes=2, seed=2),
    kt.augment.CutMix(num_classes=2, seed=4),
    kt.augment.RandomErasing(rate=1.0, seed=1),
    kt.augment.CutOut(50, seed=0),
    kt.augment.GridMask(unit=0.4, seed=1),
    kt.augment.ColorJitter(0.4, 0.4, 0.4, 0.2, seed=1),
    kt.augment.RandomBrightnessContrast(0.4, 0.4, seed=1),
    kt.augment.RandomGrayscale(rate=1.0),
    kt.augment.RGBShift((30, 60), 0, (-60, -30), seed=1),
    kt.augment.PCALighting(std=1.0, seed=0),
    kt.augment.AutoContrast(),
    kt.augment.Equalize(),
    kt.augment.Posterize(bits=2),
    kt.augment.Solarize(threshold=128),
    kt.augment.SolarizeAdd(add=90),
    kt.augment.Invert(),
    kt.augment.Sharpness(factor=5),
    kt.augment.GaussianBlur(sigma=2.5),
    kt.augment.GaussianNoise(std=40, seed=1),
    kt.augment.Normalize(),
    kt.augment.RandomFlip(rate=1.0),
    kt.augment.AlternatingFlip(steps_per_epoch=1, seed=1),
    kt.augment.RandomCrop(padding=40, seed=7),
    kt.augment.RandomResizedCrop((HEIGHT, WIDTH), area=(0.2, 0.4), aspect=(1.2, 1.8), seed=1),
    kt.augment.RandomScaleCrop(short_side=(180, 260), size=(HEIGHT, WIDTH), seed=1),
    kt.augment.CenterCrop((HEIGHT, WIDTH), ratio=0.7),
    kt.augment.Resize(60),
    kt.augment.SmallestMaxSize(60),
    kt.augment.RandomAffine(rotation=25, scale=0.8, shear=15, fill="reflect", seed=1),
    kt.augment.RandomPerspective(rate=1.0, seed=1),
    kt.augment.LensDistortion(k1=0.5),
    kt.augment.RandAugment(operation_rate=1.0, seed=4),
    kt.augment.TrivialAugment(seed=3),
    kt.augment.AutoAugment(seed=4),
    kt.augment.AugMix(severity=6, seed=2),
    kt.augment.ThreeAugment(seed=2),
    kt.augment.RepeatedAugmentation(2),
    kt.augment.Sequence([kt.augment.RandomFlip(rate=1.0), kt.augment.Invert(), kt.augment.CutOut(50)], seed=1),
    kt.augment.RandomChoice([kt.augment.MixUp(1.0, num_classes=2), kt.augment.CutMix()], seed=3),
    kt.augment.RandomApply(kt.augment.RandomAffine(rotation=(30, 30)), rate=0.9, seed=2),
)


def squares() -> tuple[np.ndarray, np.ndarray]:
    """The middle of each photograph, and its class."""
    photographs = load_sample_images().images
    corners = [(np.array(photograph.shape[:2]) - SIDE) // 2 for photograph in photographs]
    cut = [p[row : row + SIDE, column : column + SIDE] for p, (row, column) in zip(photographs, corners, strict=True)]
    return np.stack(cut), np.arange(len(cut))


def shrunk() -> tuple[np.ndarray, np.ndarray]:
    """The whole photographs, small, and their classes."""
    sides = (WIDTH, HEIGHT)
    images = [
        np.asarray(Image.fromarray(p).resize(sides, Image.Resampling.LANCZOS)) for p in load_sample_images().images
    ]
    return np.stack(images), np.arange(len(images))


def describe(label: np.ndarray) -> str:
    """A class, or the shares of two."""
    if label.ndim == 0:
        return NAMES[label]
    return ", ".join(f"{share:.2f} {name}" for share, name in zip(label, NAMES, strict=True) if share > 0.005)


def save_tricks(path: Path) -> None:
    """A few augmentations, with the labels that come out."""
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
    figure.savefig(path, dpi=80, pil_kwargs={"quality": 85})
    print(path.name)


def save_catalogue(path: Path) -> None:
    """Every member, on the one photograph or on the other, after the photographs as they are."""
    names = [type(layer).__name__ for layer in MEMBERS]
    if left_out := set(kt.augment.__all__) - {"BatchAugmentation"} - set(names):
        raise SystemExit(f"tools/picture.py does not draw {', '.join(sorted(left_out))}: add it there")
    batch = shrunk()
    cells = [(name, batch[0][index]) for index, name in enumerate(NAMES)]
    for number, (name, layer) in enumerate(zip(names, MEMBERS, strict=True)):
        images = np.asarray(keras.ops.convert_to_numpy(layer(batch)[0]))
        first = number % len(NAMES) * layer.copies
        copies = images[first : first + layer.copies, :: layer.copies, :: layer.copies]  # small enough for the cell
        cells.append((name, np.concatenate(copies, axis=1)))
    lines = -(-len(cells) // COLUMNS)
    figure, axes = plt.subplots(lines, COLUMNS, figsize=(1.85 * COLUMNS, 1.52 * lines), layout="constrained")
    for axis in axes.flat[len(cells) :]:
        axis.axis("off")
    for axis, (name, image) in zip(axes.flat, cells, strict=False):
        draw(axis, image)
        axis.set(xlim=(-0.5, WIDTH - 0.5), ylim=(HEIGHT - 0.5, -0.5))  # one scale for all
        axis.text(0.5, -0.03, name, ha="center", va="top", fontsize=9, transform=axis.transAxes)
    figure.savefig(path, dpi=100, pil_kwargs={"quality": 85})
    print(path.name)


if __name__ == "__main__":
    save_tricks(FOLDER / "tricks.jpg")
    save_catalogue(FOLDER / "catalogue.jpg")
