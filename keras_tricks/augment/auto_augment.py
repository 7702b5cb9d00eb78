"""AutoAugment."""

import functools
from typing import Any

import numpy as np

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._operations import NUMBERS, Amounts, amounts
from keras_tricks.augment._policy import PolicyAugmentation

# The policies that the paper found, for each two operations with their probability and strength, of 0 to 9.
POLICIES = {
    "imagenet": """
        Posterize .4 8, Rotate .6 9;        Solarize .6 5, AutoContrast .6 0;   Equalize .8 0, Equalize .6 0;
        Posterize .6 7, Posterize .6 6;     Equalize .4 0, Solarize .2 4;       Equalize .4 0, Rotate .8 8;
        Solarize .6 3, Equalize .6 0;       Posterize .8 5, Equalize 1 0;       Rotate .2 3, Solarize .6 8;
        Equalize .6 0, Posterize .4 6;      Rotate .8 8, Color .4 0;            Rotate .4 9, Equalize .6 0;
        Equalize 0 0, Equalize .8 0;        Invert .6 0, Equalize 1 0;          Color .6 4, Contrast 1 8;
        Rotate .8 8, Color 1 2;             Color .8 8, Solarize .8 7;          Sharpness .4 7, Invert .6 0;
        ShearX .6 5, Equalize 1 0;          Color .4 0, Equalize .6 0;          Equalize .4 0, Solarize .2 4;
        Solarize .6 5, AutoContrast .6 0;   Invert .6 0, Equalize 1 0;          Color .6 4, Contrast 1 8;
        Equalize .8 0, Equalize .6 0
    """,
    "cifar10": """
        Invert .1 0, Contrast .2 6;         Rotate .7 2, TranslateX .3 9;       Sharpness .8 1, Sharpness .9 3;
        ShearY .5 8, TranslateY .7 9;       AutoContrast .5 0, Equalize .9 0;   ShearY .2 7, Posterize .3 7;
        Color .4 3, Brightness .6 7;        Sharpness .3 9, Brightness .7 9;    Equalize .6 0, Equalize .5 0;
        Contrast .6 7, Sharpness .6 5;      Color .7 7, TranslateX .5 8;        Equalize .3 0, AutoContrast .4 0;
        TranslateY .4 3, Sharpness .2 6;    Brightness .9 6, Color .2 8;        Solarize .5 2, Invert 0 0;
        Equalize .2 0, AutoContrast .6 0;   Equalize .2 0, Equalize .6 0;       Color .9 9, Equalize .6 0;
        AutoContrast .8 0, Solarize .2 8;   Brightness .1 3, Color .7 0;        Solarize .4 5, AutoContrast .9 0;
        TranslateY .9 9, TranslateY .7 9;   AutoContrast .9 0, Solarize .8 3;   Equalize .8 0, Invert .1 0;
        TranslateY .7 9, AutoContrast .9 0
    """,
    "svhn": """
        ShearX .9 4, Invert .2 0;           ShearY .9 8, Invert .7 0;           Equalize .6 0, Solarize .6 6;
        Invert .9 0, Equalize .6 0;         Equalize .6 0, Rotate .9 3;         ShearX .9 4, AutoContrast .8 0;
        ShearY .9 8, Invert .4 0;           ShearY .9 5, Solarize .2 6;         Invert .9 0, AutoContrast .8 0;
        Equalize .6 0, Rotate .9 3;         ShearX .9 4, Solarize .3 3;         ShearY .8 8, Invert .7 0;
        Equalize .9 0, TranslateY .6 6;     Invert .9 0, Equalize .6 0;         Contrast .3 3, Rotate .8 4;
        Invert .8 0, TranslateY 0 2;        ShearY .7 6, Solarize .4 8;         Invert .6 0, Rotate .8 4;
        ShearY .3 7, TranslateX .9 3;       ShearX .1 6, Invert .6 0;           Solarize .7 2, TranslateY .6 7;
        ShearY .8 4, Invert .8 0;           ShearX .7 9, TranslateY .8 3;       ShearY .8 5, AutoContrast .7 0;
        ShearX .7 2, Invert .1 0
    """,
}
STRENGTHS = 10
AMOUNTS: Amounts = {
    **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), (1, 0.9, True)),
    **dict.fromkeys(("ShearX", "ShearY"), (0, 0.3, True)),
    **dict.fromkeys(("TranslateX", "TranslateY"), (0, 150 / 331, True)),
    "Rotate": (0, 30, True),
    "Posterize": (8, -4, False),
    "Solarize": (255, -255, False),
}


class AutoAugment(PolicyAugmentation):
    """Does two things to each image, by one of 25 recipes that a search has found for a data set.

    A recipe is two operations, each with a probability and one of ten strengths; the sign of a shear, translation,
    rotation or change of colour is drawn.

    Helps when: the data resembles the policy's; the paper claims 0.4 points over the best published on ImageNet and
    0.6 on CIFAR-10, and that policies transfer.
    Hurts when: it does not: the search has fitted these three data sets.
    Cost: as RandAugment with two operations.

    Args:
        policy: "imagenet", "cifar10" or "svhn".
        fill: What is seen outside the image: a number, in the units of `value_range`, "black", "reflect", "edge"; None
            is the middle of `value_range`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 1 or 3)`, and masks and boxes that belong to them.
    Output shape: the same, in the dtype given; pixels are whole levels of 256.

    Raises:
        ValueError: for another `policy`; at the first call for images of another number of channels.

    Example:
        ```python
        assert kt.augment.AutoAugment("cifar10", seed=1)(images).shape == images.shape
        ```

    Reference: [Cubuk et al., 2018](https://arxiv.org/abs/1805.09501)
    """

    def __init__(self, policy: str = "imagenet", fill: float | str | None = None, **kwargs: Any):
        super().__init__(fill, **kwargs)
        self.policy = checks.one_of("policy", policy, tuple(POLICIES))

    def chances(self) -> list[dict[str, float]]:
        """Of each slot, over all recipes."""
        recipes = read(self.policy)
        slots: list[dict[str, float]] = [{}, {}]
        for recipe in recipes:
            for chances, (name, rate, _) in zip(slots, recipe, strict=True):
                chances[name] = chances.get(name, 0.0) + rate / len(recipes)
        return slots

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """A recipe for each image, and the operations and amounts that it means."""
        recipes = read(self.policy)
        draws = random.uniform(seed, (shape[0], 5))
        which = ops.cast(ops.floor(draws[:, 0] * len(recipes)), "int32")
        operations, drawn_amounts = [], []
        for slot in range(2):
            entries = [recipe[slot] for recipe in recipes]
            numbers = np.array([NUMBERS[name] for name, _, _ in entries], "int32")
            rates, strengths = (np.array([entry[column] for entry in entries], "float32") for column in (1, 2))
            operation, rate, strength = (
                ops.take(ops.constant(column, which), which, axis=0)
                for column in (numbers, rates, strengths / np.float32(STRENGTHS - 1))
            )
            operation = ops.where(draws[:, 1 + slot] < rate, operation, ops.zeros_like(operation))
            amount = amounts(AMOUNTS, operation, strength, draws[:, 3 + slot] < 0.5)
            drawn_amounts.append(ops.where(operation == NUMBERS["Posterize"], ops.round(amount), amount))
            operations.append(operation)
        return self.slots(operations, drawn_amounts, shape)


@functools.cache
def read(policy: str) -> list[tuple[tuple[str, float, int], ...]]:
    """The recipes of `policy`: for each two operations, `(name, rate, strength)`."""
    recipes = []
    for recipe in POLICIES[policy].split(";"):
        words = [entry.split() for entry in recipe.split(",")]
        recipes.append(tuple((name, float(rate), int(strength)) for name, rate, strength in words))
    return recipes
