"""Annealed gradient noise."""

import random as python_random
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tricks._core import checks, random
from keras_tricks.optimizers._base import OptimizerWrapper, Tensor


class GradientNoise(OptimizerWrapper):
    """Adds noise to the gradients, less from update to update.

    At update t = 0, 1, ...: `gradient += N(0, eta / (1 + t) ** gamma)`, independent for each weight. The numbers are
    the same on every backend; under gradient accumulation the batches of one update share theirs.

    Helps when: very deep or oddly initialised networks do not start to learn, says the paper; batches are large.
    Hurts when: batches are small: their gradients are noisy enough. Cost: a random number for each weight, the same on
    every backend: one to one and a half times (TensorFlow, JAX) to eight times (torch, on a processor) what Adam's
    update costs.

    Args:
        inner_optimizer: The optimizer that trains: any Keras optimizer, another wrapper, or a name.
        eta: The variance at the first update (η), not below 0; 0.01, 0.3 and 1 in the paper.
        gamma: How fast it falls (γ), not below 0.
        seed: None for fresh numbers in each run, or an integer in [0, 2**31). Saved with the optimizer in both cases.
        **kwargs: `name`: see `OptimizerWrapper`.

    Raises:
        ValueError: if an argument is out of range, or `inner_optimizer` is not an optimizer.

    Example:
        ```python
        model.compile(kt.optimizers.GradientNoise("sgd", eta=0.01, seed=1), "mse")
        model.fit(x_train, np.zeros((8, 10)), verbose=0)
        ```

    Reference: [Neelakantan et al., 2015](https://arxiv.org/abs/1511.06807)
    """

    def __init__(
        self,
        inner_optimizer: keras.optimizers.Optimizer | str,
        eta: float = 0.01,
        gamma: float = 0.55,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(inner_optimizer, **kwargs)
        self.eta = checks.non_negative("eta", eta)
        self.gamma = checks.non_negative("gamma", gamma)
        self.seed = checks.seed("seed", seed)

    def create_state(self, variables: list[keras.Variable]) -> None:
        """Makes the seed, which is saved: a run without one resumes with the numbers that it began with."""
        seed = python_random.randrange(2**31) if self.seed is None else self.seed
        initializer = keras.initializers.Constant(seed)
        self.used_seed = self.add_variable((), initializer, "int32", "only_first_replica", name="seed")
        self._starts = np.cumsum([0, *(int(np.prod(variable.shape)) for variable in variables)]).tolist()

    def before_update(self, gradients: list[Tensor], variables: list[keras.Variable]) -> list[Tensor]:
        """The gradients with noise."""
        update = ops.convert_to_tensor(self.iterations)
        state = (ops.convert_to_tensor(self.used_seed), ops.cast(update, "int32"))
        deviation = ops.sqrt(self.eta / (1.0 + ops.cast(update, "float32")) ** self.gamma)
        # One draw for all: a kernel for each of many small tensors would cost more than the numbers.
        noise = deviation * random.normal(random.key(state, random.words(type(self).__name__)), (self._starts[-1],))
        noisy = []
        for gradient, variable in zip(gradients, variables, strict=True):
            place = self.place_of(variable)
            own = noise[self._starts[place] : self._starts[place + 1]]
            noisy.append(gradient + ops.cast(ops.reshape(own, gradient.shape), gradient.dtype))
        return noisy
