"""RandAugment."""

import re
from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._operations import NUMBERS, Amounts, amounts, drawn_operations
from keras_tricks.augment._policy import PolicyAugmentation

OPERATIONS = (
    "AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast",
    "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY",
)  # fmt: skip
GEOMETRY: Amounts = {
    "Rotate": (0, 30, True),
    "ShearX": (0, 0.3, True),
    "ShearY": (0, 0.3, True),
    "TranslateX": (0, 0.45, True),
    "TranslateY": (0, 0.45, True),
}
INCREASING: Amounts = GEOMETRY | {
    **dict.fromkeys(("Color", "Contrast", "Brightness", "Sharpness"), (1, 0.9, True)),
    "Posterize": (4, -4, False),
    "Solarize": (256, -256, False),
    "SolarizeAdd": (0, 110, False),
}
ORIGINAL: Amounts = GEOMETRY | {
    **dict.fromkeys(("Color", "Contrast", "Brightness", "Sharpness"), (0.1, 1.8, False)),
    "Posterize": (0, 4, False),
    "Solarize": (0, 256, False),
    "SolarizeAdd": (0, 110, False),
}
UNIFORM_STD = 100


class RandAugment(PolicyAugmentation):
    """Does `operations` things to each image, each drawn from fifteen, all of about the same strength.

    The strength is `m / magnitude_max` with `m ~ N(magnitude, magnitude_std)`, held inside 0 to `magnitude_max`, and
    each operation is skipped with probability `1 - operation_rate`. The fifteen are AutoContrast, Equalize, Invert,
    Rotate (up to 30 degrees), ShearX and ShearY (0.3), TranslateX and TranslateY (0.45 of the side), Color, Contrast,
    Brightness and Sharpness (factors 1 +- 0.9), Posterize (keeps 4 bits to none), Solarize (threshold 256 to 0) and
    SolarizeAdd (up to 110), as in timm, whose numbers DeiT and later recipes state. The paper's always apply:
    `operation_rate=1`; torchvision's "9" is as strong as `magnitude=9, magnitude_max=30`.

    Helps when: training is long and the model large; the paper claims 1.0 to 1.3 points on ImageNet for ResNet-50 to
    EfficientNet-B7.
    Hurts when: colours or angles carry the class, and small models, which it may keep from fitting at all.
    Cost: two lookups and one gather of pixels for the images that are moved.

    Args:
        operations: How many, one after another, at least 1.
        magnitude: How strong, from 0 to `magnitude_max`.
        magnitude_max: The strongest.
        magnitude_std: Standard deviation of the magnitude, not below 0; from 100 the magnitude is uniform from 0 to
            `magnitude`.
        operation_rate: Probability of each operation to be applied, in [0, 1].
        increasing: Whether all operations do more at a higher magnitude; False is the original form, in which
            Posterize and Solarize do less, and factors go from 0.1 to 1.9.
        fill: What is seen outside the image: a number, in the units of `value_range`, "black", "reflect", "edge"; None
            is the middle of `value_range`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 1 or 3)`, and masks and boxes that belong to them.
    Output shape: the same, in the dtype given; pixels are whole levels of 256.

    Raises:
        ValueError: for an argument out of its range; at the first call for images of another number of channels.

    Example:
        ```python
        policy = kt.augment.RandAugment(operations=2, magnitude=9, seed=1)
        assert policy(images).shape == images.shape
        same = kt.augment.RandAugment.from_string("rand-m9-n2-mstd0.5-inc1-p0.5", seed=1)
        assert same.get_config() == policy.get_config() | {"name": same.name}
        ```

    Reference: [Cubuk et al., 2019](https://arxiv.org/abs/1909.13719)
    """

    def __init__(
        self,
        operations: int = 2,
        magnitude: float = 9,
        magnitude_max: float = 10,
        magnitude_std: float = 0.5,
        operation_rate: float = 0.5,
        increasing: bool = True,
        fill: float | str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill, **kwargs)
        self.operations = checks.count("operations", operations)
        self.magnitude_max = checks.positive("magnitude_max", magnitude_max)
        self.magnitude = checks.non_negative("magnitude", magnitude)
        if self.magnitude > self.magnitude_max:
            raise checks.fail("magnitude", f"in [0, magnitude_max={magnitude_max}]", magnitude)
        self.magnitude_std = checks.non_negative("magnitude_std", magnitude_std)
        self.operation_rate = checks.rate("operation_rate", operation_rate)
        self.increasing = checks.flag("increasing", increasing)

    @classmethod
    def from_string(cls, text: str, **kwargs: Any) -> "RandAugment":
        """The policy that recipes write as "rand-m9-n2-mstd0.5-inc1-p0.5".

        `m` is the magnitude, `n` the number of operations, `mstd` the standard deviation of the magnitude, `inc` 1 for
        `increasing`, `p` the rate of each operation; what is left out is as in the recipes: m10, n2, mstd0, inc0, p0.5.

        Raises:
            ValueError: for text that is not of this form.
        """
        names = {
            "m": "magnitude",
            "n": "operations",
            "mstd": "magnitude_std",
            "inc": "increasing",
            "p": "operation_rate",
        }
        head, *parts = text.split("-") if isinstance(text, str) else [""]
        arguments: dict[str, Any] = {"magnitude": 10.0, "magnitude_std": 0.0, "increasing": False}
        given: set[str] = set()
        for part in parts:
            match = re.fullmatch(r"([a-z]+)([0-9]+(?:\.[0-9]+)?)", part)
            if match is None or match[1] not in names:
                raise checks.fail("text", f'"rand" and parts of {", ".join(names)} with numbers, joined by "-"', text)
            if names[match[1]] in given:
                raise checks.fail("text", f'a string with one number after "{match[1]}"', text)
            given.add(names[match[1]])
            value = float(match[2])
            if match[1] in ("n", "inc") and not value.is_integer():
                raise checks.fail("text", f'a string with a whole number after "{match[1]}"', text)
            arguments[names[match[1]]] = {"n": int, "inc": bool}.get(match[1], float)(value)
        if head != "rand":
            raise checks.fail("text", '"rand-...", as in "rand-m9-n2-mstd0.5-inc1-p0.5"', text)
        return cls(**(arguments | kwargs))

    @property
    def strength(self) -> float:
        """The share of the strongest, in [0, 1], that the magnitude means."""
        return self.magnitude / self.magnitude_max

    def chances(self) -> list[dict[str, float]]:
        """Each of the fifteen with the same share of `operation_rate`, in each slot."""
        return [dict.fromkeys(OPERATIONS, self.operation_rate / len(OPERATIONS))] * self.operations

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """An operation and its amount for each image and slot."""
        drawn, deviation = random.split(seed, 2)
        draws = random.uniform(drawn, (shape[0], self.operations, 3))
        applied = draws[..., 0] < self.operation_rate
        operation = drawn_operations(OPERATIONS, draws[..., 1])
        operation = ops.where(applied, operation, ops.zeros_like(operation))
        positive = draws[..., 2] < 0.5
        amount = amounts(
            INCREASING if self.increasing else ORIGINAL, operation, self._strengths(deviation, shape), positive
        )
        # What is left of the bits is cut off: less than 4 are left at any strength above 0.
        bits = -ops.floor(-amount) if self.increasing else ops.floor(amount)
        amount = ops.where(operation == NUMBERS["Posterize"], bits, amount)
        if not self.increasing:  # the original's threshold is a whole number
            amount = ops.where(operation == NUMBERS["Solarize"], ops.floor(amount), amount)
        return self.slots(
            [operation[:, slot] for slot in range(self.operations)],
            [amount[:, slot] for slot in range(self.operations)],
            shape,
        )

    def _strengths(self, key: Tensor, shape: tuple[Any, ...]) -> Tensor:
        """The strength of each slot of each image, (batch, operations)."""
        size = (shape[0], self.operations)
        if self.magnitude_std >= UNIFORM_STD:
            return random.uniform(key, size) * self.strength
        if self.magnitude_std == 0:
            return random.uniform(key, size) * 0 + self.strength
        drawn = self.strength + random.normal(key, size) * (self.magnitude_std / self.magnitude_max)
        return ops.clip(drawn, 0.0, 1.0)
