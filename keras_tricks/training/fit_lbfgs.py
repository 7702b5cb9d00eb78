"""Full-batch training by L-BFGS."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks, feeding
from keras_tricks.training import _loss
from keras_tricks.training._full_batch import FullBatch
from keras_tricks.training._lbfgs_fit import LBFGSFit

# Two evaluations at the same weights differ by their last digits where sums are not taken in the same order each time.
SAME_OBJECTIVE, SAME_GRADIENT = 1e-6, 1e-3


def fit_lbfgs(
    model: keras.Model,
    x: Any,
    y: Any,
    loss: Any = None,
    max_iterations: int = 200,
    tolerance: float = 1e-8,
    sample_weight: Any = None,
    batch_size: int | None = None,
    training: bool = True,
    memory: int = 10,
    verbose: int | str = "auto",
) -> LBFGSFit:
    """TODO."""
    minimize = _minimize()
    checks.count("max_iterations", max_iterations)
    checks.positive("tolerance", tolerance)
    checks.optional_count("batch_size", batch_size)
    checks.one_of("training", training, (True, False))
    checks.count("memory", memory)
    loss_function = _loss_function(model, loss)
    data = feeding.arrays("x, y, sample_weight", (x, y, sample_weight))
    data = keras.tree.map_structure(_narrow, data)
    if batch_size is not None and batch_size < feeding.sample_count(data):
        _loss.check_means(model, "batch_size") if loss is None else _loss.check_mean(loss_function, "batch_size")
    _build(model, data, loss_function)
    if not model.trainable_variables:
        raise ValueError(f"`model` must have trainable weights. Received: model={model!r}")
    objective = FullBatch(model, data, batch_size, loss_function, training)
    start = objective.vector
    try:
        first = objective(start)
        if not np.isfinite(first[0]):
            raise ValueError(f"`model` must give a finite loss at first. Received: a loss of {first[0]}")
        _warn_of_noise(first, objective.evaluate(start))
        history = [first[0]]
        progress = keras.utils.Progbar(
            max_iterations, verbose=1 if verbose else 0, unit_name="iteration", stateful_metrics=["objective", "slope"]
        )

        def after_iteration(intermediate_result: Any) -> None:
            history.append(float(intermediate_result.fun))
            _, gradient = objective(intermediate_result.x)
            values = [("objective", history[-1]), ("slope", float(np.abs(gradient).max()))]
            progress.update(len(history) - 1, values, finalize=len(history) > max_iterations)

        options = {"maxiter": max_iterations, "maxfun": 2**31 - 1, "ftol": tolerance, "gtol": tolerance}
        found = minimize(
            objective, start, jac=True, method="L-BFGS-B", callback=after_iteration, options=options | {"maxcor": memory}
        )
    finally:
        objective.take_best()
    path = np.array(history)
    path.setflags(write=False)
    lowest = objective.best[0] if objective.best is not None else history[0]
    result = LBFGSFit(lowest, len(history) - 1, objective.evaluations, bool(found.success), str(found.message), path)
    if verbose:
        print(f"\n{result}" if len(history) <= max_iterations else result)
    return result


def _minimize() -> Callable[..., Any]:
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise ImportError('`fit_lbfgs` needs SciPy: pip install "keras-tricks[lbfgs]"') from error
    return minimize


def _loss_function(model: keras.Model, loss: Any) -> Callable[..., Any] | None:
    """`loss` as a mean over samples; None where it is the model's own."""
    if loss is None:
        if not getattr(model, "compiled", False):
            raise ValueError(f"`model` must be compiled, or `loss` given. Received: model={model!r}, loss=None")
        return None
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        return loss
    if not callable(loss):
        raise checks.fail("loss", "one loss, by its name or as an object or function, or None", loss)
    return _MeanOf(loss)


class _MeanOf(keras.losses.Loss):
    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)


def _build(model: keras.Model, data: Any, loss: Any) -> None:
    """Has the model make its variables, and its compiled loss those that it has for several outputs."""
    first = feeding.chosen(data, slice(0, 1))
    if loss is not None or not model.built:
        model(first[0], training=False)
    if loss is None:
        _loss.compiled_loss(model, first, training=False)
        model.reset_metrics()


def _narrow(array: np.ndarray) -> np.ndarray:
    """Keras' own type in place of float64, as in `fit`."""
    return array.astype(keras.config.floatx()) if array.dtype == "float64" else array


def _warn_of_noise(first: tuple[float, np.ndarray], second: tuple[float, np.ndarray]) -> None:
    """Warns if two evaluations at the same weights differ: each step is planned by differences of them."""
    objectives, gradients = zip(first, second, strict=True)
    change = np.linalg.norm(gradients[0] - gradients[1])
    if np.isclose(*objectives, rtol=SAME_OBJECTIVE, atol=SAME_OBJECTIVE) and change <= SAME_GRADIENT * np.linalg.norm(
        gradients[0]
    ):
        return
    warnings.warn(
        f"The objective is noisy: at the same weights it was {objectives[0]:.8g} and then {objectives[1]:.8g}. L-BFGS "
        "takes noise for curvature and ends early. Give `training=False`, or take dropout and augmentations out.",
        stacklevel=3,
    )
