"""What the policies' tests share: operations by Pillow, and the policy applied by it."""

from typing import Any

import numpy as np
from keras import ops
from PIL import Image, ImageEnhance, ImageOps

from keras_tricks.augment._operations import AFFINE, NAMES
from tests.augment.boxes import assert_boxes_hold_the_paint, assert_masks_fit_the_paint, painted
from tests.contracts.augmentation import AugmentationContract
from tests.running import BACKEND, compiled, first_call, to_numpy

FILL = (128,) * 3


class PolicyContract(AugmentationContract):
    """As every augmentation's; colours of painted images say nothing about masks, where they change too."""

    channels = (1, 3)

    def test_masks_and_boxes_go_where_the_pixels_go(self):
        layer, batch = self.make(fill=0, **self.box_arguments), painted(64)
        params = layer.sample(batch["images"].shape, layer.stream_key(0))
        moved = first_call(layer, batch)
        # The upright box around a sheared one, clipped, may be wider than what is left of it.
        assert_boxes_hold_the_paint(moved, self.box_tolerance)
        places = [all(name in (*AFFINE, "Identity") for name, _ in slots) for slots in drawn(params)]
        assert sum(places) >= 3
        assert_masks_fit_the_paint({name: to_numpy(moved[name])[places] for name in ("images", "segmentation_masks")})


def by_pillow(image: Image.Image, name: str, amount: float) -> Image.Image:
    """One operation, in the papers' terms."""
    width, height = image.size
    affine = {
        "ShearX": (1, amount, 0, 0, 1, 0),
        "ShearY": (1, 0, 0, amount, 1, 0),
        "TranslateX": (1, 0, amount * width, 0, 1, 0),
        "TranslateY": (1, 0, 0, 0, 1, amount * height),
    }
    if name in affine:
        data, bilinear = affine[name], Image.Resampling.BILINEAR
        return image.transform(image.size, Image.Transform.AFFINE, data, bilinear, fillcolor=FILL)
    if name == "Rotate":
        return image.rotate(amount, Image.Resampling.BILINEAR, fillcolor=FILL)
    if name in ("Brightness", "Contrast", "Color", "Sharpness"):
        return getattr(ImageEnhance, name)(image).enhance(amount)
    if name == "Posterize":
        return ImageOps.posterize(image, int(amount))
    if name == "Solarize":
        return ImageOps.solarize(image, amount)
    if name == "SolarizeAdd":
        table = [min(255, level + int(amount)) if level < 128 else level for level in range(256)]
        return image.point(table * 3)
    simple = {"AutoContrast": ImageOps.autocontrast, "Equalize": ImageOps.equalize, "Invert": ImageOps.invert}
    return simple[name](image) if name in simple else image


def backward(name: str, amount: float, width: int, height: int) -> np.ndarray:
    """The 3 x 3 matrix that takes places in the new image to those in the old, from the upper left corner."""
    if name == "Rotate":
        angle = np.radians(amount)
        centre = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        return centre @ turn @ np.linalg.inv(centre)
    matrix = np.eye(3)
    row, column = {"ShearX": (0, 1), "ShearY": (1, 0), "TranslateX": (0, 2), "TranslateY": (1, 2)}[name]
    matrix[row, column] = amount * {"TranslateX": width, "TranslateY": height}.get(name, 1)
    return matrix


def drawn(params: dict[str, Any]) -> list[list[tuple[str, float]]]:
    """For each image its operations and amounts, in order."""
    operations = np.stack([to_numpy(part) for part in params["operations"]], axis=-1)
    amounts = np.stack([to_numpy(part) for part in params["amounts"]], axis=-1)
    return [
        [(NAMES[number], float(amount)) for number, amount in zip(*row, strict=True)]
        for row in zip(operations, amounts, strict=True)
    ]


def transformed(layer: Any, images: Any, params: dict[str, Any]) -> Any:
    """The images after `transform_images`: on JAX as one function, each operation would be compiled else."""
    if BACKEND == "jax":
        return compiled(lambda images: layer.transform_images(images, params), images)
    return layer.transform_images(ops.convert_to_tensor(images), params)


def assert_one_slot_is_pillows(layer: Any, images: np.ndarray, params: dict[str, Any]) -> set[str]:
    """To two levels, but for the few pixels at a border of which Pillow thinks otherwise; the operations met."""
    changed = to_numpy(transformed(layer, images, params)).astype("float64")
    for image, result, [(name, amount)] in zip(images, changed, drawn(params), strict=True):
        wrong = np.abs(result - np.asarray(by_pillow(Image.fromarray(image), name, amount))).max(-1)
        assert (wrong > 2).mean() < 4e-3, (name, amount, (wrong > 2).mean())
    return {name for [(name, _)] in drawn(params)}


def assert_slots_follow_one_another(layer: Any, single: Any, images: np.ndarray, params: dict[str, Any]) -> None:
    """What `layer` does equals `single`, a policy of one slot, done with each slot's draws in turn.

    Two affine maps in a row are one resampling here, and are held to Pillow's by the product of their matrices.
    """
    changed, step = to_numpy(transformed(layer, images, params)), images
    for operation, amount in zip(params["operations"], params["amounts"], strict=True):
        step = transformed(single, step, params | {"operations": [operation], "amounts": [amount]})
    height, width = images.shape[1:3]
    alone = together = 0
    for image, result, expected, slots in zip(images, changed, to_numpy(step), drawn(params), strict=True):
        affine = [(name, amount) for name, amount in slots[:2] if name in AFFINE]
        if len(affine) < 2:
            np.testing.assert_array_equal(result, expected)
            alone += 1
        elif len(slots) == 2:
            matrix = backward(*affine[0], width, height) @ backward(*affine[1], width, height)
            once = Image.fromarray(image).transform(
                (width, height), Image.Transform.AFFINE, matrix[:2].ravel(), Image.Resampling.BILINEAR, fillcolor=FILL
            )
            wrong = np.abs(result.astype("float64") - np.asarray(once)).max(-1)
            assert (wrong > 2).mean() < 4e-3, slots
            together += 1
    assert alone >= 10
    assert together >= 3 or len(params["operations"]) != 2
