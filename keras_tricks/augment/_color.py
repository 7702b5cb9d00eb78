"""How the augmentations work that change colours: in levels of 0 to 255, whatever the `value_range`; no pixel moves."""

from typing import Any, ClassVar

from keras_tricks._core import ops, random
from keras_tricks.augment import _levels
from keras_tricks.augment._base import BatchAugmentation, Params, Tensor

LEVELS = 255.0


class ColorAugmentation(BatchAugmentation):
    """Base of the augmentations of colour: a trick writes `sample` and `change_levels`.

    Images come in `value_range` and go out in it, clipped to it where they are not uint8; masks and boxes stay as they
    are.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.
    """

    keeps_places = True
    works_in_parts = True
    # Whether a trick that `keeps_dtype` is for whole levels only, and does not round floats itself.
    rounds_levels = True
    # Whether levels may come out of 0 to 255, so that they are clipped.
    clips_levels = True
    # The numbers of channels for which the trick has a meaning; None for any.
    channels: ClassVar[tuple[int, ...] | None] = None
    # Whether the trick has to know the number of channels, also where it takes any.
    asks_for_channels = False

    def draw_changed(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Which images to change, `(batch, 1, 1, 1)`: all that is random where a trick has no numbers of its own."""
        if self.rate == 1:
            return {}
        changed = random.bernoulli(seed, (shape[0], 1, 1, 1), self.rate)
        return {"changed": changed} | ({"touched_floats": changed[:, 0, 0, 0]} if self.rounds_floats else {})

    def where_changed(self, params: Params, new: Tensor, old: Tensor) -> Tensor:
        """`new` for the images that `draw_changed` drew, `old` for the others."""
        return ops.where(params["changed"], new, old) if "changed" in params else new

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images in levels, (batch, height, width, channels), changed as `params` says; clipped afterwards.

        The levels are float32; where the class `keeps_dtype` they may be uint8 as well.
        """
        raise NotImplementedError(f"{type(self).__name__} must write `change_levels`")

    def transform_images(self, images: Tensor, params: Params) -> Tensor:
        """The images, their colours changed."""
        self._check_channels(images)
        if self.keeps_dtype and _levels.is_uint8(images):
            return self.change_levels(images, params)
        levels = self.to_levels(ops.cast(images, "float32"))
        if self.keeps_dtype and self.rounds_levels:
            levels = _levels.whole(levels)
        changed = self.change_levels(levels, params)
        if _levels.is_uint8(changed) and _levels.are_cast_later(images) and self.value_range == (0, LEVELS):
            return changed
        if _levels.is_uint8(changed):
            changed = ops.cast(changed, "float32")
        elif self.clips_levels:
            changed = _levels.clipped(changed, levels, self._is_ours)
        changed = self.from_levels(changed)
        return _levels.as_pixels(changed, images.dtype) if self.keeps_dtype else changed

    def _check_channels(self, images: Tensor) -> None:
        if self.channels is None and not self.asks_for_channels:
            return
        if self.known_channels(images) not in (self.channels or (images.shape[-1],)):
            raise ValueError(
                f"{type(self).__name__} takes images of {' or '.join(map(str, self.channels or ()))} channels. "
                f"Received: images of shape {tuple(images.shape)}"
            )

    def to_levels(self, images: Tensor) -> Tensor:
        """Pixels in `value_range` as levels of 0 to 255."""
        low, high = self.value_range
        return images if (low, high) == (0, LEVELS) else (images - low) * (LEVELS / (high - low))

    def from_levels(self, levels: Tensor) -> Tensor:
        """Levels of 0 to 255 as pixels in `value_range`."""
        low, high = self.value_range
        return levels if (low, high) == (0, LEVELS) else levels * ((high - low) / LEVELS) + low
