"""How good is the range test? Its readings beside the best peak of a one-cycle run, of a ladder of rates.

    KERAS_BACKEND=torch python tools/experiments/range_test.py --dataset digits --model cnn [--seed 0] [--rates 12]

The last line is a JSON object: every reading, and the accuracy on the test images of a run with each peak.
"""

import json
import sys
import time

import numpy as np
from _setting import BATCH_SIZE, arguments, load, optimizer, steps_per_epoch, trainer

import keras_tricks as kt

LOWEST, FACTOR = {"sgd": 0.002, "adamw": 0.0001}, 2.0


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--optimizer", choices=list(LOWEST), default="sgd", help="(default: %(default)s)")
    parser.add_argument("--rates", type=int, default=12, help="how many peaks, each twice the one before")
    parser.add_argument("--curve", metavar="PATH", help="also write the curve, rates and losses, to this .npz")
    options = parser.parse_args()
    train, test = load(options)
    shape, total = train[0].shape[1:], options.epochs * steps_per_epoch(len(train[0]))
    model = trainer(options, shape, optimizer(options.optimizer, 0.01))
    found = kt.diagnostics.learning_rate_range(model, train, batch_size=BATCH_SIZE, verbose=0)
    if options.curve:
        np.savez(options.curve, rates=found.rates, losses=found.losses)
    report = {name: rate for name, rate in found.suggestions.items() if rate is not None}
    if found.suggestion is not None:
        report["suggestion"] = found.suggestion
    for place in range(options.rates):
        peak = LOWEST[options.optimizer] * FACTOR**place
        started = time.perf_counter()
        schedule = kt.schedules.OneCycle(peak, total)
        model = trainer(options, shape, optimizer(options.optimizer, schedule, schedule.momentum()))
        model.fit(*train, batch_size=BATCH_SIZE, epochs=options.epochs, verbose=0)
        accuracy = model.evaluate(*test, batch_size=256, verbose=0, return_dict=True)["accuracy"]
        report[f"accuracy_{peak:g}"] = float(accuracy)
        print(f"{peak:g}: {accuracy:.4f}, {time.perf_counter() - started:.1f} s", file=sys.stderr, flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
