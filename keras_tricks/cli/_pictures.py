"""The pictures that the commands draw: curves, and images with their labels, masks and boxes."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

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
        draw(axes, image, describe(target, class_names))
    _save(figure, path)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image and what belongs to it.

    Args:
        image: `(height, width, channels)`, 0-255.
        title: What stands above it.
        mask: Class ids `(height, width, 1)`, 0 for none, or None.
        boxes: `(count, 4)`, left, top, right and bottom in pixels, or None.
        box_labels: `(count,)`; a box of label -1 is none.
    """

    image: np.ndarray
    title: str = ""
    mask: np.ndarray | None = None
    boxes: np.ndarray | None = None
    box_labels: np.ndarray | None = None


def save_rows(path: pathlib.Path, rows: Mapping[str, Sequence[Picture | None]], side: float = 1.5) -> None:
    """A named row of pictures under the other; nothing where None stands for a picture."""
    columns = max(map(len, rows.values()))
    height, width = next(picture.image.shape[:2] for line in rows.values() for picture in line if picture is not None)
    row_height = side * min(max(height / width, 0.4), 2.5) + 0.2
    figure = Figure(figsize=(side * (columns + 1.2), row_height * len(rows)), layout="constrained")
    widths = [1.2, *([1.0] * columns)]
    grid = figure.subplots(len(rows), columns + 1, squeeze=False, width_ratios=widths)
    for axes in np.ravel(grid):
        axes.axis("off")
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        line[0].text(1.0, 0.5, name, ha="right", va="center", fontsize=8, wrap=True, transform=line[0].transAxes)
        for axes, picture in zip(line[1:], pictures, strict=False):
            if picture is not None:
                draw(axes, picture.image, picture.title, picture.mask, picture.boxes, picture.box_labels)
    _save(figure, path)


def draw(
    axes: Axes,
    image: np.ndarray,
    title: str = "",
    mask: np.ndarray | None = None,
    boxes: np.ndarray | None = None,
    box_labels: np.ndarray | None = None,
) -> None:
    """An image `(height, width, channels)`, its title, the classes of its mask in colours, and its boxes."""
    axes.axis("off")
    axes.imshow(_shown(image), cmap="gray", vmin=0, vmax=255)
    axes.set_title(title, fontsize=7, pad=2)
    if mask is not None:
        classes = np.squeeze(mask, -1).astype(int)
        axes.imshow(np.ma.masked_equal(classes, 0), cmap="tab10", vmin=0, vmax=10, alpha=0.25, interpolation="nearest")
    if boxes is None:
        return
    labels = np.zeros(len(boxes), int) if box_labels is None else box_labels
    for (left, top, right, bottom), label in zip(boxes, labels, strict=True):
        if label >= 0:
            # The corner of the first pixel is at (-0.5, -0.5).
            corner = (left - 0.5, top - 0.5)
            axes.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, color=f"C{int(label) % 10}"))


def _shown(image: np.ndarray) -> np.ndarray:
    """Pixels to look at; those in units of their own, below 0, are spread from black to white."""
    pixels = np.squeeze(image, -1) if image.shape[-1] == 1 else image[..., :3]
    pixels = pixels.astype("float32")
    if pixels.min() < -1:
        pixels = (pixels - pixels.min()) * (255 / max(np.ptp(pixels), 1e-6))
    return pixels.round().clip(0, 255).astype("uint8")


def describe(target: np.ndarray, class_names: Sequence[str]) -> str:
    """A row of class weights in words: `3: 0.7, 8: 0.3`, the largest first."""
    heaviest = [index for index in np.argsort(-target, kind="stable") if target[index] >= 0.005]
    if len(heaviest) == 1:
        return class_names[heaviest[0]]
    return ", ".join(f"{class_names[index]}: {float(target[index]):.2f}" for index in heaviest)


def _save(figure: Figure, path: pathlib.Path) -> None:
    with replacing(path) as partial:
        figure.savefig(partial, dpi=100)
