"""Gradient accumulation as a wrapper."""

from typing import Any

import keras
from keras import ops

from keras_tricks._core import checks
from keras_tricks.optimizers import _each
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor
from keras_tricks.optimizers._conditional import run_if


class Accumulate(OptimizerWrapper):
    """Averages the gradients of `steps` batches, and makes one update of them.

    What stands inside sees averaged gradients, once an update; what stands outside counts updates, too: schedules,
    averages, noise. (Under Keras' `gradient_accumulation_steps` a wrapper sees the gradients of each batch, and Keras'
    own schedules and averages advance with each batch.) The batches of an unfinished update are kept for the next
    `fit`, and in a saved model.

    Helps when: memory holds only small batches, and noise or clipping is to act on large ones.
    Hurts when: the model has BatchNormalization, whose statistics are those of the small batches.
    Cost: one copy of the gradients (float32). Not for several replicas of TensorFlow.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        steps: Batches of an update, at least 1.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if `steps` is below 1, or `inner_optimizer` is not an optimizer.

    Example:
        ```python
        clipped = kt.optimizers.GlobalNormClipping("adam", norm=1.0)  # the norm of what four batches say
        model.compile(kt.optimizers.WeightAverage(kt.optimizers.Accumulate(clipped, steps=4)), "mse")
        model.fit(x_train, np.zeros((8, 10)), batch_size=2, verbose=0)
        assert int(model.optimizer.iterations) == 1
        ```

    Reference: [Hermans et al., 2017](https://arxiv.org/abs/1710.02368)
    """

    def __init__(self, inner_optimizer: keras.optimizers.Optimizer | str, steps: int = 4, **kwargs: Any):
        super().__init__(inner_optimizer, **kwargs)
        self.steps = checks.count("steps", steps)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the sums of gradients, and their count."""
        self.batches = self.add_variable((), "zeros", "int", "only_first_replica", name="batches")
        self.sums = self.add_slots(variables, "gradient_sum") if self.steps > 1 else []
        self._seen: set[int] = set()

    @property
    def updates_every_time(self) -> bool:
        """Whether one batch makes an update."""
        return self.steps == 1 and super().updates_every_time

    def update(self, gradients: list[Tensor | None], variables: list[keras.Variable]) -> None:
        """Adds the gradients, and updates the weights when there are enough."""
        if self.steps == 1:
            self.inner_optimizer.apply(gradients, variables)
            return
        places = [self.place_of(variable) for variable in variables]
        present: list[Any] = [(self.sums[p], g) for p, g in zip(places, gradients, strict=True) if g is not None]
        _each.add([t for t, _ in present], [ops.cast(g, t.dtype) for t, g in present], 1.0 / self.steps)
        # A variable counts that any of the batches has a gradient of, where that differs from batch to batch: on torch.
        self._seen |= {p for p, g in zip(places, gradients, strict=True) if g is not None}
        sums = [self.sums[p] if p in self._seen else None for p in places]
        totals = [total for total in sums if total is not None]
        self.assign(self.batches, ops.convert_to_tensor(self.batches) + 1)

        def update() -> None:
            means = [None if total is None else ops.cast(ops.convert_to_tensor(total), variable.dtype)
                     for total, variable in zip(sums, variables, strict=True)]  # fmt: skip
            self.inner_optimizer.apply(means, variables)
            _each.scale(totals, 0.0)
            self._seen.clear()
            self.assign(self.batches, ops.zeros_like(ops.convert_to_tensor(self.batches)))

        touched = [*variables, *totals, self.batches, *self.inner_optimizer.variables]
        run_if(ops.equal(ops.convert_to_tensor(self.batches), self.steps), update, touched)
