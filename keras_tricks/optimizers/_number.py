"""Numbers of an optimizer that may move while it trains, inside the compiled step."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core.moving import KerasSchedule, peak_of, value_at


class Number:
    """An attribute of an optimizer that works as Keras' `learning_rate` does, for any number.

    A number becomes a variable of the optimizer: it may be read and set at any time, also by a callback, and the
    compiled step follows. A schedule is asked at each update, and cannot be set. 0 switches off what it is the strength
    of, and that cannot be undone: nothing is kept for it.

    Args:
        below: What it has to be smaller than.

    Example:
        ```python
        optimizer = kt.optimizers.SGD(0.1, momentum=0.9)  # SGD declares `momentum = Number(below=1.0)`
        optimizer.momentum = 0.8
        assert optimizer.get_config()["momentum"] == 0.8
        ```
    """

    def __init__(self, below: float = float("inf")):
        self.below = below

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else self.now(optimizer)

    def __set__(self, optimizer: Any, value: Any) -> None:
        given = self.given(optimizer)
        value = plain(value) if isinstance(value, keras.Variable) else value
        if given is None:
            vars(optimizer)[self._place] = self._kept(optimizer, value)
        elif isinstance(given, keras.Variable):
            given.assign(self._checked(value))
        elif isinstance(given, KerasSchedule):
            raise self._is_scheduled(value)
        elif self._checked(value):
            raise ValueError(f"`{self.name}` was 0 when the optimizer was made, and is fixed. "
                             f"Received: {self.name}={value!r}")  # fmt: skip

    def now(self, optimizer: Any) -> Any:
        """The variable, what the schedule says at the next update, or 0.0."""
        given = self.given(optimizer)
        if given is None:
            raise AttributeError(f"{type(optimizer).__name__} has no `{self.name}` yet")
        return value_at(given, optimizer.iterations) if isinstance(given, KerasSchedule) else given

    def _is_scheduled(self, value: Any) -> TypeError:
        return TypeError(f"`{self.name}` follows a schedule, so it cannot be set. Received: {self.name}={value!r}")

    @property
    def _place(self) -> str:
        return f"{self.name}_given"

    def given(self, optimizer: Any) -> Any:
        """The schedule, the variable, or 0.0; None before there is one."""
        return vars(optimizer).get(self._place)

    def to_save(self, optimizer: Any) -> Any:
        """The schedule, or the number as it is now."""
        given = self.given(optimizer)
        # A number that was set to 0 later has a variable, and is to have one again.
        return plain(given) or float(np.finfo("float32").tiny) if isinstance(given, keras.Variable) else given

    def is_off(self, optimizer: Any) -> bool:
        """Whether it was given as 0."""
        return isinstance(self.given(optimizer), float)

    def _checked(self, value: Any) -> float:
        value = float(ops.convert_to_numpy(value)) if ops.is_tensor(value) else value
        if not checks.is_number(value) or not 0 <= value < self.below:
            span = "not below 0" if self.below == float("inf") else f"in [0, {self.below:g})"
            raise checks.fail(self.name, f"a number {span}, or a schedule from the beginning", value)
        return float(value)

    def _kept(self, optimizer: Any, value: Any) -> Any:
        if isinstance(value, KerasSchedule):
            if peak_of(value) >= self.below:
                raise checks.fail(self.name, f"a schedule that stays below {self.below:g}", value)
            return value
        number = self._checked(value)
        if not number:
            return number
        initializer = keras.initializers.Constant(number)
        return optimizer.add_variable((), initializer, "float32", "only_first_replica", name=self.name)


class Setting(Number):
    """As `Number`, for what stays as it was made: a number is no variable, or it is a schedule and moves.

    Args:
        minimum: What it must not be smaller than.
        above: Whether it has to be larger than `minimum`.
    """

    def __init__(self, minimum: float = 0.0, above: bool = True):
        super().__init__()
        self.minimum, self.above = minimum, above

    def __set__(self, optimizer: Any, value: Any) -> None:
        if isinstance(self.given(optimizer), KerasSchedule):
            raise self._is_scheduled(value)
        vars(optimizer)[self._place] = value if isinstance(value, KerasSchedule) else self._checked(value)

    def to_save(self, optimizer: Any) -> Any:
        """The schedule, or the number."""
        return self.given(optimizer)

    def _checked(self, value: Any) -> float:
        if not checks.is_number(value) or value < self.minimum or (self.above and value == self.minimum):
            span = f"{'above' if self.above else 'not below'} {self.minimum:g}"
            raise checks.fail(self.name, f"a number {span}, or a schedule", value)
        return float(value)


class OptionalSetting(Setting):
    """As `Setting`, or None."""

    def now(self, optimizer: Any) -> Any:
        """The number, what the schedule says at the next update, or None."""
        return None if self.given(optimizer) is None else super().now(optimizer)

    def _checked(self, value: Any) -> Any:
        return None if value is None else super()._checked(value)


def plain(variable: Any) -> float:
    """The number in a variable of float32, as it was written: 0.9, and not 0.8999999761581421."""
    return float(str(np.float32(ops.convert_to_numpy(ops.convert_to_tensor(variable)))))
