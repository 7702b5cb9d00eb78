"""The inverse square root of the step, after a warm-up."""

from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor


class InverseSqrt(Schedule):
    """Rises in a straight line to `peak`, then falls with the square root of the number of steps.

    `peak * min((step + 1) / warmup_steps, sqrt(warmup_steps / (step + 1)))`: `peak` is reached at step
    `warmup_steps - 1`, and no step trains at a rate of 0.

    Helps when: a transformer is trained for a length that is not known before.
    Hurts when: the length is known: a schedule that ends near 0 reaches better losses.
    Cost: nothing.

    Args:
        peak: The largest value, not below 0.
        warmup_steps: The number of steps until it is reached.

    Raises:
        ValueError: if an argument is out of range; for a negative step.

    Example:
        ```python
        schedule = kt.schedules.InverseSqrt(0.1, warmup_steps=4)
        assert np.allclose([float(schedule(step)) for step in (0, 3, 15)], [0.025, 0.1, 0.05])
        noam = kt.schedules.InverseSqrt.noam(model_size=512, warmup_steps=4000)
        assert np.isclose(noam.peak, (512 * 4000) ** -0.5)
        ```

    Reference: [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), section 5.3
    """

    peak: float = 0.0

    def __init__(self, peak: float, warmup_steps: int):
        self.peak = checks.non_negative("peak", peak)
        self.warmup_steps = checks.count("warmup_steps", warmup_steps)

    @classmethod
    def noam(cls, model_size: int, warmup_steps: int, scale: float = 1.0) -> "InverseSqrt":
        """The transformer's: `scale * model_size**-0.5 * min(n**-0.5, n * warmup_steps**-1.5)` at the n-th step."""
        checks.count("model_size", model_size)
        checks.count("warmup_steps", warmup_steps)
        return cls(checks.non_negative("scale", scale) * (model_size * warmup_steps) ** -0.5, warmup_steps)

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        done = ops.cast(step + 1, "float32") / self.warmup_steps
        return self.peak * ops.minimum(done, done**-0.5)
