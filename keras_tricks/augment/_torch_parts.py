"""How large batches are worked on by torch's processor: part by part, in the memory of the result, or image by image.

Each operation of torch makes a new tensor. One as large as a batch is new memory, page by page, which takes longer than
most operations on it.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any

import keras
import torch

from keras_tricks._core import _torch_memory, ops

# Bytes of a part of a batch: with all that is computed on the way it fits in the caches of most processors.
PART = 2**22
LARGE_PLANE, LARGE_IMAGE = 2**12, 2**15  # numbers from which each is worth operations of its own


class _Own(threading.local):
    """The memory of a part of the result, which nobody else has, and the images that it is for while it is empty."""

    part: Any = None
    source: Any = None


_own = _Own()


def are_large(images: Any) -> bool:
    """Whether each image is worth operations of its own."""
    return images.numel() >= len(images) * LARGE_IMAGE > 0


def is_large_plane(pixels: int) -> bool:
    """Whether a channel of so many pixels is."""
    return pixels >= LARGE_PLANE


def in_parts(function: Callable[[Any, Any], Any], images: Any, params: Any, width: int, own: bool = False) -> Any:
    """`function(images, params)`, on a processor a part of a large batch at a time; a number takes `width` bytes.

    What is computed on the way is small then, and lies where the last part's has been. With `own` the function keeps
    the size of images, gets float32, or bytes if they take one, and may write to the memory of the result: for images
    of that type it is empty (see `place_of`), others have been copied there (see `is_own`).
    """
    before = _own.part, _own.source
    count, size = len(images), max(1, PART // max(1, images[:1].numel() * width))
    if count < 2 * size or images.device.type != "cpu" or images.requires_grad or torch.compiler.is_compiling():
        return function(images, params)
    own = own and ops.host_array(images) is not None
    like = images.new_empty(0, dtype=type_of_width(width))
    changed: Any = _torch_memory.empty(images.shape, like) if own else None
    for start in range(0, count, size):
        rows = slice(start, start + size)
        own_params = keras.tree.map_structure(functools.partial(_part, rows, count), params)
        given = images[rows]
        if own:
            _own.part, is_empty = changed[rows], given.dtype == like.dtype
            given = given if is_empty else _own.part.copy_(given)
            _own.source = given if is_empty else None
        try:
            part = function(given, own_params)
        finally:
            _own.part, _own.source = before
        if changed is None:
            shape = (count, *part.shape[1:])
            changed = part.new_empty(shape) if ops.host_array(part) is None else _torch_memory.empty(shape, part)
        place = changed[rows]
        if not own:
            changed[rows] = part
        elif not is_there(part, place):
            place.copy_(part.clone() if part.data_ptr() == place.data_ptr() else part)
    return changed


def type_of_width(width: int) -> torch.dtype:
    """The type of the results that are worked on in their own memory, whose numbers take `width` bytes."""
    return torch.uint8 if width == 1 else torch.float32


def _part(rows: slice, count: int, value: Any) -> Any:
    is_of_images = isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == count
    return value[rows] if is_of_images else value


def is_there(part: Any, place: Any) -> bool:
    """Whether `part` is what lies in `place`, in the same order."""
    return part.data_ptr() == place.data_ptr() and part.stride() == place.stride() and part.dtype == place.dtype


def have_own() -> bool:
    """Whether there are images that nobody else has: what was made of them is nobody else's either."""
    return _own.part is not None


def is_own(images: Any) -> bool:
    """Whether these are images that nobody else has, or may only look so: they can be written to."""
    part = _own.part
    if part is None or images.data_ptr() != part.data_ptr() or images.numel() != part.numel():
        return False
    return sorted(images.stride()) == sorted(part.stride())  # all of it once, in any order of its axes


def is_source(images: Any) -> bool:
    """Whether what becomes of these images has its memory, which is empty."""
    source = _own.source
    return source is not None and images.data_ptr() == source.data_ptr() and images.numel() == source.numel()


def place_of(images: Any) -> Any | None:
    """The memory of the result, once, for the first operation on these images to write to; None if there is none."""
    if not is_source(images):
        return None
    for source, place in ((_own.source, _own.part), (_own.source.movedim(1, -1), _own.part.movedim(1, -1))):
        if images.shape == source.shape and images.stride() == source.stride():
            _own.source = None
            return place
    return None


def own_of(images: Any) -> Any:
    """These images where they can be written to: a copy, if they cannot."""
    if is_own(images):
        return images
    place = place_of(images)
    return copied(images) if place is None else place.copy_(images)


def change_rows(value: Any, needed: Any, function: Callable[..., Any], parts: Any, own: bool) -> Any | None:
    """See `keras_tricks.augment._subset.change`: a part of the images that are `needed` at a time; else None."""
    known = ops.host_arrays(needed, value, *parts)
    if known is None:
        return None
    rows = known[0].nonzero()[0]
    changed = value if own or not rows.size else copied(value)
    size = max(1, PART // max(1, 4 * value[:1].numel()))
    for start in range(0, len(rows), size):
        chosen = torch.from_numpy(rows[start : start + size])
        put(changed, chosen, function(*(part.index_select(0, chosen) for part in parts)))
    return changed


def put(value: Any, rows: Any, new: Any) -> None:
    """Writes `new` to the `rows` of `value`; blocks that are large NumPy copies several times faster, one by one."""
    if not are_large(value) or ops.host_array(value) is None:
        value.index_copy_(0, rows, new)
        return
    values = value.numpy()
    for row, block in zip(rows.tolist(), new.contiguous().numpy(), strict=True):
        values[row] = block


def copied(images: Any) -> Any:
    """A copy in memory that may be used again."""
    return _torch_memory.empty(images.shape, images).copy_(images)
