"""How jitters of colour work: brightness, contrast, saturation and hue, in an order drawn for each image."""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np

from keras_tricks._core import checks, ops, random
from keras_tricks.augment import _hue, _levels
from keras_tricks.augment._base import Params, Tensor
from keras_tricks.augment._color import LEVELS, ColorAugmentation

STEPS = ("brightness", "contrast", "saturation", "hue")
HUE_METHODS = ("hsv", "linear")
Span = float | tuple[float, float]


class JitterAugmentation(ColorAugmentation):
    """Base of the jitters: a trick's constructor calls `set_spans`.

    Args:
        **kwargs: `rate`, `seed`, `data_format`, `value_range`: see `BatchAugmentation`.
    """

    channels: ClassVar[tuple[int, ...]] = (1, 3)
    hue_method = "hsv"

    def set_spans(self, brightness: Span, contrast: Span, saturation: Span, hue: Span) -> None:
        """Checks and keeps the ranges of the four steps."""
        self.brightness = checks.span("brightness", brightness, 0)
        self.contrast = checks.span("contrast", contrast, 0)
        self.saturation = checks.span("saturation", saturation, 0)
        self.hue = checks.span("hue", hue, -0.5 if isinstance(hue, (tuple, list)) else 0, 0.5)

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """The ranges of the factors, and of the turns, of the steps that change something."""
        spans = {}
        for step in STEPS:
            value, neutral = getattr(self, step), 0.0 if step == "hue" else 1.0
            if not isinstance(value, tuple):
                value = (neutral - value, neutral + value) if step == "hue" else (max(0.0, 1 - value), 1 + value)
            if value != (neutral, neutral):
                spans[step] = value
        return spans

    def sample(self, shape: tuple[Any, ...], seed: Tensor) -> Params:
        """Of each step that changes something how much, and its `place` in the order, 0 for the first."""
        spans, count = self.spans, len(self.spans)
        draws = random.uniform(seed, (shape[0], 2 * max(count, 1)))
        keys = draws[:, count : 2 * count]
        # A step comes after those of smaller keys; of equal ones, after those before it in the list.
        after = ops.logical_or(
            keys[:, None, :] < keys[:, :, None],
            ops.logical_and(keys[:, None, :] == keys[:, :, None], ops.constant(np.tri(count, k=-1) > 0, draws)),
        )
        places = ops.sum(ops.cast(after, "int32"), axis=-1)
        params = {"place": {step: places[:, index, None, None] for index, step in enumerate(spans)}}
        for index, (step, span) in enumerate(spans.items()):
            params[step] = random.spread(draws[:, index, None, None], span)
        return params

    def change_levels(self, levels: Tensor, params: Params) -> Tensor:
        """The images after all steps."""
        if ops.is_torch(levels):
            from keras_tricks.augment._torch_colors import jittered

            if (jittered_levels := jittered(levels, params, self._changed)) is not None:
                return jittered_levels
        planes = _levels.split(levels)
        mean: Callable[[Tensor], Tensor] = _mean
        if "contrast" in params["place"] and not (ops.is_torch(levels) or ops.in_tensorflow_graph()):
            # Compiled, a pass more for the mean is cheaper than one that is interrupted by a mean in every place.
            measured = _mean(_gray(self._planes_after(planes, self._before_contrast(params), mean)))
            mean = partial(_given, measured)
        return _levels.join(self._planes_after(planes, params, mean))

    def spare(self, params: Params, touched: Tensor) -> Params:
        """Factors of 1 and no turns."""
        share = ops.cast(touched, "float32")[:, None, None]
        return params | {step: _toward(params, step, share) for step in self.spans}

    def _changed(self, planes: Tensor, step: str, amount: Any) -> Tensor:
        """Torch's planes, (..., channels, height, width), after one step; `amount` a number or (batch, 1, 1, 1)."""
        if step == "brightness":
            return planes.mul_(amount).clamp_(0.0, LEVELS)
        from keras_tricks.augment._torch_colors import gray_of, shift_hue

        channels = planes.unbind(-3)
        if len(channels) == 1 and step != "contrast":
            return planes
        if step == "hue":
            if len(self.spans) > 1:
                planes.clamp_(0.0, LEVELS)  # as after any other step
            if self.hue_method == "hsv":
                return shift_hue(planes, amount)
            turns = ops.zeros_like(planes[..., 0, :1, :1]) + (amount if isinstance(amount, float) else amount[:, 0])
            return ops.stack(self._turned(list(channels), turns), axis=-3)
        other = gray_of(channels).unsqueeze(-3)
        if step == "contrast":
            other = other.mean((-2, -1), keepdim=True)
        return planes.mul_(amount).add_(other * (1.0 - amount)).clamp_(0.0, LEVELS)

    def _turned(self, planes: _hue.Planes, turns: Any) -> _hue.Planes:
        if self.hue_method == "hsv":
            return _hue.shift_hue(planes, turns)
        return [ops.clip(plane, 0.0, LEVELS) for plane in _hue.rotate_hue(planes, turns)]

    def _before_contrast(self, params: Params) -> Params:
        """The steps but for the contrast, in their order; those that come after it change nothing."""
        places = dict(params["place"])
        limit = places.pop("contrast")
        ranks = {step: own - ops.cast(own > limit, "int32") for step, own in places.items()}
        amounts = {step: _toward(params, step, ops.cast(own < limit, "float32")) for step, own in places.items()}
        return {"place": ranks} | amounts

    def _planes_after(self, planes: _hue.Planes, params: Params, mean: Callable[[Tensor], Tensor]) -> _hue.Planes:
        """The channels after all steps; `mean` is that of a gray.

        Every place in the order exists twice, before the hue's and after it, so that the hue is computed once; where
        an image has no step it is multiplied by 1.
        """
        places = params["place"]
        count = len(places)
        if "hue" not in places or len(planes) == 1:
            for place in range(count):
                planes = _step(planes, params, mean, {step: own == place for step, own in places.items()})
            return planes
        hue = places["hue"]
        for place in range(count - 1):
            before = place < hue
            planes = _step(planes, params, mean, {step: (own == place) & before for step, own in places.items()})
        planes = self._turned(planes, params["hue"])
        for place in range(1, count):
            after = place > hue
            planes = _step(planes, params, mean, {step: (own == place) & after for step, own in places.items()})
        return planes


def _step(
    planes: _hue.Planes, params: Params, mean: Callable[[Tensor], Tensor], chosen: dict[str, Tensor]
) -> _hue.Planes:
    """One place in the order: brightness, contrast or saturation, whichever is `chosen` for an image."""
    change = {step: ops.cast(chosen[step], "float32") * (params[step] - 1.0) for step in chosen if step != "hue"}
    if not change:
        return planes
    scale = 1.0 + sum(change.values())
    gray = _gray(planes) if set(change) - {"brightness"} else None
    offset = None
    if "contrast" in change:
        offset = -change["contrast"] * mean(gray)
    if "saturation" in change:
        toward_gray = -change["saturation"] * gray
        offset = toward_gray if offset is None else toward_gray + offset
    levels = [scale * plane for plane in planes]
    return [ops.clip(level if offset is None else level + offset, 0.0, LEVELS) for level in levels]


def _toward(params: Params, step: str, share: Tensor) -> Tensor:
    """The amount of a step at a share of 1, what changes nothing at 0."""
    neutral = 0.0 if step == "hue" else 1.0
    return neutral + share * (params[step] - neutral)


def _given(mean: Tensor, gray: Tensor) -> Tensor:
    return mean


def _mean(gray: Tensor) -> Tensor:
    gray = ops.once(gray)  # XLA is several times slower in a sum over what it computes along the way
    total = _levels.over_pixels(ops.sum, operator.add, gray[..., None])[..., 0]
    return total / (ops.number(ops.shape(gray)[1]) * ops.number(ops.shape(gray)[2]))


def _gray(planes: _hue.Planes) -> Tensor:
    if len(planes) == 1:
        return planes[0]
    red, green, blue = (weight * plane for weight, plane in zip(_levels.GRAY_WEIGHTS, planes, strict=True))
    return red + green + blue
