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
    inner = [getattr(optimizer, name, None) for name in ("inner_optimizer", "second")]  # of a `SwitchOptimizer`
    for one in [one for one in inner if one is not None] or list(getattr(optimizer, "optimizers", [])):
        yield from chain(one)


@contextlib.contextmanager
def recorded(optimizer: keras.optimizers.Optimizer) -> Iterator[Unowned]:
    """Within it `optimizer` is built: what comes are pairs of a key of a variable, and a slot made beside it."""
    found = Unowned()
    levels = list(chain(optimizer))
    for level in levels:
        # Past Keras' tracking of attributes; both are methods of the class that make one slot.
        alone: list[keras.Variable] = []
        vars(level)["add_variable_from_reference"] = _recording(level.add_variable_from_reference, found, alone)
        if not hasattr(level, "inner_optimizer"):
            vars(level)["add_variable"] = _remembering(level.add_variable, alone)
        if hasattr(level, "add_slot"):
            vars(level)["add_slot"] = _recording(level.add_slot, found, alone)
    try:
        yield found
    finally:
        for level in levels:
            for name in ("add_variable_from_reference", "add_variable", "add_slot"):
                vars(level).pop(name, None)


def _recording(make: Callable[..., Any], found: Unowned, alone: list[keras.Variable]) -> Callable[..., Any]:
    def recording(reference_variable: Any, *arguments: Any, **keywords: Any) -> Any:
        slot = make(reference_variable, *arguments, **keywords)
        # Adafactor makes its rows and columns of a variable without naming it, and then one slot that does.
        found.items.extend(
            (key, one) for key in keys(reference_variable) for one in {id(s): s for s in [*alone, slot]}.values()
        )
        alone.clear()
        return slot

    return recording


def _remembering(make: Callable[..., Any], alone: list[keras.Variable]) -> Callable[..., Any]:
    def remembering(*arguments: Any, **keywords: Any) -> Any:
        variable = make(*arguments, **keywords)
        if len(variable.shape):  # TensorFlow's shape of a number is true
            alone.append(variable)
        return variable

    return remembering


def momenta(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The running means of gradients by which `optimizer`, which is built, moves."""
    found = []
    for level in chain(optimizer):
        if hasattr(level, "inner_optimizer"):
            continue
        names = getattr(level, "momentum_slots", KERAS_MOMENTA)
        # A number of the optimizer's own may have the word alone for its name.
        found += [v for v in level.variables if "_" in v.name and v.name.rpartition("_")[2] in names]
    return found
