"""The learning-rate range test."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_tricks._core import checks
from keras_tricks._core.rates import innermost
from keras_tricks.diagnostics import _curve
from keras_tricks.diagnostics._as_found import as_found, random_numbers_kept
from keras_tricks.diagnostics._batches import Batch, batches
from keras_tricks.diagnostics._one_rate import batches_per_update, one_rate_at_a_time
from keras_tricks.diagnostics._rate_range import LearningRateRange

MAXIMUM_TRIES = 4  # for each rate on average


def learning_rate_range(
    model: keras.Model,
    train_data: Any,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    validation_data: Any = None,
    smoothing: float = 0.9,
    divergence: float = 4.0,
    verbose: int | str = "auto",
) -> LearningRateRange:
    """Trains with rates that grow from update to update, and reads off the losses which rate to train with.

    Update i of n is made at `low * (high / low) ** (i / (n - 1))`. The loss is that of the update's own batch (not the
    running mean that `fit` logs), smoothed by a running mean that is corrected for its start. The test ends early where
    the smoothed loss is `divergence` times its lowest value and above its first, or a loss is not finite.

    The model is left as it was found, also after an error or Ctrl-C: weights, the optimizer's variables and schedule,
    BatchNorm statistics, metrics, seeds, the compiled step. A model that has not seen its input's shape is built.

    Helps when: a new model or data set has to be trained, and a good rate is not known.
    Hurts when: the loss of single batches is so noisy that no descent can be told: larger batches, or more steps.
    Cost: `steps` updates, a few epochs at most.

    Args:
        model: A compiled model, a `kt.Trainer` included, with any optimizer, wrapper and schedule. Under
            `gradient_accumulation_steps`, each update takes that many batches.
        train_data: Arrays `(x, y)` or `(x, y, sample_weight)`, where x may be a list or dict of them, or a data set of
            such batches: a `PyDataset`, `tf.data.Dataset` or torch `DataLoader`, gone through as often as needed.
        low: The first rate, above 0.
        high: The last rate, above `low`.
        steps: The number of updates, at least 2.
        batch_size: Samples in a batch of arrays.
        validation_data: What `evaluate` takes, a tuple `(x, y)` or a data set: its loss after each update then takes
            the place of the batch's. Slower, less noisy.
        smoothing: The share of the running mean that is kept at each update, in [0, 1).
        divergence: How many times its lowest value the smoothed loss may reach, above 1, once it is above its first.
        verbose: 0 for silence, 1 for a progress bar and the verdict; "auto" is 1.

    Returns:
        A frozen `LearningRateRange`: `rates`, `losses`, `smoothed`, five readings of them, and the `suggestion`.

    Raises:
        ValueError: if an argument is out of range, the model is not compiled, there are no data, or the loss of the
            first batch is not finite.

    Example:
        ```python
        x, y = np.random.normal(size=(256, 4)), np.random.normal(size=(256, 1))
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        found = kt.diagnostics.learning_rate_range(model, (x, y), low=1e-4, steps=50, verbose=0)
        assert found.rates[0] == 1e-4
        axes = found.plot()
        ```

    Reference: [Smith, 2015](https://arxiv.org/abs/1506.01186), section 3.3
    """
    checks.positive("low", low)
    if checks.positive("high", high) <= low:
        raise checks.fail("high", f"above low={low!r}", high)
    checks.count("steps", steps, minimum=2)
    checks.count("batch_size", batch_size)
    if checks.rate("smoothing", smoothing) == 1:
        raise checks.fail("smoothing", "below 1", smoothing)
    if checks.positive("divergence", divergence) <= 1:
        raise checks.fail("divergence", "above 1", divergence)
    if getattr(model, "optimizer", None) is None:
        raise ValueError(f"`model` must be compiled. Received: model={model!r}")
    rates = np.geomspace(low, high, steps)
    with random_numbers_kept():
        stream = batches(train_data, batch_size)
        first = next(stream)
        if not model.built:
            model(first[0])
        stream = itertools.chain([first], stream)
        seen = _climb(model, stream, rates, validation_data, smoothing, divergence, verbose)
    result = _read(rates[: len(seen)], np.array(seen), smoothing, divergence, _best_reading(model.optimizer))
    if verbose:
        print(f"\n{result}" if len(seen) < steps else result)
    return result


def _climb(
    model: keras.Model,
    stream: Iterator[Batch],
    rates: np.ndarray,
    validation_data: Any,
    smoothing: float,
    divergence: float,
    verbose: int | str,
) -> list[float]:
    """The loss at each rate, until they are through or the loss diverges."""
    losses: list[float] = []
    progress = keras.utils.Progbar(
        len(rates), verbose=1 if verbose else 0, unit_name="update", stateful_metrics=["loss"]
    )
    per_update = batches_per_update(model.optimizer)
    with as_found(model):
        model.steps_per_execution = 1
        model.make_train_function(force=True)
        with one_rate_at_a_time(model, rates) as hold:
            # Loss scaling skips an update whose gradients overflow, and so may try a rate again.
            for _ in range(MAXIMUM_TRIES * len(rates)):
                done = _updates(model)
                hold(len(losses))
                loss = float(np.mean([_batch_loss(model, next(stream)) for _ in range(per_update)]))
                _check_first(losses, loss, "train_data")
                if _updates(model) == done:
                    continue
                if validation_data is not None:
                    loss = _validation_loss(model, validation_data)
                    _check_first(losses, loss, "validation_data")
                losses.append(loss)
                progress.update(len(losses), [("loss", loss), ("rate", float(rates[len(losses) - 1]))])
                if len(losses) == len(rates) or _has_diverged(losses, smoothing, divergence):
                    break
    if not losses:
        raise ValueError("`model` made no update: the gradients of every batch overflowed. Received: "
                         f"{type(model.optimizer).__name__}")  # fmt: skip
    return losses


def _updates(model: keras.Model) -> int:
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def _check_first(losses: list[float], loss: float, argument: str) -> None:
    if not losses and not np.isfinite(loss):
        raise ValueError(f"`{argument}` must give a finite loss at first. Received: a loss of {loss}")


def _batch_loss(model: keras.Model, batch: Batch) -> float:
    x, y, weight = batch
    model.reset_metrics()
    return float(model.train_on_batch(x, y, sample_weight=weight, return_dict=True)["loss"])


def _validation_loss(model: keras.Model, data: Any) -> float:
    arguments = data if isinstance(data, tuple) else (data,)
    names = ("x", "y", "sample_weight")
    return float(model.evaluate(**dict(zip(names, arguments, strict=False)), verbose=0, return_dict=True)["loss"])


def _has_diverged(losses: list[float], smoothing: float, divergence: float) -> bool:
    if not np.isfinite(losses[-1]):
        return True
    smoothed = _curve.smooth(np.array(losses), smoothing)
    return bool(smoothed[-1] > divergence * abs(smoothed.min()) and smoothed[-1] > smoothed[0])


def _best_reading(optimizer: keras.optimizers.Optimizer) -> str:
    """The reading that held up best for this kind of optimizer.

    Where steps grow with the gradient, the loss rises soon after the best rate; where they are divided by its size, as
    Adam's, a small network with BatchNormalization bears rates that no other would.
    """
    # Keras' Muon has Nesterov's momentum too, and makes all steps equally long.
    follows_gradient = hasattr(innermost(optimizer), "nesterov") and not hasattr(innermost(optimizer), "ns_steps")
    return "half_of_edge" if follows_gradient else "steepest"


def _read(rates: np.ndarray, losses: np.ndarray, smoothing: float, divergence: float, best: str) -> LearningRateRange:
    if not np.isfinite(losses[-1]):
        ended, rates, losses = "a loss that is not finite", rates[:-1], losses[:-1]
    elif _has_diverged(losses.tolist(), smoothing, divergence):
        ended = "divergence"
    else:
        ended = "the end of the ladder"
    smoothed = _curve.smooth(losses, smoothing)
    places = {
        "steepest": _curve.steepest(smoothed),
        "valley": _curve.valley(smoothed),
        "slide": _curve.slide(smoothed),
    }
    readings = {name: None if place is None else float(rates[place]) for name, place in places.items()}
    readings["bottom_over_ten"] = _curve.bottom_over_ten(rates, smoothed)
    edge = _curve.edge(smoothed)
    readings["half_of_edge"] = float(rates[edge] / 2)
    suggestion, reason = readings[best], None
    if not _curve.has_fallen(losses, smoothed, smoothing):
        suggestion, reason = None, "the loss never fell by more than its noise"
    elif suggestion is None:
        reason = "the loss fell too briefly to read a rate off it"
    elif edge == len(smoothed) - 1 and best == "half_of_edge":
        reason = f"the loss was still low at {rates[-1]:.1e}: a larger `high` may show a larger rate"
    for array in (rates, losses, smoothed):
        array.setflags(write=False)
    return LearningRateRange(rates, losses, smoothed, **readings, suggestion=suggestion, reason=reason, ended=ended)
