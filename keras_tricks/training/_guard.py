"""Keeps a model's weights through errors and interrupts on JAX, where each step hands them over to the next.

There the variables are empty while a loop runs: their arrays travel through the compiled step, which consumes the old
ones. If the loop ends by an exception, Keras can leave the variables empty or pointing at consumed arrays. The guard
remembers the newest arrays, and keeps an interrupt from falling between a step and the moment its result is stored.
"""

import contextlib
import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras


class StepGuard:
    """One for each model: wraps its step functions, watches over its loops, restores its variables."""

    def __init__(self) -> None:
        self.newest: Any = None
        self.holders: Callable[[], list[list[Any]]] = list
        self.in_step = False
        self.interrupt: Callable[[], Any] | None = None
        self.watching = False

    def wrap(
        self, function: Callable[..., Any], holders: Callable[[], list[list[Any]]], steps_per_execution: int
    ) -> Callable[..., Any]:
        """`function(state, iterator) -> (outputs, state)`, remembered and not to be interrupted between the two.

        `holders()` are the lists of variables that hold the parts of the state while no loop runs.
        """

        def step(state: Any, iterator: Iterator[Any]) -> tuple[Any, Any]:
            self.newest, self.holders = (state if self.watching else None), holders
            self.raise_interrupt()
            # Loading may take long and may fail: the state is safe while it does.
            batches = list(itertools.islice(iterator, steps_per_execution))
            if not batches:
                raise StopIteration
            self.in_step = True
            try:
                outputs, state = function(state, iter(batches))
                self.newest = state if self.watching else None
            finally:
                self.in_step = False
            return outputs, state

        return step

    @contextlib.contextmanager
    def watch(self, model: keras.Model) -> Iterator[None]:
        """The outermost loop of `model`: whatever ends it, the variables hold their newest values afterwards."""
        if self.watching:
            yield
            return
        self.watching = True
        try:
            with self._deferred_interrupts():
                yield
            self.raise_interrupt()
        except BaseException as error:
            self._restore(model)
            interrupt = _interrupt_behind(error)
            if interrupt is not None and interrupt is not error:
                raise interrupt from None
            raise
        finally:
            self.watching, self.newest, self.interrupt = False, None, None

    def raise_interrupt(self) -> None:
        """What the interrupt that came during a step would have done."""
        if self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            interrupt()

    @contextlib.contextmanager
    def _deferred_interrupts(self) -> Iterator[None]:
        previous = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(previous):
            yield
            return

        def handle(number: int, frame: Any) -> None:
            # A second interrupt is not kept waiting: somebody wants to leave now.
            if self.in_step and self.interrupt is None:
                self.interrupt = lambda: previous(number, frame)
            else:
                previous(number, frame)

        signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def _restore(self, model: keras.Model) -> None:
        # The property `model` of a callback makes Keras put back what it still holds itself.
        probe = keras.callbacks.Callback()
        probe.set_model(model)
        with contextlib.suppress(Exception):
            _ = probe.model
        if self.newest is None:
            return
        for variables, values in zip(self.holders(), self.newest, strict=True):
            for variable, value in zip(variables, values, strict=True):
                if _is_lost(variable) and not value.is_deleted():
                    variable.assign(value)


def _is_lost(variable: Any) -> bool:
    """Whether a variable is empty (it then makes up a new initial value at each look) or its array was consumed."""
    try:
        value = variable.value
    except TypeError:  # an empty variable that was made from an array
        return True
    return variable.value is not value or value.is_deleted()


def _interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that `error` is, or that it was raised in the handling of."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return error
        error = error.__context__
    return None
