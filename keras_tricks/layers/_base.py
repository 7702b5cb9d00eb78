"""How the layers work that perturb activations in training and do nothing at inference."""

from typing import Any

from keras import ops

from keras_tricks._core import random
from keras_tricks._core.moving import value_at
from keras_tricks._core.stream import RandomLayer

Tensor = Any


class TrainingOnlyLayer(RandomLayer):
    """Base of the layers that perturb activations in training only: a trick writes `perturb(x, seed)`.

    At inference (`training` False or not given) the input comes back. In training, `perturb` gets a key of
    `keras_tricks`' own random numbers: equal on every backend, new at each call, from the layer's seed, its class, its
    name if one is given explicitly, and a count of calls that is saved with the model. Masks are passed on; the
    result has the input's shape and dtype. A number that may be a schedule is read as `self.now(self.rate)`.

    Args:
        seed: An integer in [0, 2**31), or None for a fresh stream.
        **kwargs: `name`, `dtype` and whatever else `keras.layers.Layer` takes.

    Example:
        ```python
        from keras_tricks import random


        class WhiteNoise(kt.layers.TrainingOnlyLayer):
            def perturb(self, x, seed):
                return x + 0.1 * random.normal(seed, keras.ops.shape(x))


        layer, x = WhiteNoise(seed=1), keras.ops.ones((2, 3))
        assert np.all(keras.ops.convert_to_numpy(layer(x)) == 1)  # not training
        layer(x, training=True)
        ```
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(seed=seed, **kwargs)
        self.supports_masking = True

    def perturb(self, x: Tensor, seed: Tensor) -> Tensor:
        """`x` as the model shall see it in training, drawn from the key `seed`."""
        raise NotImplementedError

    def now(self, number: Any) -> Any:
        """For `perturb`: what a schedule says at this training step, which the layer counts; a number as it is.

        The count is that of its random numbers: of the calls in training, from 0, saved with the model.
        """
        return value_at(number, ops.cast(ops.convert_to_tensor(self.stream.state)[1], "int32") - 1)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """`perturb` in training, the identity otherwise."""
        if not training:
            return inputs
        key = random.key(self.stream.next_state(), self.stream.salt)
        return ops.cast(self.perturb(inputs, key), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape
