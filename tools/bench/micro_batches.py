"""What pieces cost: a step of `Trainer` on one large batch, whole and in micro-batches.

KERAS_BACKEND=jax python tools/bench/micro_batches.py [--batch 256] [--sizes 64 16] [--repeats 5] [--json PATH]
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from _timing import arguments, medians, report
from keras import layers

import keras_tricks as kt

SIDE = 48


def step(size: int | None, batch: int):
    """A step on one batch, again and again."""
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *body, layers.GlobalAveragePooling2D(), layers.Dense(10)])
    trainer = kt.Trainer(model, micro_batch_size=size)
    trainer.compile(kt.optimizers.SGD(1e-3, momentum=0.9), kt.losses.Crossentropy(from_logits=True))
    generator = np.random.default_rng(0)
    images = generator.random((batch, SIDE, SIDE, 3), "float32")
    labels = generator.integers(0, 10, batch)
    return lambda: trainer.train_on_batch(images, labels)


def main() -> None:
    """Prints the table."""
    parser = arguments(__doc__ or "", repeats=5)
    parser.add_argument("--batch", type=int, default=256, help="samples in the batch (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 16], help="of the pieces (default: %(default)s)")
    options = parser.parse_args()
    names = {"whole": None} | {f"pieces of {size}": size for size in options.sizes}
    times = medians({name: step(size, options.batch) for name, size in names.items()}, options.repeats, warmup=2)
    title = f"{keras.backend.backend()}: a step on {options.batch} images of {SIDE}x{SIDE}"
    report(title, times, "whole", options.json)


if __name__ == "__main__":
    main()
