"""TrivialAugment."""

from typing import Any

from keras_tricks._core import ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._operations import NUMBERS, Amounts, amounts, drawn_operations
from keras_tricks.augment._policy import PolicyAugmentation

OPERATIONS = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
)  # fmt: skip
WIDE: Amounts = {
    **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), (1, 0.99, True)),
    **dict.fromkeys(("ShearX", "ShearY"), (0, 0.99, True)),
    **dict.fromkeys(("TranslateX", "TranslateY"), (0, 32, True)),
    "Rotate": (0, 135, True),
    "Posterize": (8, -6, False),
    "Solarize": (255, -255, False),
}
STRENGTHS = 31


class TrivialAugment(PolicyAugmentation):
    """Does one thing to each image, drawn from fourteen, of a strength that is drawn too: nothing is to be tuned.

    The fourteen: Identity, ShearX and ShearY (up to 0.99), TranslateX and TranslateY (32 pixels), Rotate (135 degrees),
    Brightness, Color, Contrast and Sharpness (factors 1 +- 0.99), Posterize (8 to 2 bits), Solarize (threshold 255 to
    0), AutoContrast and Equalize; one of 31 strengths from none to all: the paper's wide space.

    Helps when: there is no time to search; the paper claims the accuracy of tuned policies on CIFAR, SVHN and ImageNet.
    Hurts when: colours or angles carry the class; 32 pixels are all of a small image's width: on 32x32 the strongest
        translations leave nothing to see.
    Cost: one lookup, and one gather of pixels for the images that are moved.

    Args:
        fill: What is seen outside the image: a number, in the units of `value_range`, "black", "reflect", "edge"; None
            is the middle of `value_range`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 1 or 3)`, and masks and boxes that belong to them.
    Output shape: the same, in the dtype given; pixels are whole levels of 256.

    Raises:
        ValueError: for a `fill` that is none; at the first call for images of another number of channels.

    Example:
        ```python
        assert kt.augment.TrivialAugment(seed=1)(images).shape == images.shape
        ```

    Reference: [Mueller & Hutter, 2021](https://arxiv.org/abs/2103.10158)
    """

    def chances(self) -> list[dict[str, float]]:
        """All the same."""
        return [dict.fromkeys(OPERATIONS, 1 / len(OPERATIONS))]

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """An operation and its amount for each image."""
        draws = random.uniform(seed, (shape[0], 3))
        operation = drawn_operations(OPERATIONS, draws[:, 0])
        strength = ops.floor(draws[:, 1] * STRENGTHS) * (1 / (STRENGTHS - 1))
        amount = amounts(WIDE, operation, strength, draws[:, 2] < 0.5)
        amount = ops.where(operation == NUMBERS["Posterize"], ops.round(amount), amount)
        for name, size in (("TranslateX", shape[2]), ("TranslateY", shape[1])):
            amount = ops.where(operation == NUMBERS[name], amount / ops.number(size), amount)
        return self.slots([operation], [amount], shape)
