"""What `--augment` says: names and calls, read without importing the classes (that would import Keras, too early)."""

import argparse
import ast
import dataclasses
import functools
import importlib.util
import pathlib
from typing import Any

# Shorter than the class's name without "Random".
NICKNAMES = {
    "blur": "GaussianBlur",
    "brightness": "RandomBrightnessContrast",
    "jitter": "ColorJitter",
    "noise": "GaussianNoise",
    "repeat": "RepeatedAugmentation",
}
NO_TRICKS = ("BatchAugmentation", "Sequence")


@dataclasses.dataclass(frozen=True)
class Call:
    """A class of `keras_tricks.augment`, called by its name, and the arguments given.

    Args:
        class_name: As it is exported.
        text: As it was written.
        args: Values; those that are augmentations themselves are calls, or lists of them.
        kwargs: The same, by name.
    """

    class_name: str
    text: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)


@functools.lru_cache(maxsize=1)
def class_names() -> tuple[str, ...]:
    """The tricks that `keras_tricks.augment` exports, read off its source."""
    folder = importlib.util.find_spec("keras_tricks.augment").submodule_search_locations[0]  # type: ignore[union-attr,index]
    tree = ast.parse((pathlib.Path(folder) / "__init__.py").read_text(encoding="utf-8"))
    exported = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    return tuple(name for name in exported if name not in NO_TRICKS)


def short_name(class_name: str) -> str:
    """`erasing` for RandomErasing, `cutmix` for CutMix."""
    return class_name.removeprefix("Random").lower()


@functools.lru_cache(maxsize=1)
def known() -> dict[str, str]:
    """Every name that is understood, in lower case, and the class that it means."""
    names = {name.lower(): name for name in class_names()}
    nicknames = {short: name for short, name in NICKNAMES.items() if name in class_names()}
    return nicknames | {short_name(name): name for name in class_names()} | names


def parse(text: str) -> tuple[Call, ...]:
    """The calls in `flip, RandomErasing(rate=1), RandomChoice([mixup, cutmix])`; none in `none`.

    Raises:
        ValueError: for what is no list of names and calls, and for a name that is not known.
    """
    if text.strip() in ("", "none"):
        return ()
    try:
        body = ast.parse(f"[{text}]", mode="eval").body
    except (SyntaxError, ValueError):
        raise _unreadable(text) from None
    if not isinstance(body, ast.List):
        raise _unreadable(text)
    calls = tuple(map(_call, body.elts))
    texts = [call.text for call in calls]
    if len(set(texts)) < len(texts):
        raise ValueError(f"named twice: {text}")
    return calls


def _unreadable(text: str) -> ValueError:
    return ValueError(f"cannot be read: {text}. Write names or calls: flip, RandomErasing(rate=1)")


def _call(node: ast.AST) -> Call:
    text = ast.unparse(node)
    name, args, keywords = (node.func, node.args, node.keywords) if isinstance(node, ast.Call) else (node, [], [])
    if not isinstance(name, ast.Name) or any(keyword.arg is None for keyword in keywords):
        raise _unreadable(text)
    class_name = known().get(name.id.lower().replace("_", ""))
    if class_name is None:
        raise ValueError(f"unknown: {name.id}. Choose from {choices()}, or none")
    kwargs = {str(keyword.arg): _value(keyword.value) for keyword in keywords}
    return Call(class_name, text, tuple(map(_value, args)), kwargs)


def _value(node: ast.AST) -> Any:
    if isinstance(node, (ast.Name, ast.Call)):
        return _call(node)
    if isinstance(node, (ast.List, ast.Tuple)):
        values = [_value(entry) for entry in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise ValueError(f"not a plain value: {ast.unparse(node)}") from None


def parse_argument(text: str) -> tuple[str, ...]:
    """The calls in the value of an option, each as it is written."""
    try:
        return tuple(call.text for call in parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def choices() -> str:
    """The short names, for a message."""
    return ", ".join(sorted(map(short_name, class_names())))
