"""What an update costs: 60 tensors, of 1 M parameters in all, by our optimizers and wrappers and by Keras' own.

KERAS_BACKEND=jax python tools/bench/optimizers.py [--repeats 30] [--parameters 1000000] [--json PATH]
"""

from collections.abc import Callable

import keras
import numpy as np
from _timing import arguments, medians, report

from keras_tricks.optimizers import SGD, AdamW, OptimizerWrapper, WeightAverage
from keras_tricks.schedules import OneCycle

TENSORS = 60
ONE_CYCLE = OneCycle(1e-3, total_steps=100_000)
DECAY = {"weight_decay": 0.004, "no_decay": None}  # of every variable, as Keras does

CONTENDERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "Keras AdamW": lambda: keras.optimizers.AdamW(1e-3),
    "AdamW": lambda: AdamW(1e-3, **DECAY),
    "AdamW, one-cycle": lambda: AdamW(ONE_CYCLE, beta_1=ONE_CYCLE.momentum(), **DECAY),
    "Keras SGD": lambda: keras.optimizers.SGD(1e-3, momentum=0.9),
    "SGD": lambda: SGD(1e-3, momentum=0.9),
    "SGD, one-cycle": lambda: SGD(ONE_CYCLE, momentum=ONE_CYCLE.momentum()),
    "OptimizerWrapper(AdamW)": lambda: OptimizerWrapper(keras.optimizers.AdamW(1e-3)),
    "WeightAverage(AdamW)": lambda: WeightAverage(keras.optimizers.AdamW(1e-3)),
    "WeightAverage(AdamW, every=10)": lambda: WeightAverage(keras.optimizers.AdamW(1e-3), every=10),
    "WeightAverage(AdamW, mean, not begun)": lambda: WeightAverage(
        keras.optimizers.AdamW(1e-3), kind="mean", every=100, start=10**6
    ),
    "Keras AdamW(use_ema=True)": lambda: keras.optimizers.AdamW(1e-3, use_ema=True),
}


def update(optimizer: keras.optimizers.Optimizer, parameters: int) -> Callable[[], None]:
    """A compiled update of `optimizer`, that waits for its end."""
    generator = np.random.default_rng(0)
    # As in a network: most tensors are small, a few hold most of the parameters.
    sizes = np.exp(generator.normal(0, 1.5, TENSORS))
    shapes = [(max(1, int(size)),) for size in sizes / sizes.sum() * parameters]
    variables = [keras.Variable(generator.normal(size=shape).astype("float32")) for shape in shapes]
    gradients = [keras.ops.convert_to_tensor(generator.normal(size=shape).astype("float32")) for shape in shapes]
    optimizer.build(variables)
    return {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}[keras.backend.backend()](
        optimizer, gradients, variables
    )


def _jax(optimizer, gradients, variables):
    import jax

    def apply(weights, numbers):
        return optimizer.stateless_apply(numbers, gradients, weights)

    # What goes in and what comes out in the same order, as in Keras' step: JAX pairs buffers by order and shape.
    step = jax.jit(apply, donate_argnums=(0, 1))
    state = [[v.value for v in variables], [v.value for v in optimizer.variables]]

    def run():
        state[:] = jax.block_until_ready(step(*state))

    return run


def _tensorflow(optimizer, gradients, variables):
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def step():
        optimizer.apply(gradients, variables)
        return tf.reduce_sum(variables[0].value)

    return lambda: step().numpy()


def _torch(optimizer, gradients, variables):
    import torch

    def run():
        with torch.no_grad():
            optimizer.apply(gradients, variables)
        float(variables[0].value.sum())

    return run


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--parameters", type=int, default=1_000_000)
    options = parser.parse_args()
    contenders = {name: update(make(), options.parameters) for name, make in CONTENDERS.items()}
    results = medians(contenders, options.repeats, calls=5)
    title = f"One update of {TENSORS} tensors, {options.parameters:,} parameters, {keras.backend.backend()}"
    report(title, results, "Keras AdamW", options.json)


if __name__ == "__main__":
    main()
