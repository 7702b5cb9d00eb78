"""Validation, prediction and checkpoints with the average of the weights."""

import contextlib
import functools
import gc
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_tricks._core import averaging, batch_statistics, checks
from keras_tricks._core.config import Configured
from keras_tricks._core.next_use import NextUse
from keras_tricks.callbacks.refresh_batch_norm import RefreshBatchNorm


class EvaluateWithAverage(Configured, keras.callbacks.Callback):
    """Validates, predicts and saves with the average that the optimizer keeps, and trains on with the raw weights.

    In `fit`, the model holds the average (weights and BatchNorm statistics) from the start of validation, or else the
    end of the epoch, until the next epoch begins: what other callbacks do at an epoch's end, they do with the average.
    So `ModelCheckpoint` saves, and `EarlyStopping(restore_best_weights=True)` restores, what was monitored. It has to
    stand first among the callbacks, and warns where it does not: those before it see the raw weights at the end of an
    epoch without validation. A model saved while it holds the average carries the raw weights in its optimizer: loaded
    it predicts with the average, and `fit` with this callback goes on from the raw weights, bit for bit, with Keras'
    `BackupAndRestore` as well.

    In `evaluate(..., callbacks=[...])` and `predict(..., callbacks=[...])` the model holds the average meanwhile, and
    around anything else `with callback.averaged(model):` does the same.

    The raw weights come back by copy, bit for bit, also when validation raises or is interrupted, or training is
    stopped, or another callback fails at the end of an epoch. After an error in `evaluate` or `predict` called by hand
    with this callback they are back in a `kt.Trainer` at once; in a plain model, of which Keras tells no callback, as
    soon as one of its methods or the model itself is called, or by `callback.give_back(model)`.

    The statistics of BatchNorm are averaged as the weights are; or, with `refresh_batch_norm`, measured for the
    averaged weights whenever these are put into the model, as stochastic weight averaging (SWA) wants it. With
    `final="average"` that is what `fit` ends with. Until an average has begun, the model's own are used.

    Helps when: the optimizer is, or wraps, `kt.optimizers.WeightAverage`; without this callback nothing sees the
    average. Cost: the weights are copied to the host and back once per validation. The statistics are averaged inside
    the compiled step; on JAX the model's `train_step` is wrapped for that. To measure them takes a forward pass for
    each batch, once per validation.

    Args:
        final: What the model holds after `fit`: the `"raw"` weights, or the `"average"` (the next `fit` with this
            callback still goes on from the raw ones).
        refresh_batch_norm: None, or data on which to measure BatchNorm's statistics for the average; or a
            `kt.callbacks.RefreshBatchNorm`, for how many batches and the like. It is not one of `fit`'s callbacks then.

    Raises:
        ValueError: if `final` is neither, or the model's optimizer keeps no average.

    Example:
        ```python
        model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
        model.compile(kt.optimizers.WeightAverage("adam"), "mse")
        x, y = np.ones((8, 4)), np.ones((8, 1))
        averaged = kt.callbacks.EvaluateWithAverage(refresh_batch_norm=x)
        model.fit(x, y, validation_data=(x, y), callbacks=[averaged], verbose=0)
        ```
    """

    def __init__(self, final: str = "raw", refresh_batch_norm: Any = None):
        super().__init__()
        self.final = checks.one_of("final", final, ("raw", "average"))
        self.refresh_batch_norm = refresh_batch_norm
        is_callback = refresh_batch_norm is None or isinstance(refresh_batch_norm, RefreshBatchNorm)
        self._refresher = refresh_batch_norm if is_callback else RefreshBatchNorm(refresh_batch_norm)
        # The number of updates after which the statistics were measured, and what was found.
        self._measured: tuple[int, list[Any]] | None = None
        self._in_fit = False
        self._swapped = False
        self._next_use: NextUse | None = None
        self._warned = False

    def set_model(self, model: keras.Model) -> None:
        """Finds the optimizer that keeps the average, and ends what an earlier run has left undone."""
        if self._next_use is not None:  # perhaps of another model
            self._next_use.now()
        super().set_model(model)
        self._in_fit = False
        self._measured = None
        _keeper(model)
        if self._swapped:
            self._give_back()

    def on_train_begin(self, logs: Any = None) -> None:
        """Has the statistics averaged, and goes on from the raw weights of a model that was saved with the average."""
        self._in_fit = True
        self._meet_the_others()
        model = self.model
        averaging.average_statistics_of(model)
        for name in ("evaluate", "predict"):
            setattr(model, name, _giving_back_on_error(model, getattr(model, name)))
        self._give_back()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Gives the raw weights back, to be trained."""
        self._give_back()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Puts the average in, for the callbacks that follow."""
        self._swap_in()

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the model as `final` says."""
        self._in_fit = False
        for name in ("evaluate", "predict"):
            if name in vars(self.model):
                delattr(self.model, name)
        self._give_back()
        if self.final == "average":
            self._put_in(self.model)

    def on_test_begin(self, logs: Any = None) -> None:
        """Puts the average in."""
        self._swap_in()
        if self._swapped and not self._in_fit and self._next_use is None:
            model, keeper = self.model, _keeper(self.model)
            self._next_use = NextUse(model, lambda: self._take_back(model, keeper))

    def on_test_end(self, logs: Any = None) -> None:
        """Gives the raw weights back, or in `fit` leaves that to the next epoch."""
        if self._swapped and not self._in_fit:
            self._give_back()

    on_predict_begin = on_test_begin
    on_predict_end = on_test_end

    @contextlib.contextmanager
    def averaged(self, model: keras.Model) -> Iterator[None]:
        """Within it, `model` holds the average."""
        NextUse.settle(model)
        self._measured = None
        swapped = self._put_in(model)
        try:
            yield
        finally:
            if swapped:
                _keeper(model).give_back()

    def give_back(self, model: keras.Model) -> None:
        """Puts the raw weights back into `model`, if it holds the average."""
        NextUse.settle(model)
        self._take_back(model, _keeper(model))

    def _take_back(self, model: keras.Model, keeper: Any) -> None:
        averaging.settle(model)
        keeper.give_back()
        self._forget_next_use()

    def _swap_in(self) -> None:
        self._swapped = self._put_in(self.model) or self._swapped

    def _put_in(self, model: keras.Model) -> bool:
        """Puts the average into the model, with statistics that belong to it; whether that was news."""
        keeper, statistics = _keeper(model), averaging.statistics(model)
        if keeper.swapped:
            return False
        if keeper.statistics_shapes:
            keeper.follow(statistics)
        averages = {id(variable): average for variable, average in keeper.average}
        has_begun = any(id(average) != variable for variable, average in averages.items())
        measured = batch_statistics.variables(model) if self._refresher is not None and has_begun else []
        known = {id(variable) for variable in measured}
        left = [v for v in statistics if averages.get(id(v), v) is v and id(v) not in known]
        if has_begun and left and not self._warned:
            self._warned = True
            warnings.warn(
                f"The weights were averaged and the {len(left)} statistics of BatchNorm (or other weights that no "
                "gradient trains) were not: the average is evaluated with the raw ones. Give `fit` the callback "
                "EvaluateWithAverage from the first update that is taken on, or the callback `refresh_batch_norm`.",
                stacklevel=3,
            )
        keeper.swap_in(beside=measured)
        if measured:
            try:
                self._measure(model, int(keras.ops.convert_to_numpy(keeper.updates)))
            except BaseException:
                keeper.give_back()
                raise
        return True

    def _measure(self, model: keras.Model, updates: int) -> None:
        if self._refresher is None:
            return
        if self._measured is None or self._measured[0] != updates:
            self._measured = updates, self._refresher.estimate(model)
        for variable, value in self._measured[1]:
            variable.assign(value)

    def _meet_the_others(self) -> None:
        """Says so if it is not the first of the callbacks, and sees to it that none leaves the average by an error."""
        # Keras tells a callback nothing of the others. The list of this `fit` is the one with the model's history.
        lists = [found for found in gc.get_referrers(self) if type(found) is list]
        history = getattr(self.model, "history", None)
        running = next((found for found in lists if any(callback is history for callback in found)), [self])
        before = [type(callback).__name__ for callback in running[: running.index(self)]]
        if before:
            warnings.warn(
                "EvaluateWithAverage has to be the first of the callbacks: those before it see the raw weights at the "
                f"end of an epoch without validation. Received: {', '.join(before)} before it",
                stacklevel=2,
            )
        owner = _owner_of(running)
        if owner is not None and "on_epoch_end" not in vars(owner):
            owner.on_epoch_end = _giving_back_on_error(self.model, owner.on_epoch_end, whatever=True)

    def _give_back(self) -> None:
        # By the property `model`, JAX's loop stores the values it holds: now, and not over these later.
        _keeper(self.model).give_back()
        self._swapped = False
        self._forget_next_use()

    def _forget_next_use(self) -> None:
        if self._next_use is not None:
            self._next_use.cancel()
            self._next_use = None


def _keeper(model: keras.Model) -> Any:
    keeper = averaging.find_keeper(getattr(model, "optimizer", None))
    if keeper is None:
        raise ValueError(
            "EvaluateWithAverage needs an optimizer that keeps an average, such as "
            "`kt.optimizers.WeightAverage(optimizer)`. Received: a model compiled with "
            f"optimizer={getattr(model, 'optimizer', None)!r}"
        )
    return keeper


def _owner_of(callbacks: list[Any]) -> keras.callbacks.CallbackList | None:
    """What calls these callbacks."""
    for found in gc.get_referrers(callbacks):
        # The owner, or where Python keeps its attributes.
        for owner in [found, *(gc.get_referrers(found) if type(found) is dict else [])]:
            if isinstance(owner, keras.callbacks.CallbackList) and owner.callbacks is callbacks:
                return owner
    return None


def _giving_back_on_error(model: keras.Model, method: Callable[..., Any], whatever: bool = False) -> Callable[..., Any]:
    """Keras tells callbacks when something begins and ends, and not when it fails.

    `whatever` was in the model before: the average is given back, too.
    """
    method = getattr(method, "unguarded", method)  # an earlier `fit` ended by an error and left its own in place

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with averaging.given_back_on_error(model, training=whatever):
            return method(*args, **kwargs)

    wrapped.unguarded = method  # type: ignore[attr-defined]
    return wrapped
