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
SAME_DIGITS, SAME_SLOPE = 1e-6, 1e-3
ROUNDING = 16  # what a mean over samples may be off by, in units of the last digit


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
    """Trains on all of the data at once, with SciPy's L-BFGS-B driving the model's loss and gradients.

    The objective is what `fit` minimises: the loss, a mean over the samples, and the penalties of the layers. It ends
    where an iteration lowers the objective by no more than `tolerance` times the larger of itself and 1, where no entry
    of the gradient is above `tolerance`, or where float32 cannot tell any more steps apart. The weights are float64 on
    SciPy's side, and the model's own type in the model.

    The model is left with the best weights that were found, also after an error or Ctrl-C. The compiled optimizer has
    no part in it. What the model counts and draws in training moves on with each evaluation, as with each step of
    `fit`: seeds, and BatchNormalization's moving statistics, which so lag behind the weights.

    Helps when: the model and the data are small, and the optimum itself is wanted: logistic regression, calibration,
    physics-informed networks, a last layer on features. There it needs no learning rate, and tens of evaluations.
    Hurts when: the loss is noisy (dropout, augmentations: it warns), or the data are many and alike: a mini-batch tells
    the same for less. Cost: one or two evaluations an iteration, each like a step on all the data; `2 * memory` copies
    of the weights in float64, on the host.

    Args:
        model: A Keras model, a `kt.Trainer` included: its augmentations are then part of the objective.
        x: An array, or a list or dict of them, as in `fit`.
        y: The targets.
        loss: None for the compiled one; or a loss for a model of one output, which then need not be compiled.
        max_iterations: When to end at the latest, at least 1.
        tolerance: See above, a number above 0.
        sample_weight: None, or the weight of each sample.
        batch_size: None for all samples at once, or how many go through the model at once: their losses and gradients
            are summed up to those of all, if the loss is a mean over samples. BatchNormalization sees the batches.
        training: Whether the model is called as in training, or as in `evaluate`: without dropout and augmentations,
            with BatchNormalization's moving statistics, which then stay.
        memory: How many steps the curvature is estimated from.
        verbose: 0 for silence, 1 for a progress bar and the verdict; "auto" is 1.

    Returns:
        A frozen result: `objective`, `iterations`, `evaluations`, `converged`, `message`, and `history`, the objective
        at the start and after each iteration. It prints as a line, and plots itself.

    Raises:
        ImportError: if SciPy is not installed (`pip install "keras-tricks[lbfgs]"`).
        ValueError: if an argument is out of range, there are no data, there is no loss, or it is not finite at first.

    Example:
        ```python
        x = np.random.normal(size=(64, 3))
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_regularizer="l2")])
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        found = kt.training.fit_lbfgs(model, x, x[:, :1] > 0, loss, verbose=0)
        assert found.converged
        assert found.history[-1] < found.history[0]
        ```

    Reference: [Liu & Nocedal, 1989](https://doi.org/10.1007/BF01589116)
    """
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
            max_iterations,
            verbose=1 if verbose else 0,
            unit_name="iteration",
            stateful_metrics=["objective", "gradient"],
        )

        def after_iteration(intermediate_result: Any) -> None:
            history.append(float(intermediate_result.fun))
            objective.tried.clear()
            _, gradient = objective(intermediate_result.x)
            values = [("objective", history[-1]), ("gradient", float(np.abs(gradient).max()))]
            progress.update(len(history) - 1, values, finalize=len(history) > max_iterations)

        options = {"maxiter": max_iterations, "maxfun": 2**31 - 1, "ftol": tolerance, "gtol": tolerance}
        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            callback=after_iteration,
            options=options | {"maxcor": memory},
        )
    finally:
        objective.take_best()
    result = _result(objective, found, history)
    if verbose:
        print(f"\n{result}" if len(history) <= max_iterations else result)
    return result


def _result(objective: FullBatch, found: Any, history: list[float]) -> LBFGSFit:
    lowest = history[0] if objective.best is None else objective.best[0]
    converged, message = bool(found.success), str(found.message)
    rounding = ROUNDING * np.finfo(keras.config.floatx()).eps * max(1.0, abs(lowest))
    if found.status == 2 and objective.tried and max(abs(tried - lowest) for tried in objective.tried) <= rounding:
        # A search along a direction that sees nothing but rounding fails: there is nothing to be found.
        converged, message = (
            True,
            f"CONVERGENCE: NO STEP CHANGES THE OBJECTIVE BY MORE THAN {rounding:.1e}, ITS ROUNDING",
        )
    path = np.array(history)
    path.setflags(write=False)
    return LBFGSFit(lowest, len(history) - 1, objective.evaluations, converged, message, path)


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
        super().__init__(name="mean_of_function")  # TensorFlow takes none that begins with an underscore
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)


def _build(model: keras.Model, data: Any, loss: Any) -> None:
    """Has the model make its variables, and its compiled loss those that it has for several outputs."""
    first = feeding.chosen(data, slice(0, 1))
    if loss is None:
        _loss.compiled_loss(model, first, training=False)
        model.reset_metrics()
    elif not model.built:
        model(first[0], training=False)


def _narrow(array: np.ndarray) -> np.ndarray:
    """Keras' own type in place of float64, as in `fit`."""
    return array.astype(keras.config.floatx()) if array.dtype == "float64" else array


def _warn_of_noise(first: tuple[float, np.ndarray], second: tuple[float, np.ndarray]) -> None:
    """Warns if two evaluations at the same weights differ: each step is planned by differences of them."""
    same_objective = np.isclose(first[0], second[0], rtol=SAME_DIGITS, atol=SAME_DIGITS)
    if same_objective and np.allclose(first[1], second[1], rtol=SAME_SLOPE, atol=SAME_DIGITS):
        return
    warnings.warn(
        f"The objective is noisy: at the same weights it was {first[0]:.8g} and then {second[0]:.8g}. L-BFGS "
        "takes noise for curvature and ends early. Give `training=False`, or take dropout and augmentations out.",
        stacklevel=3,
    )
