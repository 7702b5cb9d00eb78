"""CutOut."""

from typing import Any

from keras_tricks._core import checks, ops, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._erasing import ErasingAugmentation, lines_between


class CutOut(ErasingAugmentation):
    """Covers a square of fixed size in each image.

    Its centre is uniform over the pixels of the image; what stands out over the border is cut off, so that less than
    the whole square is covered near it.

    Helps when: the model overfits and looks at one part of the object only; the paper claims half a point to a
    point of accuracy on CIFAR-10 (16 of 32 pixels), half a point on CIFAR-100 (8 pixels).
    Hurts when: small objects decide the class: the square may hide them.
    Cost: one pass over the batch, in the dtype it has.

    Args:
        size: Height and width in pixels, at least 1 each; an integer for a square.
        fill: "black", the low end of `value_range`; a number or colour in its units; or "pixel", "color", "normal" as
            in `RandomErasing`.
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them: masks and boxes stay.
    Output shape: the same, in the dtype given.

    Raises:
        ValueError: for an argument out of its range; for a colour that has not one number for each channel.

    Example:
        ```python
        covered = kt.augment.CutOut(16, seed=1)(images)
        assert (np.asarray(covered) == 0).all(-1).any((1, 2)).all()
        ```

    Reference: [DeVries and Taylor, 2017](https://arxiv.org/abs/1708.04552)
    """

    def __init__(self, size: int | tuple[int, int], fill: str | float | tuple[float, ...] = "black", **kwargs: Any):
        super().__init__(fill, **kwargs)
        self.size = checks.size("size", size)

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """The lines of each image's square."""
        centre_seed, fill_seed = random.split(seed, 2)
        centres = ops.once(random.uniform(centre_seed, (shape[0], 2)))
        lines = {}
        for axis, name in enumerate(("rows", "columns")):
            first = ops.cast(ops.floor(centres[:, axis : axis + 1] * ops.number(shape[1 + axis])), "int32")
            length = ops.zeros_like(first) + self.size[axis]
            lines[name] = lines_between(shape[1 + axis], first - self.size[axis] // 2, length)
        return lines | self.draw_filling(shape, fill_seed)
