"""Plain SGD, EMA, SWA, Lookahead, SAM: what each ends at after the same number of epochs, and what an epoch takes.

    KERAS_BACKEND=torch python tools/experiments/averages.py --dataset digits --model cnn [--seed 0] [--rate 0.2]

All follow one cosine of the learning rate, but SWA's, which stays at a quarter of its peak for the last quarter of the
run. The last line is a JSON object: accuracy and loss on the test images, and the median seconds of an epoch.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import keras
from _setting import BATCH_SIZE, Clock, arguments, load, optimizer, steps_per_epoch, trainer

import keras_tricks as kt


def swa_schedule(rate: float, total: int) -> kt.schedules.Schedule:
    """A cosine for three quarters of the run, down to a quarter of the rate, where it stays."""
    return kt.schedules.Cosine(rate, total * 3 // 4, final=rate / 4)


# From the rate, the updates of the run and of an epoch, to the optimizer, and what the trainer is given beside.
METHODS: dict[str, Callable[[float, int, int], tuple[keras.optimizers.Optimizer, dict[str, Any]]]] = {
    "plain": lambda rate, total, epoch: (optimizer("sgd", kt.schedules.Cosine(rate, total)), {}),
    "ema": lambda rate, total, epoch: (
        kt.optimizers.WeightAverage(optimizer("sgd", kt.schedules.Cosine(rate, total)), decay=0.99),
        {},
    ),
    "swa": lambda rate, total, epoch: (
        kt.optimizers.WeightAverage(
            optimizer("sgd", swa_schedule(rate, total)), kind="mean", start=total * 3 // 4, every=max(1, epoch // 4)
        ),
        {},
    ),
    "lookahead": lambda rate, total, epoch: (
        kt.optimizers.Lookahead(optimizer("sgd", kt.schedules.Cosine(rate, total))),
        {},
    ),
    "sam": lambda rate, total, epoch: (
        optimizer("sgd", kt.schedules.Cosine(rate, total)),
        {"sharpness": kt.training.SAM(rho=0.05)},
    ),
}


def main() -> None:
    """Runs them all, and prints what came of it."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rate", type=float, default=0.2, help="the peak of the learning rate (default: %(default)s)")
    options = parser.parse_args()
    train, test = load(options)
    epoch = steps_per_epoch(len(train[0]))
    report = {}
    for name, make in METHODS.items():
        made, extra = make(options.rate, options.epochs * epoch, epoch)
        model, clock = trainer(options, train[0].shape[1:], made, **extra), Clock()
        averaged = hasattr(made, "average")
        callbacks = [kt.callbacks.EvaluateWithAverage(final="average")] if averaged else []
        model.fit(*train, batch_size=BATCH_SIZE, epochs=options.epochs, verbose=0, callbacks=[*callbacks, clock])
        found = model.evaluate(*test, batch_size=256, verbose=0, return_dict=True)
        report[f"accuracy_{name}"], report[f"loss_{name}"] = found["accuracy"], found["loss"]
        report[f"seconds_{name}"] = clock.median()
        shown = f"{found['accuracy']:.4f}, {report[f'seconds_{name}']:.2f} s an epoch"
        print(f"{name}: {shown}", file=sys.stderr, flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
