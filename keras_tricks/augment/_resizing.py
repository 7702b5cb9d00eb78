"""How the augmentations work that resize a box of each image, each image by its own box, to one size."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from keras_tricks._core import checks, compiled, ops
from keras_tricks.augment import _resampling
from keras_tricks.augment._base import Batch, BatchAugmentation, Boxes, Params, Tensor

SMALL = 64  # pixels along a side
Operation = Callable[[Tensor, tuple[int, int]], Tensor]
Box = tuple[Tensor, Tensor, Tensor, Tensor]


class ResizingAugmentation(BatchAugmentation):
    """Base of the resizing crops: a trick writes `sample` and `inference_params`, by `params_of`.

    Args:
        interpolation: "bilinear" or "bicubic"; masks take the nearest pixel.
        antialias: Whether to widen the kernel where an image shrinks, as Pillow does.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.
    """

    samples_rate = True
    works_in_parts = True
    casts_first = False

    def __init__(self, interpolation: str = "bilinear", antialias: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.interpolation = checks.one_of("interpolation", interpolation, ("bilinear", "bicubic"))
        self.antialias = checks.flag("antialias", antialias)

    def params_of(self, box: Box, size: tuple[Any, Any], within: Box | None = None) -> Params:
        """The hooks' params for a `box` (top, left, height, width) of each image, (batch,) each, that gets `size`."""
        return {"box": box, "size": size, "within": within}

    def box_of(self, params: Params) -> Box:
        """Of `params`, the box."""
        return params["box"]

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The boxes, resized."""
        return self.resized(images, params, self.box_of(params))

    def resized(self, images: Tensor, params: Params, box: Box) -> Tensor:
        """A `box` of each image, resized."""
        size, within = params["size"], params.get("within")
        resized = _resampling.resize_boxes(images, box, size, within, self.interpolation, self.antialias)
        return ops.clip(resized, *self.value_range) if self.interpolation == "bicubic" else resized

    def transform_masks(self, masks: Tensor, params: Params) -> Tensor:
        """The boxes of the masks, resized by the nearest pixel."""
        return _resampling.pick_boxes(masks, self.box_of(params), params["size"])

    def transform_boxes(self, boxes: Boxes, params: Params) -> Boxes:
        """The bounding boxes, seen from the corner of the box and scaled."""
        top, left, height, width = self.box_of(params)
        scale_x, scale_y = ops.number(params["size"][1]) / width, ops.number(params["size"][0]) / height
        corner, scale = ops.stack([left, top, left, top], axis=-1), ops.stack([scale_x, scale_y] * 2, axis=-1)
        return boxes | {"boxes": (boxes["boxes"] - corner[:, None, :]) * scale[:, None, :]}


class FixedResizing(ResizingAugmentation):
    """Base of the resizing that draws nothing: a trick writes `short_side`, `size_of` and `box`, one for all images.

    It resizes images to `short_side` and cuts a window of `size_of` out of their middle, which may be all of them.
    """

    is_random = False
    short_side: int

    def __init__(self, interpolation: str = "bilinear", antialias: bool = True, **kwargs: Any):
        super().__init__(interpolation, antialias, **kwargs)
        if self.rate != 1:
            raise checks.fail("rate", "1, because all images of a batch must get one size", self.rate)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The sizes of the images, and what becomes of them: nothing is drawn."""
        return self.inference_params(shape)

    def inference_params(self, shape: tuple[Any, ...]) -> Params:
        """As in training."""
        return {"image": shape[1:3], "size": self.size_of(shape[1], shape[2])}

    def size_of(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Height and width of what comes out for images of this size."""
        raise NotImplementedError(f"{type(self).__name__} must write `size_of`")

    def box(self, height: Any, width: Any) -> Box:
        """The box of images of this size, (1,) each."""
        raise NotImplementedError(f"{type(self).__name__} must write `box`")

    def box_of(self, params: Params) -> Box:
        """The one box of all images: masks and boxes ask for it, images not always."""
        return self.box(*params["image"])

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The box, resized."""
        image, size = params["image"], params["size"]
        if not _are_known(image):
            return super().transform_images(images, params)
        sides = short_side_scale(image[0], image[1], self.short_side)
        resize = self._operation(images, image, sides)
        if sides == image or resize is not None:
            resized = images if resize is None else resize(images, sides)
            if size == sides:
                return resized
            top, left = (round((side - window) / 2) for side, window in zip(sides, size, strict=True))
            return resized[:, top : top + size[0], left : left + size[1]]
        if ops.is_torch(images):
            return super().transform_images(images, params)
        with ops.numpy_arrays():
            box = self.box_of(params)
        return self.resized(images, params, box)

    def is_one_operation(self, batch: Batch) -> bool:
        """Whether these are images alone that TensorFlow resizes as a whole."""
        images = batch["images"]
        image = self.channels_last_shape(images)[1:3]
        if not _are_known(image) or any(
            batch.get(name) is not None for name in ("segmentation_masks", "bounding_boxes")
        ):
            return False
        return self._operation(images, image, short_side_scale(image[0], image[1], self.short_side)) is not None

    def _operation(self, images: Tensor, image: tuple[int, int], sides: tuple[int, int]) -> Operation | None:
        """The backend's own operation that resizes whole images of size `image`, if it has one that is faster."""
        if self.interpolation != "bilinear" or sides == image:
            return None
        antialias = self.antialias and (sides[0] < image[0] or sides[1] < image[1])
        is_small, size = max(image) <= SMALL, self.size_of(*image)
        if ops.is_torch(images):
            # Few pixels are sooner resized as a whole, and so are many that are to be averaged.
            if not (antialias or is_small or size == sides):
                return None
            torch_pixels = importlib.import_module("keras_tricks.augment._torch_pixels")
            return partial(torch_pixels.resize, antialias=antialias)
        # Compiled, TensorFlow's is several times slower than ours; and so it is in any case where it antialiases.
        is_most = 2 * size[0] * size[1] >= sides[0] * sides[1]
        if antialias or not (is_small and is_most and ops.is_tensorflow() and compiled.is_outside()):
            return None
        return importlib.import_module("keras_tricks._core._tensorflow_ops").resize


class ShortSideResizing(FixedResizing):
    """Base of `Resize` and its other name: a subclass sets `short_side`."""

    works_in_parts = False  # on torch it is one operation

    def size_of(self, height: Any, width: Any) -> tuple[Any, Any]:
        """`short_side` and the other side, rounded."""
        return short_side_scale(height, width, self.short_side)

    def box(self, height: Any, width: Any) -> Box:
        """The whole image."""
        return central_box((height, width), (height, width), ops.zeros((1,), "float32"))

    def output_size(self, height: int | None, width: int | None) -> tuple[int | None, int | None]:
        """`short_side` and the other side, rounded; None where a side is not known."""
        if height is None or width is None:
            return None, None
        return short_side_scale(height, width, self.short_side)


def short_side_scale(height: Any, width: Any, short_side: Any) -> tuple[Any, Any]:
    """Height and width of an image whose short side becomes `short_side`; the other is rounded.

    Plain numbers for plain numbers, int32 tensors otherwise.
    """
    least = _smaller(height, width)
    sides = [side if isinstance(side, int) else ops.cast(side, "int32") for side in (height, width)]
    # In whole numbers: in float32 a half may come out a little smaller.
    return tuple((2 * side * short_side + least) // (2 * least) for side in sides)


def central_box(image: tuple[Any, Any], box: tuple[Any, Any], like: Tensor) -> Box:
    """The box of height and width `box` in the middle of images of size `image`, for each image of `like` (batch,)."""
    zeros = ops.zeros_like(like)
    height, width = (zeros + ops.number(side) for side in box)
    top, left = (zeros + ops.number(side) for side in image)
    return (top - height) * 0.5, (left - width) * 0.5, height, width


def _are_known(sides: tuple[Any, ...]) -> bool:
    return all(isinstance(side, int) for side in sides)


def _smaller(first: Any, second: Any) -> Any:
    if _are_known((first, second)):
        return min(first, second)
    return ops.minimum(*(ops.cast(ops.convert_to_tensor(side), "int32") for side in (first, second)))


def central_window(image: tuple[Any, Any], short_side: int, size: tuple[int, int], like: Tensor) -> Box:
    """The box that is a window of `size` in the middle of images once their short side is `short_side`.

    Of the resized image it holds whole pixels. Of images of size `image`, for each of `like` (batch,).
    """
    box = []
    for side, resized, pixels in zip(image, short_side_scale(*image, short_side), size, strict=True):
        whole, pixel = ops.number(resized), ops.number(side) / ops.number(resized)
        none = ops.zeros_like(like)
        box.append((middle(none + (whole - pixels)) * pixel, none + pixels * pixel))
    (top, height), (left, width) = box
    return top, left, height, width


def middle(room: Tensor) -> Tensor:
    """The whole pixels before a window in the middle, of those that it leaves: a half goes to the even side."""
    return ops.round(room * 0.5)
