"""RandomFlip."""

from typing import Any

from keras_tricks._core import checks, random
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._flipping import AXES, FlippingAugmentation


class RandomFlip(FlippingAugmentation):
    """Mirrors images left-right, top-down, or both, each axis by a draw of its own.

    Helps when: a mirrored image is as likely as the original: most photographs, horizontally.
    Hurts when: the direction matters: text, digits, traffic signs.
    Cost: one pass over the batch for each axis, in the dtype it has.

    Args:
        horizontal: Whether to mirror left and right.
        vertical: Whether to mirror top and bottom.
        rate: Probability of a flip along each axis, 0.5 by default.
        **kwargs: `seed`, `data_format`, `bounding_box_format`: see `BatchAugmentation`.

    Input shape: images `(batch, height, width, channels)`, and whatever belongs to them.
    Output shape: the same, in the dtype given.

    Raises:
        ValueError: if neither axis is chosen, or by anything else than True or False: `RandomFlip("vertical")` is
            Keras' way; here it is `RandomFlip(horizontal=False, vertical=True)`.

    Example:
        ```python
        flipped = kt.augment.RandomFlip(seed=1)(images)
        assert keras.backend.standardize_dtype(flipped.dtype) == "uint8"
        ```

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824)
    """

    def __init__(self, horizontal: bool = True, vertical: bool = False, rate: float = 0.5, **kwargs: Any):
        super().__init__(rate=rate, **kwargs)
        self.horizontal = checks.flag("horizontal", horizontal)
        self.vertical = checks.flag("vertical", vertical)
        if not (self.horizontal or self.vertical):
            raise ValueError(
                f"`horizontal` or `vertical` must be True. Received: horizontal={horizontal!r}, vertical={vertical!r}"
            )

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Whether to mirror each image along each axis."""
        flips = random.bernoulli(seed, (shape[0], 2), self.rate)
        drawn = {name: flips[:, place] for place, name in enumerate(AXES) if getattr(self, name)}
        return drawn | {"height": shape[1], "width": shape[2]}
