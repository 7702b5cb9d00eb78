"""What is to be done before a model is next used, should what it is running now end by an error.

Keras tells a callback that an evaluation begins and that it has ended, and nothing if it fails.
"""

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import keras

USES = (
    *("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"),
    *("call", "stateless_call", "get_weights", "set_weights", "save", "save_weights", "load_weights", "export"),
)


class NextUse:
    """Does `action()` before the next use of `model` that is not part of the method of it that runs now.

    Uses are its methods for training, evaluation, weights and files, and calling it with numbers (not on torch under
    `jit_compile`, where it would be compiled anew each time). Values that are read from a variable itself are none.
    """

    def __init__(self, model: keras.Model, action: Callable[[], None]):
        self._model, self._action = model, action
        self._running, self._thread = _method_of(model), threading.get_ident()
        compiled = keras.backend.backend() == "torch" and getattr(model, "jit_compile", False)
        self._uses = [name for name in USES if not (compiled and name == "call")] if self._running else []
        self._before = {name: vars(model)[name] for name in self._uses if name in vars(model)}
        for name in self._uses:
            setattr(model, name, self._guarded(name, getattr(model, name)))

    def now(self) -> None:
        """Does what is to be done."""
        self.cancel()
        self._action()

    def cancel(self) -> None:
        """Leaves the model as it was."""
        for name in self._uses:
            delattr(self._model, name)
            if name in self._before:
                setattr(self._model, name, self._before[name])
        self._running, self._uses = None, []

    def _guarded(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self._is_over() and not (name in ("call", "stateless_call") and _is_traced((args, kwargs))):
                self.now()
            return method(*args, **kwargs)

        return guarded

    def _is_over(self) -> bool:
        frame = sys._current_frames().get(self._thread)  # another thread may be asking
        while frame is not None and frame is not self._running:
            frame = frame.f_back
        return self._running is not None and frame is None


def _method_of(model: keras.Model) -> FrameType | None:
    """The method of `model` that is running."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_locals.get("self") is not model:
        frame = frame.f_back
    return frame


def _is_traced(arguments: Any) -> bool:
    """Whether a function that calls the model is being compiled: nothing can be put into variables then."""
    backend = keras.backend.backend()
    if backend == "torch":
        return False
    compiler = importlib.import_module(f"keras_tricks._core._{backend}_compiled")
    return any(compiler.is_traced(part) for part in keras.tree.flatten(arguments))
