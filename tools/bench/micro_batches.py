"""What pieces cost, and what they save: a step of `Trainer` on one large batch, whole and in micro-batches.

KERAS_BACKEND=jax python tools/bench/micro_batches.py [--batch 256] [--sizes 64 16] [--repeats 5] [--json PATH]

The memory is, on JAX, what the compiler sets aside for a step beside its arguments and results; on torch the most that
is kept at one moment for the backward pass. TensorFlow has no public way to ask.
"""

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from _timing import arguments, medians, record, table
from keras import layers

import keras_tricks as kt

SIDE = 48


def trainer(size: int | None) -> kt.Trainer:
    """A small convolutional network, to be trained in pieces of `size`."""
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *body, layers.GlobalAveragePooling2D(), layers.Dense(10)])
    made = kt.Trainer(model, micro_batch_size=size)
    made.compile(kt.optimizers.SGD(1e-3, momentum=0.9), kt.losses.Crossentropy(from_logits=True))
    return made


def images_and_labels(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """One batch."""
    generator = np.random.default_rng(0)
    return generator.random((batch, SIDE, SIDE, 3), "float32"), generator.integers(0, 10, batch)


def step(size: int | None, batch: int) -> Callable[[], Any]:
    """A step on one batch, again and again."""
    made, data = trainer(size), images_and_labels(batch)
    return lambda: made.train_on_batch(*data)


def memory_on_jax(size: int | None, batch: int) -> int:
    """The bytes that the compiled step needs for what lives within it only."""
    import jax

    made, data = trainer(size), images_and_labels(batch)
    made.train_on_batch(*data)
    parts = (made.trainable_variables, made.non_trainable_variables, made.optimizer.variables, made.metrics_variables)
    state = tuple([variable.value for variable in part] for part in parts)
    compiled = jax.jit(made.train_step, donate_argnums=0).lower(state, (*data, None)).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def memory_on_torch(size: int | None, batch: int) -> int:
    """The most bytes that are kept for the backward pass at one moment."""
    import torch

    now, most = [0], [0]

    class Kept:
        def __init__(self, tensor):
            self.tensor, self.bytes = tensor, tensor.nbytes
            now[0] += self.bytes
            most[0] = max(most[0], now[0])

        def __del__(self):
            now[0] -= self.bytes

    made, data = trainer(size), images_and_labels(batch)
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        made.train_on_batch(*data)
    return most[0]


MEMORY = {"jax": memory_on_jax, "torch": memory_on_torch}


def main() -> None:
    """Prints the table."""
    parser = arguments(__doc__ or "", repeats=5)
    parser.add_argument("--batch", type=int, default=256, help="samples in the batch (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 16], help="of the pieces (default: %(default)s)")
    options = parser.parse_args()
    names = {"whole": None} | {f"pieces of {size}": size for size in options.sizes}
    times = medians({name: step(size, options.batch) for name, size in names.items()}, options.repeats, warmup=2)
    backend = keras.backend.backend()
    title = f"{backend}: a step on {options.batch} images of {SIDE}x{SIDE}"
    used = {n: MEMORY[backend](size, options.batch) / 2**20 for n, size in names.items()} if backend in MEMORY else {}
    print(f"\n{title}\n{table(times, 'whole')}")
    for name, mebibytes in used.items():
        print(f"{name}: {mebibytes:.0f} MiB, {mebibytes / used['whole']:.2f} of the whole's")
    if options.json:
        record(title, times, "whole", options.json, {"mebibytes": used})


if __name__ == "__main__":
    main()
