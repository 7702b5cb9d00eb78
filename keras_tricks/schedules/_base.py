"""How the schedules work: one clock, in integers as long as possible, and numbers wherever a schedule may stand."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core import checks
from keras_tricks._core import ops as core_ops
from keras_tricks._core.config import Configured

Tensor = Any

LAST_STEP = 2**31 - 1  # of a clock in int32


class _Saveable(keras.optimizers.schedules.LearningRateSchedule):
    # Keras' base refuses to be saved rather than to have nothing of its own to save.
    def get_config(self) -> dict[str, Any]:
        return {}


class Schedule(Configured, _Saveable):
    """Base of the schedules: a trick writes `value(step)`, and `peak`.

    `schedule(step)` takes an integer or a float, an array or a tensor of them, and gives float32 of the same shape. As
    the `learning_rate` of an optimizer it is asked at each update, inside the compiled step. Keras counts steps by
    batches: with the optimizer's `gradient_accumulation_steps`, several of them make one update.

    Example:
        ```python
        class Halving(kt.schedules.Schedule):
            def __init__(self, initial: float, every: int):
                self.initial, self.every = initial, every

            def value(self, step):
                return self.initial * 0.5 ** keras.ops.floor(step / self.every)

            @property
            def peak(self):
                return self.initial


        assert np.allclose(keras.ops.convert_to_numpy(Halving(0.4, every=10)([0, 9, 10, 25])), [0.4, 0.4, 0.2, 0.1])
        ```
    """

    def __call__(self, step: Any) -> Tensor:
        """The value at `step`, the number of steps done before."""
        step = _clock(step)
        value = ops.cast(self.value(step), "float32")
        if len(step.shape) == len(value.shape) == 0:
            return core_ops.once(value)  # and not anew for each number of each weight that is multiplied with it
        # A value that is the same at every step may be a single number.
        return ops.broadcast_to(value, ops.shape(step)) if len(value.shape) != len(step.shape) else value

    def value(self, step: Tensor) -> Tensor:
        """The value at each of `step`, an int32 tensor (float32 where the caller's steps are fractional).

        Count in `step` itself, and divide by `self.progress`: float32 tells integers apart up to 2**24 only.
        """
        raise NotImplementedError

    @property
    def peak(self) -> float:
        """The largest value it gives."""
        raise NotImplementedError(f"{type(self).__name__} must write `peak`, the largest value it gives")

    @staticmethod
    def progress(step: Tensor, steps: int) -> Tensor:
        """The share of `steps` that is done at `step`, float32, in [0, 1]; 1 where there is nothing to do."""
        return 1.0 - Schedule.remainder(step, steps)

    @staticmethod
    def remainder(step: Tensor, steps: int) -> Tensor:
        """The share of `steps` that is left at `step`, float32, in [0, 1]: exact at both ends."""
        return ops.cast(ops.clip(steps - step, 0, steps), "float32") / max(steps, 1)

    def plot(self, total_steps: int, axes: Any = None) -> Any:
        """Draws the first `total_steps` steps with matplotlib, on new axes or those given, and returns the axes."""
        checks.count("total_steps", total_steps)
        if axes is None:
            try:
                from matplotlib import pyplot
            except ImportError as error:
                raise ImportError('Drawing needs matplotlib: pip install "keras-tricks[cli]"') from error
            axes = pyplot.subplots()[1]
        steps = np.arange(total_steps, dtype="int32")
        axes.plot(steps, ops.convert_to_numpy(self(steps)), label=type(self).__name__)
        axes.set(xlabel="step", ylabel="value")
        return axes


def stage_of(step: Tensor, boundaries: Any) -> Tensor:
    """How many of the `boundaries`, whole steps, are reached at each step, int32."""
    boundaries = np.asarray(boundaries, "int32")
    if not len(boundaries):
        return ops.zeros_like(step, "int32")
    reached = step[..., None] >= ops.cast(ops.convert_to_tensor(boundaries), step.dtype)
    return ops.sum(ops.cast(reached, "int32"), axis=-1)


def _clock(step: Any) -> Tensor:
    """The step as an int32 tensor, or float32 where it is not an integer; a known negative step is refused."""
    if isinstance(step, (int, float, list, tuple, np.ndarray, np.generic)):
        step = np.asarray(step)
        if step.size and step.min() < 0:
            raise checks.fail("step", "not below 0", step.min().item())
    step = ops.convert_to_tensor(step)
    return ops.cast(step, "int32" if "int" in keras.backend.standardize_dtype(step.dtype) else "float32")
