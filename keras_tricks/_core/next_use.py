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
    *("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch", "compile"),
    *("call", "stateless_call", "get_weights", "set_weights", "save", "save_weights", "load_weights", "export"),
    "get_config",  # by which copies and files begin
)


class NextUse:
    """Does `action()` before the next use of `model` that is not part of the method of it that runs now.

    Uses are its methods for training, evaluation, weights and files, and calling it with numbers (not on torch under
    `jit_compile`, where it would be compiled anew each time; nor in a `keras.StatelessScope`, which would swallow what
    is assigned). Values that are read from a variable itself are none.
    """

    def __init__(self, model: keras.Model, action: Callable[[], None]):
        self._model, self._action = model, action
        self._running, self._thread = _method_of(model), threading.get_ident()
        compiled = keras.backend.backend() == "torch" and getattr(model, "jit_compile", False)
        self._uses = [name for name in USES if not (compiled and name == "call")] if self._running else []
        self._before = {name: vars(model)[name] for name in self._uses if name in vars(model)}
        for name in self._uses:
            setattr(model, name, self._guarded(name, getattr(model, name)))

    @staticmethod
    def settle(model: keras.Model) -> None:
        """Does now what is to be done before the next use of `model`, if there is anything."""
        pending = getattr(vars(model).get("stateless_call"), "next_use", None)
        if pending is not None and pending.is_over():
            pending.now()

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
            if self.is_over() and not (name in ("call", "stateless_call") and _is_part_of_another((args, kwargs))):
                self.now()
            return method(*args, **kwargs)

        guarded.next_use = self  # type: ignore[attr-defined]
        return guarded

    def is_over(self) -> bool:
        """Whether what was running has ended."""
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


def _is_part_of_another(arguments: Any) -> bool:
    """Whether the model is called to build or to compile something: nothing can be put into variables then."""
    parts = keras.tree.flatten(arguments)
    if any(isinstance(part, keras.KerasTensor) for part in parts) or _in_stateless_scope():
        return True
    backend = keras.backend.backend()
    if backend == "torch":
        return any(getattr(part, "is_meta", False) for part in parts)
    compiler = importlib.import_module(f"keras_tricks._core._{backend}_compiled")
    return any(compiler.is_traced(part) for part in parts)


def _in_stateless_scope() -> bool:
    made = []

    def initial(shape: Any, dtype: Any = None) -> Any:
        made.append(shape)
        return keras.ops.zeros(shape, dtype)

    keras.Variable(initial, shape=(), dtype="float32", name="probe")
    return not made  # there it has to wait
