"""Which numbers an optimizer keeps beside each weight, whoever wrote it."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_tricks.optimizers._state import Unowned, keys

KERAS_MOMENTA = ("momentum", "m")  # the last word in the names of Keras' own (Adamax says m)


def chain(optimizer: Any) -> Iterator[Any]:
    """`optimizer` and all that stand inside it, the outermost first."""
    yield optimizer
    inner = getattr(optimizer, "inner_optimizer", None)
    for one in [inner] if inner is not None else list(getattr(optimizer, "optimizers", [])):
        yield from chain(one)


@contextlib.contextmanager
def recorded(optimizer: keras.optimizers.Optimizer) -> Iterator[Unowned]:
    """Within it `optimizer` is built: what comes are pairs of a key of a variable, and a slot made beside it."""
    found = Unowned()
    levels = list(chain(optimizer))
    for level in levels:
        # Past Keras' tracking of attributes; both are methods of the class that make one slot.
        vars(level)["add_variable_from_reference"] = _recording(level.add_variable_from_reference, found)
        if hasattr(level, "add_slot"):
            vars(level)["add_slot"] = _recording(level.add_slot, found)
    try:
        yield found
    finally:
        for level in levels:
            vars(level).pop("add_variable_from_reference", None)
            vars(level).pop("add_slot", None)


def _recording(make: Callable[..., Any], found: Unowned) -> Callable[..., Any]:
    def recording(reference_variable: Any, *arguments: Any, **keywords: Any) -> Any:
        slot = make(reference_variable, *arguments, **keywords)
        found.items.extend((key, slot) for key in keys(reference_variable))
        return slot

    return recording


def momenta(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The running means of gradients by which `optimizer`, which is built, moves."""
    found = []
    for level in chain(optimizer):
        if hasattr(level, "inner_optimizer"):
            continue
        names = getattr(level, "momentum_slots", KERAS_MOMENTA)
        found += [v for v in level.variables if v.shape and v.name.rpartition("_")[2] in names]
    return found
