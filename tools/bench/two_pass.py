"""What two passes a step cost: `fit` of a small CNN on 32x32 images with a plain step, with SAM, and with ASAM.

KERAS_BACKEND=jax python tools/bench/two_pass.py [--repeats 15] [--batch-size 128] [--processor] [--json PATH]
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from _timing import add_clock, arguments, medians, report
from trainer import STEPS, small_cnn, training

import keras_tricks as kt

PLAIN = "plain step"
CONTENDERS = {
    PLAIN: None,
    "SAM": kt.training.SAM(rho=0.05),
    "SAM, every=2": kt.training.SAM(rho=0.05, every=2),
    "ASAM": kt.training.SAM(rho=0.5, adaptive=True),
}


def main() -> None:
    """Prints the table."""
    parser = arguments(__doc__ or "", repeats=15)
    add_clock(parser)
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args()
    contenders = {
        name: training(lambda sharpness=sharpness: kt.Trainer(small_cnn(), sharpness=sharpness), options.batch_size)
        for name, sharpness in CONTENDERS.items()
    }
    times = medians(contenders, options.repeats, clock=options.clock)
    kind = ", processor time" if options.clock is time.process_time else ""
    title = f"One step on {options.batch_size} images of 32x32, {keras.backend.backend()}{kind}"
    report(title, {name: time / STEPS for name, time in times.items()}, PLAIN, options.json)


if __name__ == "__main__":
    main()
