"""The preview itself. Imported once the backend is chosen."""

import argparse
import inspect
import re
from typing import Any

import keras
import numpy as np
from rich.console import Console

import keras_tricks as kt
from keras_tricks.cli import _augmentations, _calls, _console, _pictures
from keras_tricks.cli._error import CommandError
from keras_tricks.cli._pictures import Picture
from keras_tricks.cli.preview import ALL

# A member that mixes needs partners that are not shown.
LEAST_BATCH = 8
PLACES = ("segmentation_masks", "bounding_boxes")


def preview(arguments: argparse.Namespace) -> int:
    """Writes the picture to `arguments.out`."""
    console = Console(highlight=False, soft_wrap=True)
    data = _console.load(arguments.dataset, arguments.image_size, False, console)
    draws = min(arguments.draws, arguments.columns)
    shown = max(1, arguments.columns // draws)
    batch = _batch(data, max(shown, LEAST_BATCH), arguments.seed, arguments.boxes)
    shown = min(shown, len(batch["images"]))
    originals = _pictures_of(batch, data)
    rows: dict[str, list[Picture | None]] = {
        "originals": [originals[index] if not draw else None for index in range(shown) for draw in range(draws)]
    }
    left_out = []
    with _console.progress_on(console) as progress:
        for text in progress.track(_texts(arguments.augment), description="drawing"):
            try:
                drawn = _draws(text, batch, data, draws, arguments.seed)
            except (CommandError, ValueError) as error:
                if not _is_all(arguments.augment):
                    raise CommandError(_reason(text, error)) from error
                left_out.append(_reason(text, error))
                continue
            rows[text] = [pictures[index] for index in range(shown) for pictures in drawn]
    if left_out:
        console.print("Left out:", *left_out, sep="\n  ", markup=False)
    _pictures.save_rows(arguments.out, rows)
    console.print(f"{arguments.out}: {len(rows) - 1} augmentation(s) of {shown} image(s), {draws} draws each")
    return 0


def _is_all(names: str) -> bool:
    return names.strip().lower() == ALL


def _reason(text: str, error: Exception) -> str:
    """The error alone, out of what Keras wraps around an error in a call."""
    wrapped = re.search(r"\x1b\[1m(.*?)\x1b\[0m", str(error), re.DOTALL)
    return f"{text}: {wrapped[1] if wrapped else error}"


def _texts(names: str) -> list[str]:
    """The calls to draw, one row for each."""
    if not _is_all(names):
        return [call.text for call in _calls.parse(names)]
    texts = []
    for name in _calls.class_names():
        parameters = inspect.signature(getattr(kt.augment, name)).parameters
        if "layer" in parameters:
            texts.append(f"{name}(invert, rate=0.5)")
        elif "layers" in parameters:
            texts.append(f"{name}([mixup, cutmix])")
        elif parameters.get("rate") and parameters["rate"].default != 1.0 and "flip" not in name.lower():
            texts.append(f"{name}(rate=1)")
        else:
            texts.append(name)
    return texts


def _batch(data: kt.data.ImageDataset, count: int, seed: int, with_places: bool) -> dict[str, Any]:
    """Training images, of as many classes as there can be."""
    order = np.random.default_rng(seed).permutation(len(data.x_train))
    _, first = np.unique(data.y_train[order], return_index=True)
    chosen = np.concatenate([order[np.sort(first)], np.delete(order, first)])[:count]
    batch: dict[str, Any] = {"images": data.x_train[chosen], "labels": data.y_train[chosen]}
    return batch | _places(*batch["images"].shape[:3]) if with_places else batch


def _places(count: int, height: int, width: int) -> dict[str, Any]:
    """A box around the middle of each image, and the ellipse inside it as a mask."""
    left, top, right, bottom = round(width / 4), round(height / 4), round(width * 3 / 4), round(height * 3 / 4)
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    down, across = (rows - (top + bottom) / 2) / (bottom - top), (columns - (left + right) / 2) / (right - left)
    ellipse = (down**2 + across**2 <= 0.25).astype("uint8")[None, :, :, None]
    box = np.array([[[left, top, right, bottom]]], "float32")
    return {
        "segmentation_masks": ellipse.repeat(count, axis=0),
        "bounding_boxes": {"boxes": box.repeat(count, axis=0), "labels": np.zeros((count, 1), "int32")},
    }


def _draws(text: str, batch: dict[str, Any], data: kt.data.ImageDataset, draws: int, seed: int) -> list[list[Picture]]:
    """The pictures of the batch after each of `draws` calls of an augmentation."""
    shape = batch["images"].shape[1:]
    (trial,) = _augmentations.build([text], shape, data.num_classes, seed)
    (layer,) = _augmentations.build([text], shape, data.num_classes, seed)
    # Some refuse masks, or boxes too: class ids in a mask cannot be blended.
    given = {name: part for name, part in batch.items() if name not in PLACES or _takes(trial, batch, name)}
    # Where each image comes several times in a row, the first time is beside the original; all clean ones come first.
    start = len(batch["images"]) if isinstance(layer, kt.augment.AugMix) and layer.splits > 1 else 0
    step = layer.copies if isinstance(layer, kt.augment.RepeatedAugmentation) else 1
    return [_pictures_of(keras.tree.map_structure(_to_numpy, layer(given)), data)[start::step] for _ in range(draws)]


def _takes(layer: kt.augment.BatchAugmentation, batch: dict[str, Any], part: str) -> bool:
    try:
        layer({"images": batch["images"], part: batch[part]})
    except ValueError:
        return False
    return True


def _to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _pictures_of(batch: dict[str, Any], data: kt.data.ImageDataset) -> list[Picture]:
    labels = batch["labels"]
    rows = labels if labels.ndim > 1 else np.eye(data.num_classes)[labels]
    masks, boxes = batch.get("segmentation_masks"), batch.get("bounding_boxes")
    return [
        Picture(
            image,
            _pictures.describe(row, data.class_names),
            None if masks is None else masks[index],
            None if boxes is None else boxes["boxes"][index],
            None if boxes is None else boxes["labels"][index],
        )
        for index, (image, row) in enumerate(zip(batch["images"], rows, strict=True))
    ]
