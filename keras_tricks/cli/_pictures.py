"""The pictures in a run folder."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_tricks.cli._run_folder import replacing


def save_curves(path: pathlib.Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Loss and accuracy over the epochs, in training and on the held-out images."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(epochs, [row[name] for row in rows], marker=".", label="training (augmented)")
        axes.plot(epochs, [row[f"val_{name}"] for row in rows], marker=".", label="held out")
        axes.set(title=name, xlabel="epoch")
        axes.locator_params(axis="x", integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def save_augmented(
    path: pathlib.Path, images: np.ndarray, targets: np.ndarray, class_names: Sequence[str], columns: int = 8
) -> None:
    """A grid of images, each under the classes and weights of its row of `targets`."""
    count = len(images)
    columns = min(columns, count)
    figure = Figure(figsize=(1.6 * columns, 1.8 * -(-count // columns)), layout="constrained")
    grid = np.ravel(figure.subplots(-(-count // columns), columns, squeeze=False))
    for axes in grid:
        axes.axis("off")
    for axes, image, target in zip(grid, images, targets, strict=False):
        axes.imshow(np.squeeze(image).clip(0, 255).astype("uint8"), cmap="gray", vmin=0, vmax=255)
        axes.set_title(describe(target, class_names), fontsize=8)
    _save(figure, path)


def describe(target: np.ndarray, class_names: Sequence[str]) -> str:
    """A row of class weights in words: `3: 0.7, 8: 0.3`, the largest first."""
    heaviest = [index for index in np.argsort(-target, kind="stable") if target[index] >= 0.005]
    if len(heaviest) == 1:
        return class_names[heaviest[0]]
    return ", ".join(f"{class_names[index]}: {float(target[index]):.2f}" for index in heaviest)


def _save(figure: Figure, path: pathlib.Path) -> None:
    with replacing(path) as partial:
        figure.savefig(partial, dpi=100)
