"""Constant, step, cosine, one-cycle, cyclical, restarts: the accuracy of each after the same number of epochs.

    KERAS_BACKEND=torch python tools/experiments/schedules.py --dataset digits --model cnn [--seed 0] [--peaks 0.1 0.4]

Every schedule is run at every peak, because none is best at another's. The last line is a JSON object of accuracies on
the test images, and of losses there.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from _setting import BATCH_SIZE, arguments, load, optimizer, steps_per_epoch, trainer

from keras_tricks.schedules import Cosine, CosineRestarts, Cyclical, OneCycle, Step


def one_cycle(peak: float, total: int) -> tuple[Any, Any]:
    """Rate and momentum, opposite to each other."""
    schedule = OneCycle(peak, total)
    return schedule, schedule.momentum()


# From a peak and the number of updates to the rate and the momentum.
SCHEDULES: dict[str, Callable[[float, int], tuple[Any, Any]]] = {
    "constant": lambda peak, total: (peak, 0.9),
    "step": lambda peak, total: (Step(peak, [total // 2, total * 3 // 4]), 0.9),
    "cosine": lambda peak, total: (Cosine(peak, total), 0.9),
    "one_cycle": one_cycle,
    "cyclical": lambda peak, total: (Cyclical(peak / 10, peak, total // 6, policy="triangular2"), 0.9),
    "restarts": lambda peak, total: (CosineRestarts(peak, total // 3, period_factor=2.0), 0.9),
}


def main() -> None:
    """Runs them all, and prints what came of it."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--peaks", type=float, nargs="+", default=[0.1, 0.4], help="(default: %(default)s)")
    options = parser.parse_args()
    train, test = load(options)
    total, report = options.epochs * steps_per_epoch(len(train[0])), {}
    for name, make in SCHEDULES.items():
        for peak in options.peaks:
            started = time.perf_counter()
            model = trainer(options, train[0].shape[1:], optimizer("sgd", *make(peak, total)))
            model.fit(*train, batch_size=BATCH_SIZE, epochs=options.epochs, verbose=0)
            found = model.evaluate(*test, batch_size=256, verbose=0, return_dict=True)
            report[f"accuracy_{name}_{peak:g}"], report[f"loss_{name}_{peak:g}"] = found["accuracy"], found["loss"]
            took = time.perf_counter() - started
            print(f"{name} {peak:g}: {found['accuracy']:.4f}, {took:.1f} s", file=sys.stderr, flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
