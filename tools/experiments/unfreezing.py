"""Fine-tuning on few images of new classes: all at once, the head alone, thawed layer by layer, by layerwise rates.

    KERAS_BACKEND=torch python tools/experiments/unfreezing.py --dataset digits --model cnn [--seed 0] [--few 20]

A small network is trained on the first five classes, gets a new head, and is trained on `--few` images of each of the
other five. The last line is a JSON object: accuracy and loss on the test images of those five classes, and the median
seconds of an epoch of fine-tuning.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from _setting import BATCH_SIZE, Clock, arguments, load, network, steps_per_epoch, trainer

import keras_tricks as kt

SMALL_BATCH = 20

# From the optimizer and the updates of the run to the optimizer that fine-tunes.
METHODS: dict[str, Callable[[Any, int], keras.optimizers.Optimizer]] = {
    "all": lambda inner, total: inner,
    "head_alone": lambda inner, total: kt.optimizers.Freeze(inner, "stage"),
    "gradual": lambda inner, total: kt.optimizers.GradualUnfreezing(
        inner, [("stage0", 3 * total // 4), ("stage1", total // 2), ("stage2", total // 4)], rise=total // 10
    ),
    "layer_decay": lambda inner, total: kt.optimizers.LayerwiseRates(inner, layer_decay=0.5),
}


def main() -> None:
    """Trains once, fine-tunes in each way, and prints what came of it."""
    parser = arguments(__doc__ or "")
    parser.set_defaults(epochs=30)
    parser.add_argument("--rate", type=float, default=1e-3, help="of Adam, fine-tuning (default: %(default)s)")
    parser.add_argument("--few", type=int, default=20, help="images of each new class (default: %(default)s)")
    options = parser.parse_args()
    (x, y), (x_test, y_test) = load(options)
    shape, old, new = x.shape[1:], y < 5, np.flatnonzero(y >= 5)
    few = np.concatenate([new[y[new] == label][: options.few] for label in range(5, 10)])
    schedule = kt.schedules.Cosine(3e-3, options.epochs * steps_per_epoch(int(old.sum())))
    body = network(options, shape)
    first = trainer(options, shape, keras.optimizers.Adam(schedule), body)
    first.fit(x[old], y[old], batch_size=BATCH_SIZE, epochs=options.epochs, verbose=0)
    trained, total = body.get_weights(), options.epochs * -(-len(few) // SMALL_BATCH)
    report, images, labels = {}, x_test[y_test >= 5], y_test[y_test >= 5]
    for name, make in METHODS.items():
        model = network(options, shape)
        model.set_weights([*trained[:-2], *model.get_weights()[-2:]])
        tuned = make(keras.optimizers.Adam(kt.schedules.Cosine(options.rate, total)), total)
        tuning, clock = trainer(options, shape, tuned, model), Clock()
        tuning.fit(x[few], y[few], batch_size=SMALL_BATCH, epochs=options.epochs, verbose=0, callbacks=[clock])
        found = tuning.evaluate(images, labels, batch_size=256, verbose=0, return_dict=True)
        report[f"accuracy_{name}"], report[f"loss_{name}"] = found["accuracy"], found["loss"]
        report[f"seconds_{name}"] = clock.median()
        print(f"{name}: {found['accuracy']:.4f}", file=sys.stderr, flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
