"""What an update costs, by our optimizers and wrappers and by Keras' own: 60 tensors, or a small ResNet's whole step.

KERAS_BACKEND=jax python tools/bench/optimizers.py [--repeats 30] [--parameters 1000000] [--only TEXT] [--json PATH]
KERAS_BACKEND=jax python tools/bench/optimizers.py --step [--batch-size 32]  # a step of training
"""

from collections.abc import Callable

import keras
import numpy as np
from _timing import arguments, medians, report
from keras import layers

from keras_tricks import optimizers as kto
from keras_tricks.optimizers import LAMB, LARS, SGD, AdamW, OptimizerWrapper, WeightAverage
from keras_tricks.schedules import OneCycle

TENSORS, CLASSES, STEPS = 60, 10, 4
ONE_CYCLE = OneCycle(1e-3, total_steps=100_000)
DECAY = {"weight_decay": 0.004, "no_decay": None}  # of every variable, as Keras does
KERAS_EMA = "Keras AdamW(use_ema=True)"
L1 = keras.regularizers.L1(1.0)


def adamw() -> keras.optimizers.Optimizer:
    """What all wrappers stand around."""
    return keras.optimizers.AdamW(1e-3)


CONTENDERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "Keras AdamW": adamw,
    "AdamW": lambda: AdamW(1e-3, **DECAY),
    "AdamW, one-cycle": lambda: AdamW(ONE_CYCLE, beta_1=ONE_CYCLE.momentum(), **DECAY),
    "Keras SGD": lambda: keras.optimizers.SGD(1e-3, momentum=0.9),
    "SGD": lambda: SGD(1e-3, momentum=0.9),
    "SGD, one-cycle": lambda: SGD(ONE_CYCLE, momentum=ONE_CYCLE.momentum()),
    "Keras Lamb": lambda: keras.optimizers.Lamb(1e-3, weight_decay=0.004),
    "LAMB": lambda: LAMB(1e-3, **DECAY),
    "LARS": lambda: LARS(1e-3, **DECAY),
    "OptimizerWrapper(AdamW)": lambda: OptimizerWrapper(adamw()),
    "WeightAverage(AdamW)": lambda: WeightAverage(adamw()),
    "WeightAverage(AdamW, every=10)": lambda: WeightAverage(adamw(), every=10),
    "WeightAverage(AdamW, mean, not begun)": lambda: WeightAverage(adamw(), kind="mean", every=100, start=10**6),
    KERAS_EMA: lambda: keras.optimizers.AdamW(1e-3, use_ema=True),
    "Lookahead(AdamW)": lambda: kto.Lookahead(adamw()),
    "GradientCentralization(AdamW)": lambda: kto.GradientCentralization(adamw()),
    "AdaptiveClipping(AdamW)": lambda: kto.AdaptiveClipping(adamw()),
    "GlobalNormClipping(AdamW)": lambda: kto.GlobalNormClipping(adamw()),
    "Keras AdamW(global_clipnorm=1)": lambda: keras.optimizers.AdamW(1e-3, global_clipnorm=1.0),
    "GradientNoise(AdamW)": lambda: kto.GradientNoise(adamw()),
    "LayerwiseRates(AdamW), all at 0.5": lambda: kto.LayerwiseRates(adamw(), {}, default=0.5),
    "Freeze(AdamW), a half": lambda: kto.Freeze(adamw(), "[13579]$|[13579]/"),
    "GradualUnfreezing(AdamW), a half frozen": lambda: kto.GradualUnfreezing(adamw(), [("[13579]$|[13579]/", 10**6)]),
    "Accumulate(AdamW, 4)": lambda: kto.Accumulate(adamw(), 4),
    "Keras AdamW(gradient_accumulation_steps=4)": lambda: keras.optimizers.AdamW(1e-3, gradient_accumulation_steps=4),
    "SwitchOptimizer(AdamW, SGD)": lambda: kto.SwitchOptimizer(adamw(), "sgd", at=10**6),
    "SwitchOptimizer(AdamW, SGD, swats)": lambda: kto.SwitchOptimizer(adamw(), "sgd", at="swats"),
    "DecoupledPenalty(AdamW, L1)": lambda: kto.DecoupledPenalty(adamw(), L1, pattern=""),
}


def resnet() -> keras.Model:
    """A residual network of 0.7 M parameters for 32x32 images: 17 convolutions with BatchNormalization."""
    keras.utils.set_random_seed(0)

    def convolution(x, width, strides=1, size=3):
        return layers.BatchNormalization()(layers.Conv2D(width, size, strides, padding="same", use_bias=False)(x))

    images = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolution(images, 32))
    for width, strides in ((32, 1), (64, 2), (128, 2)):
        for block in range(2):
            y = layers.ReLU()(convolution(x, width, 1 if block else strides))
            y = convolution(y, width)
            x = x if block or strides == 1 else convolution(x, width, strides, size=1)
            x = layers.ReLU()(layers.Add()([x, y]))
    return keras.Model(images, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def step(optimizer: keras.optimizers.Optimizer, batch_size: int) -> Callable[[], None]:
    """A few steps of `fit`, compiled already."""
    generator = np.random.default_rng(0)
    images = generator.normal(size=(STEPS * batch_size, 32, 32, 3)).astype("float32")
    labels = generator.integers(0, CLASSES, STEPS * batch_size)
    model = resnet()
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return lambda: model.fit(images, labels, batch_size=batch_size, shuffle=False, verbose=0)


def update(optimizer: keras.optimizers.Optimizer, parameters: int) -> Callable[[], None]:
    """A compiled update of `optimizer`, that waits for its end."""
    generator = np.random.default_rng(0)
    # As in a network: most tensors are small, a few hold most of the parameters.
    sizes = np.exp(generator.normal(0, 1.5, TENSORS))
    counts = [max(1, int(size)) for size in sizes / sizes.sum() * parameters]
    shapes = [(count // 32, 32) if count >= 2048 else (count,) for count in counts]
    variables = [
        keras.Variable(generator.normal(size=shape).astype("float32"), name=f"w{index}")
        for index, shape in enumerate(shapes)
    ]
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
    parser.add_argument("--step", action="store_true", help="time a step of training")
    parser.add_argument("--batch-size", type=int, default=32, help="with --step (default: %(default)s)")
    parser.add_argument("--only", metavar="TEXT", help="contenders with one of these words, a comma between them")
    options = parser.parse_args()
    words = (options.only or "").split(",")
    chosen = {n: make for n, make in CONTENDERS.items() if n == "Keras AdamW" or any(word in n for word in words)}
    backend = keras.backend.backend()
    if options.step:
        if backend == "jax" and chosen.pop(KERAS_EMA, None):
            print(f"{KERAS_EMA}: left out, after one `fit` it cannot be trained on with JAX")
        contenders = {name: step(make(), options.batch_size) for name, make in chosen.items()}
        results = {n: time / STEPS for n, time in medians(contenders, options.repeats, warmup=2).items()}
        title = f"One step of a small ResNet on {options.batch_size} images of 32x32, {backend}"
    else:
        contenders = {name: update(make(), options.parameters) for name, make in chosen.items()}
        results = medians(contenders, options.repeats, calls=5)
        title = f"One update of {TENSORS} tensors, {options.parameters:,} parameters, {backend}"
    report(title, results, "Keras AdamW", options.json)


if __name__ == "__main__":
    main()
