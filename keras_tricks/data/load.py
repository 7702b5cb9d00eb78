"""`kt.data.load`: real images in, by name or from a disk."""

import dataclasses
import os
import pathlib

import numpy as np

from keras_tricks._core import checks
from keras_tricks.data import _files, _named


@dataclasses.dataclass(frozen=True, eq=False)
class ImageDataset:
    """Labelled images in memory: what `load` returns.

    Args:
        name: What the data set is called.
        x_train: Training images `(count, height, width, channels)`, 0-255 as stored.
        y_train: Their class ids `(count,)`, int32.
        x_test: Held-out images of the same size.
        y_test: Their class ids.
        class_names: One name for each class id.
        skipped: The files that could not be read, each with the reason.

    Example:
        ```python
        halves = kt.data.ImageDataset("mine", images[:4], labels[:4], images[4:], labels[4:], tuple("abcdefghij"))
        assert halves.num_classes == 10
        ```
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.x_train.shape[1:]))
        counts = f"{len(self.x_train)} + {len(self.x_test)} images of {size}, {self.num_classes} classes"
        return f"ImageDataset({self.name!r}: {counts})"


def load(
    source: str | os.PathLike, image_size: int | tuple[int, int] | None = None, strict: bool = False
) -> ImageDataset:
    """Loads labelled images by name, from a folder of class folders, or from an `.npz`.

    - A name: `"digits"` (1,797 scanned digits of 8x8 that come with scikit-learn, a fixed stratified fifth held
      out: no download), `"mnist"`, `"fashion_mnist"`, `"cifar10"`, `"cifar100"` (downloaded by Keras once).
    - A folder: `train/<class>/*.jpg` beside `test/<class>/*.jpg` (or `val`), or just `<class>/*.jpg`, of which a
      fixed stratified fifth is then held out. Any format Pillow reads; RGB, or grey if every image is. Classes are
      numbered in the order of their names.
    - An `.npz` with `x_train`, `y_train`, `x_test`, `y_test` and, if you like, `class_names`. Images are 0-255;
      class ids have shape `(count,)` or `(count, 1)`; grey images may come without a channel axis.

    Args:
        source: The name or path.
        image_size: Height and width to resize a folder's images to, a number for both; None takes the size of the
            first image.
        strict: Whether an image that cannot be read is an error. Otherwise it is skipped, with a warning, and listed
            in `skipped`.

    Raises:
        ValueError: if the name is unknown, or what is found is not as described above.
        FileNotFoundError: if the path does not exist.
        ImportError: if scikit-learn (for `"digits"`) or Pillow (for a folder) is not installed.
        ConnectionError: if a data set cannot be downloaded.

    Example:
        ```python
        digits = kt.data.load("digits")
        assert digits.x_train.shape == (1437, 8, 8, 1)
        assert digits.num_classes == 10
        ```
    """
    size = None if image_size is None else checks.size("image_size", image_size)
    path, by_name = pathlib.Path(source), str(source) in _named.NAMES
    if size and (by_name or path.is_file()):
        raise checks.fail("image_size", f"None: {str(source)!r} is not a folder of images", image_size)
    if by_name:
        return ImageDataset(**_named.load(str(source)))
    if path.is_dir():
        return ImageDataset(**_files.load_folder(path, size, strict))
    if path.is_file() and path.suffix == ".npz":
        return ImageDataset(**_files.load_npz(path))
    expected = f"one of {', '.join(map(repr, _named.NAMES))}, a folder of class folders or an .npz file"
    if path.exists():
        raise checks.fail("source", expected, str(source))
    raise FileNotFoundError(f"There is no data set {str(source)!r}. Expected {expected}.")
