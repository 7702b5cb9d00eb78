"""AugMix."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Batch, Params, Tensor
from keras_tricks.augment._batch import map_arrays
from keras_tricks.augment._levels import ROUNDING
from keras_tricks.augment._operations import NUMBERS, Amounts, amounts, drawn_operations
from keras_tricks.augment._policy import PolicyAugmentation

OPERATIONS = (
    "AutoContrast", "Equalize", "Posterize", "Rotate", "Solarize", "ShearX", "ShearY", "TranslateX", "TranslateY",
)  # fmt: skip
# Those that resemble the corruptions of ImageNet-C, against which the paper tests.
MORE_OPERATIONS = ("Color", "Contrast", "Brightness", "Sharpness")
AMOUNTS: Amounts = {
    **dict.fromkeys(("ShearX", "ShearY"), (0, 0.3, True)),
    **dict.fromkeys(("TranslateX", "TranslateY"), (0, 1 / 3, True)),
    **dict.fromkeys(MORE_OPERATIONS, (0.1, 1.8, False)),
    "Rotate": (0, 30, True),
    "Posterize": (4, -4, False),
    "Solarize": (256, -256, False),
}
STRONGEST = 10
LEAST = 0.1
LONGEST = 3


class AugMix(PolicyAugmentation):
    """Blends each image with a blend of several versions of it, each after a chain of one to three operations.

    With `w ~ Dirichlet(alpha, ..., alpha)` and `m ~ Beta(alpha, alpha)` the image becomes
    `(1 - m) * image + m * sum(w[i] * chain[i](image))`. The operations are AutoContrast, Equalize, Posterize, Rotate,
    Solarize, the shears and the translations, of a strength uniform from 0.1 to `severity`, out of 10.

    With `splits=3` the batch comes out three times as large: all images as they were, then two versions of all: for the
    Jensen-Shannon loss, which asks the three predictions to agree. Everything else in the batch is repeated alike.

    Helps when: test images are blurred, noisy or otherwise corrupted; the paper claims 12 points less error on
    CIFAR-10-C and better calibration.
    Hurts when: training is short.
    Cost: `width` chains of `depth` operations: nine lookups and six gathers of pixels by default;
    twice that with `splits=3`.

    Args:
        severity: How strong operations may be, above 0, up to 10.
        width: How many chains, at least 1.
        depth: How long a chain is, from 1 to 3; None draws that for each chain of each image.
        alpha: Of both laws, above 0.
        splits: 1, or how often each image comes out, the first time unchanged.
        all_operations: Whether Color, Contrast, Brightness and Sharpness are among the operations.
        fill: What is seen outside the image: a number, in the units of `value_range`, "black", "reflect", "edge"; None
            is the middle of `value_range`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, 1 or 3)`, and what belongs to them but masks and boxes, which a blend of
        places does not have.
    Output shape: `(splits * batch, height, width, channels)`, in the dtype given; pixels are whole levels of 256. One
        image without a batch stays one, blended.

    Raises:
        ValueError: for an argument out of its range; at the first call for images of another number of channels, or
            for masks or boxes.

    Example:
        ```python
        clean_and_two, repeated = kt.augment.AugMix(splits=3, depth=1, seed=1)((images, labels))
        assert clean_and_two.shape == (24, 32, 32, 3)
        ```

    Reference: [Hendrycks et al., 2019](https://arxiv.org/abs/1912.02781)
    """

    def __init__(
        self,
        severity: float = 3,
        width: int = 3,
        depth: int | None = None,
        alpha: float = 1.0,
        splits: int = 1,
        all_operations: bool = False,
        fill: float | str | None = None,
        **kwargs: Any,
    ):
        super().__init__(fill, **kwargs)
        self.severity = checks.positive("severity", severity)
        if self.severity > STRONGEST:
            raise checks.fail("severity", f"above 0, up to {STRONGEST}", severity)
        self.width = checks.count("width", width)
        self.depth = checks.optional_count("depth", depth)
        if self.depth is not None and self.depth > LONGEST:
            raise checks.fail("depth", f"None, or from 1 to {LONGEST}", depth)
        self.alpha = checks.positive("alpha", alpha)
        self.splits = checks.count("splits", splits)
        self.all_operations = checks.flag("all_operations", all_operations)
        self.copies = self.splits

    @property
    def operations(self) -> tuple[str, ...]:
        """Those to draw from."""
        return OPERATIONS + MORE_OPERATIONS if self.all_operations else OPERATIONS

    def chances(self) -> list[dict[str, float]]:
        """All the same; later slots may be left out."""
        return [
            dict.fromkeys(self.operations, reached / len(self.operations))
            for reached in ([1.0] * self.depth if self.depth else [1.0, 2 / 3, 1 / 3])
        ]

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The slots of all chains, of one version after another, and the weights of the blends, versions first."""
        count, versions = shape[0], max(self.splits - 1, 1)
        chain_key, keep_key, weight_key = random.split(seed, 3)
        draws = random.uniform(chain_key, (versions * self.width * count, 1 + 3 * LONGEST))
        length = 1.0 + ops.floor(draws[:, 0] * LONGEST)
        operations, drawn_amounts = [], []
        for slot in range(self.depth or LONGEST):
            own, strength, sign = (draws[:, 1 + 3 * slot + part] for part in range(3))
            operation = drawn_operations(self.operations, own)
            if self.depth is None:
                operation = ops.where(length > slot, operation, ops.zeros_like(operation))
            strength = (LEAST + (self.severity - LEAST) * strength) * (1 / STRONGEST)
            amount = amounts(AMOUNTS, operation, strength, sign < 0.5)
            operations.append(operation)
            drawn_amounts.append(ops.where(operation == NUMBERS["Posterize"], -ops.floor(-amount), amount))
        keep, _ = random.beta(keep_key, (versions, count), self.alpha, self.alpha)
        weights = self._weights(weight_key, (versions, count))
        return self.slots(operations, drawn_amounts, shape) | {"weights": weights, "keep": keep}

    def spare(self, params: Params, touched: Tensor) -> Params:
        """A blend in which the image itself is all."""
        return params | {"keep": params["keep"] * ops.cast(touched, "float32")}

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The blended levels, all versions one after another."""
        count, *size = ops.shape(levels)
        versions = max(self.splits - 1, 1)
        # All chains are one batch: a graph of one chain, not of as many as there are.
        chains = self.after_slots(ops.concatenate([levels] * (versions * self.width), axis=0), params)
        chains = ops.reshape(chains, (versions, self.width, count, *size))
        mixed = ops.reshape(self._mixed(levels, chains, params), (versions * count, *size))
        return ops.concatenate([levels, mixed], axis=0) if self.splits > 1 else mixed

    def _mixed(self, levels: Tensor, chains: Tensor, params: Params) -> Tensor:
        """The uint8 levels blended with chains, (versions, width, ...); for each version."""
        if ops.is_torch(levels):
            from keras_tricks.augment._torch_colors import mixed_chains

            if (mixed := mixed_chains(levels, chains, params["weights"], params["keep"])) is not None:
                return mixed
        chains, image = ops.cast(chains, "float32"), ops.cast(levels, "float32")[None]
        blended = sum(
            params["weights"][:, chain][..., None, None, None] * chains[:, chain] for chain in range(self.width)
        )
        mixed = image + params["keep"][..., None, None, None] * (blended - image)
        return ops.cast(ops.clip(ops.floor(mixed + ROUNDING), 0.0, 255.0), "uint8")

    def transform(self, batch: Batch, params: Params) -> Batch:
        """The images blended; everything else as often as they are."""
        for name in ("segmentation_masks", "bounding_boxes"):
            if batch.get(name) is not None:
                raise ValueError(f"AugMix does not handle `{name}`: a blend of several places has none.")
        changed = super().transform({"images": batch["images"]}, params)
        if self.splits == 1:
            return dict(batch) | changed
        repeated = {name: map_arrays(self._repeat, part) for name, part in batch.items() if name != "images"}
        return {name: changed[name] if name == "images" else repeated[name] for name in batch}

    def _choose(self, changed: Tensor, original: Tensor, params: Params) -> Tensor:
        if self.splits == 1 or changed is original:
            return super()._choose(changed, original, params)
        clean = ops.zeros(ops.shape(original)[:1], "bool")
        touched = params.get("touched_floats", ops.logical_not(clean))
        touched = ops.concatenate([clean] + [touched] * (self.splits - 1), axis=0)
        return super()._choose(changed, self._repeat(original), {"touched_floats": touched})

    def _weights(self, key: Tensor, size: tuple[Any, Any]) -> Tensor:
        """Dirichlet(alpha, ..., alpha), (versions, width, batch): a stick broken at draws from Beta laws."""
        weights, rest = [], ops.zeros(size, "float32") + 1.0
        for others, part_key in zip(range(self.width - 1, 0, -1), random.split(key, self.width), strict=False):
            part, left = random.beta(part_key, size, self.alpha, self.alpha * others)
            weights.append(rest * part)
            rest = rest * left
        return ops.stack([*weights, rest], axis=1)

    def _repeat(self, part: Any) -> Any:
        return part if not getattr(part, "shape", ()) else ops.concatenate([part] * self.splits, axis=0)
