"""How a callback or a trainer meets an optimizer that keeps an average of the weights, without importing it.

Such an optimizer, the *keeper*, has `follow(variables)`, `follow_when_built(find)`, `average_statistics()`, `average`,
`swap_in(beside)`, `give_back()` and `swapped`. It may stand inside other wrappers: `find_keeper` looks for it down the
chain of `inner_optimizer`.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras


def find_keeper(optimizer: Any) -> Any | None:
    """The outermost optimizer that keeps an average of the weights, or None."""
    while optimizer is not None and not hasattr(optimizer, "swap_in"):
        optimizer = getattr(optimizer, "inner_optimizer", None)
    return optimizer


def statistics(model: keras.Model) -> list[keras.Variable]:
    """What training moves and gradients do not: BatchNorm's moving mean and variance, not seeds and counters."""
    return [variable for variable in model.non_trainable_variables if "float" in variable.dtype]


def average_statistics_of(model: keras.Model) -> None:
    """Has the keeper of `model` average its statistics, too, in each step of `fit`."""
    keeper, news = find_keeper(model.optimizer), False
    if keeper is not None and model.built:
        news = keeper.follow(statistics(model))
    elif keeper is not None:
        keeper.follow_when_built(lambda: statistics(model))
    if not getattr(model, "averages_statistics", False):
        if keras.backend.backend() == "jax":
            model.train_step = _averaging_statistics(model, model.train_step)
        model.averages_statistics = news = True
    if news:
        model.make_train_function(force=True)


def _averaging_statistics(model: keras.Model, train_step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(train_step)
    def wrapped(state: Any, data: Any) -> Any:
        logs, state = train_step(state, data)
        return logs, after_jax_step(model, state)

    return wrapped


def after_jax_step(model: keras.Model, state: tuple) -> tuple:
    """The `state` that `model.train_step` returned on JAX, with the average of the statistics brought up to date.

    On TensorFlow and torch an optimizer reads the statistics itself. Inside JAX's compiled step it cannot: they are
    values that pass by, and only whoever runs the step holds them.
    """
    keeper = find_keeper(model.optimizer)
    if keeper is None:
        return state
    trainable, non_trainable, optimizer, *rest = state
    values = [*zip(model.optimizer.variables, optimizer, strict=True)]
    values += zip(model.non_trainable_variables, non_trainable, strict=True)
    with keras.StatelessScope(state_mapping=values) as scope:
        keeper.average_statistics()
    return trainable, non_trainable, [scope.get_current_value(v) for v in model.optimizer.variables], *rest


@contextlib.contextmanager
def given_back_on_error(model: keras.Model, training: bool = False) -> Iterator[None]:
    """Around `fit` (`training`), `evaluate` or `predict`: if they fail, the model gets its raw weights back.

    Not where `evaluate` or `predict` already found the average in the model: somebody wants it there.
    """
    keeper = find_keeper(getattr(model, "optimizer", None))
    held_before = keeper is not None and keeper.swapped and not training
    try:
        yield
    except BaseException:
        if keeper is not None and keeper.swapped and not held_before:
            settle(model)
            keeper.give_back()
        raise


def settle(model: keras.Model) -> None:
    """Has JAX's loop, which an error may have ended, store the values it holds: now, and not over others later."""
    callback = keras.callbacks.Callback()
    callback.set_model(model)
    with contextlib.suppress(Exception):
        _ = callback.model  # by this property
