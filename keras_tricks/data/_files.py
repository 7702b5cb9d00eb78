"""The data sets that lie on a disk: a folder of class folders, or an `.npz`."""

import dataclasses
import importlib
import pathlib
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np

from keras_tricks.data._named import with_channels
from keras_tricks.data._split import held_out

IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
TEST_FOLDERS = ("test", "val", "valid", "validation")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_npz(path: pathlib.Path) -> dict[str, Any]:
    """The fields of the data set in the `.npz` file at `path`."""
    arrays = _read_npz(path)
    missing = [key for key in ARRAYS if key not in arrays]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}. It has: {', '.join(arrays) or 'nothing'}.")
    fields: dict[str, Any] = {"name": path.stem}
    for split in ("train", "test"):
        images = fields[f"x_{split}"] = _checked_images(arrays[f"x_{split}"], f"x_{split} in {path}")
        labels = fields[f"y_{split}"] = _checked_labels(arrays[f"y_{split}"], f"y_{split} in {path}")
        if len(images) != len(labels):
            raise ValueError(f"{path} has {len(images)} images in x_{split} but {len(labels)} labels in y_{split}.")
    shapes = fields["x_train"].shape[1:], fields["x_test"].shape[1:]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{path} has images of shape {shapes[0]} in x_train but of shape {shapes[1]} in x_test.")
    largest = int(max(fields["y_train"].max(), fields["y_test"].max()))
    names = tuple(map(str, arrays["class_names"])) if "class_names" in arrays else tuple(map(str, range(largest + 1)))
    if largest >= len(names):
        raise ValueError(f"{path} has the label {largest}, but only {len(names)} class_names.")
    if len(names) < 2:
        raise ValueError(f"{path} has only one class; at least two are needed.")
    return fields | {"class_names": names}


def load_folder(folder: pathlib.Path, image_size: tuple[int, int] | None, strict: bool) -> dict[str, Any]:
    """The fields of the data set in `folder`, which has a folder of images for each class."""
    train_folder, test_folder = _splits(folder)
    class_names = _class_names(train_folder)
    train = _read_images(_labelled_files(train_folder, class_names), image_size, strict)
    for label in sorted(set(range(len(class_names))) - set(train.labels)):
        raise ValueError(f"No image of the class {class_names[label]!r} in {train_folder} could be read.")
    test = _Images([], [], [])
    if test_folder:
        for name in sorted(set(_class_names(test_folder)) - set(class_names)):
            raise ValueError(f"{test_folder} has the class {name!r}, which {train_folder} has not.")
        test = _read_images(_labelled_files(test_folder, class_names), train.images[0].shape[:2], strict)
        if not test.images:
            raise ValueError(f"No image in {test_folder} could be read.")
    images, labels = _stack(train.images + test.images), np.array(train.labels + test.labels, "int32")
    is_test = np.arange(len(labels)) >= len(train.labels) if test_folder else _held_out(labels, class_names, folder)
    skipped = train.skipped + test.skipped
    if skipped:
        warnings.warn(f"Skipped {len(skipped)} unreadable image(s): {'; '.join(skipped)}", stacklevel=3)
    return {
        "name": folder.resolve().name,
        "x_train": images[~is_test],
        "y_train": labels[~is_test],
        "x_test": images[is_test],
        "y_test": labels[is_test],
        "class_names": class_names,
        "skipped": tuple(skipped),
    }


def _read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a readable .npz file of plain arrays: {error}") from error


def _checked_images(images: np.ndarray, described_as: str) -> np.ndarray:
    if images.ndim not in (3, 4) or not images.size or images.dtype.kind not in "uif":
        raise ValueError(
            f"{described_as} must be numbers of shape (count, height, width[, channels]). "
            f"Received: {images.dtype} of shape {images.shape}"
        )
    low, high = images.min(), images.max()
    if not (low >= 0 and 1 < high <= 255):
        raise ValueError(f"{described_as} must hold pixels from 0 to 255. Received values from {low} to {high}")
    images = with_channels(images)
    if images.shape[-1] not in (1, 3):
        raise ValueError(f"{described_as} must have 1 or 3 channels, last. Received: shape {images.shape}")
    return images.astype("float32" if images.dtype.kind == "f" else "uint8")


def _checked_labels(labels: np.ndarray, described_as: str) -> np.ndarray:
    if labels.dtype.kind not in "ui" or not (labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)):
        raise ValueError(
            f"{described_as} must be integer class ids of shape (count,) or (count, 1). "
            f"Received: {labels.dtype} of shape {labels.shape}"
        )
    if labels.size and labels.min() < 0:
        raise ValueError(f"{described_as} must be class ids from 0. Received: {labels.min()}")
    return labels.reshape(-1).astype("int32")


def _splits(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path | None]:
    """The folders of the training and of the held-out images; None where a part of the former must be held out."""
    test_folder = next((folder / name for name in TEST_FOLDERS if (folder / name).is_dir()), None)
    if (folder / "train").is_dir():
        return folder / "train", test_folder
    if test_folder:
        raise ValueError(f"{folder} has a folder {test_folder.name!r} but no folder 'train' beside it.")
    return folder, None


def _class_names(folder: pathlib.Path) -> tuple[str, ...]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise ValueError(f"{folder} holds no class folders: expected {folder}/<class>/<image>, one folder for each.")
    if len(names) < 2:
        raise ValueError(f"{folder} holds only one class folder, {names[0]!r}; at least two are needed.")
    return tuple(names)


def _labelled_files(folder: pathlib.Path, class_names: tuple[str, ...]) -> list[tuple[pathlib.Path, int]]:
    return [
        (path, label)
        for label, name in enumerate(class_names)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]


@dataclasses.dataclass(frozen=True)
class _Images:
    images: list[np.ndarray]
    labels: list[int]
    skipped: list[str]


def _read_images(files: list[tuple[pathlib.Path, int]], size: tuple[int, int] | None, strict: bool) -> _Images:
    try:
        pillow = importlib.import_module("PIL.Image"), importlib.import_module("PIL.ImageOps")
    except ImportError as error:
        raise ImportError('A folder of images is read with Pillow: pip install "keras-tricks[cli]"') from error
    read = _Images([], [], [])
    for path, label in files:
        try:
            image = _read_image(path, size, *pillow)
        except Exception as error:  # The readers of Pillow raise whatever a broken file drives them to.
            if strict:
                raise ValueError(f"The image {path} cannot be read: {error}") from error
            read.skipped.append(f"{path} ({error})")
            continue
        size = image.shape[:2]
        read.images.append(image)
        read.labels.append(label)
    return read


def _read_image(path: pathlib.Path, size: tuple[int, int] | None, image_module: Any, operations: Any) -> np.ndarray:
    """The pixels `(height, width, 1 or 3)` of a file, the way up that its camera says."""
    with image_module.open(path) as file:
        image = operations.exif_transpose(file)
    if image.mode.startswith("I;16"):
        image = image_module.fromarray((np.asarray(image) >> 8).astype("uint8"))
    image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    if size and image.size != size[::-1]:
        image = image.resize(size[::-1], image_module.Resampling.BILINEAR)
    return np.atleast_3d(np.asarray(image))


def _stack(images: list[np.ndarray]) -> np.ndarray:
    """One array: grey if every image is, else RGB."""
    channels = max(image.shape[-1] for image in images)
    stacked = np.empty((len(images), *images[0].shape[:2], channels), "uint8")
    for index, image in enumerate(images):
        stacked[index] = image
    return stacked


def _held_out(labels: np.ndarray, class_names: tuple[str, ...], folder: pathlib.Path) -> np.ndarray:
    for label in np.flatnonzero(np.bincount(labels) < 2):
        raise ValueError(
            f"The class {class_names[label]!r} in {folder} has one image only. Without a folder 'test' or 'val', a "
            "class needs at least two: one to train on and one to hold out."
        )
    return held_out(labels)
