"""The augmentations that `--augment` names, with what suits the images at hand."""

import inspect
from collections.abc import Sequence
from typing import Any

from keras_tricks import augment
from keras_tricks.cli import _calls
from keras_tricks.cli._calls import Call
from keras_tricks.cli._error import CommandError

# What else says, beside the arguments that would be fitted, what is done to the images.
ALSO_SAY = {"RandomAffine": {"stretch", "shear"}, "RandomCrop": {"size"}}


def build(
    names: Sequence[str], image_shape: tuple[int, ...], num_classes: int, seed: int, steps_per_epoch: int = 1
) -> list[augment.BatchAugmentation]:
    """The augmentations that `names` call, for images `(height, width, channels)`."""
    calls = [call for name in names for call in _calls.parse(name)]
    # One after the other on the same image would mix up to four: each on half of them mixes two mostly.
    both = {"MixUp", "CutMix"} <= {call.class_name for call in calls}
    mixing = {"rate": 0.5} if both else {}
    fitting = fitting_arguments(image_shape, steps_per_epoch)
    for name in ("MixUp", "CutMix"):
        fitting[name] = fitting.get(name, {}) | mixing
    return [_make(call, fitting, num_classes, seed) for call in calls]


def check_size(layers: Sequence[augment.BatchAugmentation], image_shape: tuple[int, ...]) -> None:
    """Raises unless images `(height, width, channels)` leave `layers` in the size that the model is made for."""
    height, width = image_shape[:2]
    try:
        size = augment.Sequence(layers).output_size(height, width)
    except ValueError as error:
        raise CommandError(f"--augment: {error}") from error
    if size != (height, width):
        raise CommandError(
            f"--augment must keep the size of the images, {height} x {width}, for which the model is made. "
            f"Received: what makes them {size[0]} x {size[1]}"
        )


def fitting_arguments(image_shape: tuple[int, ...], steps_per_epoch: int = 1) -> dict[str, dict[str, Any]]:
    """Arguments, by class, that suit images `(height, width, channels)` where none are given."""
    height, width = image_shape[:2]
    side, longest = min(height, width), max(height, width)
    return {
        "AlternatingFlip": {"steps_per_epoch": steps_per_epoch},
        "CenterCrop": {"size": (height, width)},
        "ColorJitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
        "CutOut": {"size": max(1, side // 2)},
        "RandomAffine": {"rotation": 15, "translation": 0.1, "scale": (0.9, 1.1)},
        "RandomCrop": {"padding": max(1, round(side / 8))},
        "RandomResizedCrop": {"size": (height, width)},
        "RandomScaleCrop": {
            "short_side": (round(longest * 256 / 224), round(longest * 480 / 224)),
            "size": (height, width),
        },
        "Resize": {"short_side": side},
        "SmallestMaxSize": {"max_size": side},
    }


def _make(call: Call, fitting: dict[str, dict[str, Any]], num_classes: int, seed: int) -> augment.BatchAugmentation:
    cls = getattr(augment, call.class_name)
    parameters = inspect.signature(cls).parameters
    args, kwargs = _made((call.args, call.kwargs), fitting, num_classes, seed)
    given = set(list(parameters)[: len(args)]) | set(kwargs)
    defaults = fitting.get(call.class_name, {})
    # Whoever says one of them says what to do to the images.
    if given & (set(defaults) | ALSO_SAY.get(call.class_name, set())):
        defaults = {name: value for name, value in defaults.items() if _is_needed(parameters.get(name))}
    defaults = {"seed": seed, "num_classes": num_classes} | defaults
    missing = {name: value for name, value in defaults.items() if name not in given}
    if "num_classes" not in parameters:
        missing.pop("num_classes", None)
    try:
        return cls(*args, **(missing | kwargs))
    except (TypeError, ValueError) as error:
        raise CommandError(f"--augment {call.text}: {error}") from error


def _is_needed(parameter: inspect.Parameter | None) -> bool:
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _made(value: Any, fitting: dict[str, dict[str, Any]], num_classes: int, seed: int) -> Any:
    """`value` with the augmentations that it calls."""
    if isinstance(value, Call):
        return _make(value, fitting, num_classes, seed)
    if isinstance(value, (list, tuple)):
        return type(value)(_made(entry, fitting, num_classes, seed) for entry in value)
    if isinstance(value, dict):
        return {name: _made(entry, fitting, num_classes, seed) for name, entry in value.items()}
    return value
