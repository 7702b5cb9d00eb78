"""Plain steps, SAM and ASAM: the accuracy of each after the same number of epochs on few images.

    KERAS_BACKEND=torch python tools/experiments/sharpness.py [--seed 0] [--train 300] [--wrong 0.2] [--epochs 60]

The digits of scikit-learn, `--train` of them to train on (a share `--wrong` of their labels drawn by chance), the
others to test. Plain steps also run for twice the epochs, which is what SAM costs. The last line is a JSON object of
the accuracies.
"""

import argparse
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

import keras_tricks as kt

SAM = kt.training.SAM
# What is added to the step, and for how many times the epochs.
RUNS = {
    "plain": (None, 1),
    "plain_twice_the_epochs": (None, 2),
    "sam_0.05": (SAM(0.05), 1),
    "sam_0.1": (SAM(0.1), 1),
    "sam_0.05_every_2": (SAM(0.05, every=2), 1),
    "asam_0.5": (SAM(0.5, adaptive=True), 1),
    "asam_1": (SAM(1.0, adaptive=True), 1),
}
BATCH_SIZE, CLASSES = 32, 10


def main() -> None:
    """Runs them all, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--train", type=int, default=300, help="images to train on (default: %(default)s)")
    parser.add_argument("--wrong", type=float, default=0.0, help="share of labels by chance (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=60, help="(default: %(default)s)")
    options = parser.parse_args()
    digits, generator = load_digits(), np.random.default_rng(options.seed)
    images, labels = (digits.images / 16).astype("float32")[..., None], digits.target.astype("int32")
    order = generator.permutation(len(images))
    train, test = order[: options.train], order[options.train :]
    taught = labels[train].copy()
    wrong = generator.random(options.train) < options.wrong
    taught[wrong] = generator.integers(0, CLASSES, wrong.sum())
    report = {}
    for name, (sharpness, times) in RUNS.items():
        keras.utils.set_random_seed(options.seed)
        epochs = times * options.epochs
        body = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(64, activation="relu")]
        model = keras.Sequential([keras.Input((8, 8, 1)), *body, layers.Dense(CLASSES)])
        trainer = kt.Trainer(model, sharpness=sharpness)
        rate = keras.optimizers.schedules.CosineDecay(0.05, epochs * -(-options.train // BATCH_SIZE))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        trainer.compile(keras.optimizers.SGD(rate, momentum=0.9), loss)
        trainer.fit(images[train], taught, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
        found = model.predict(images[test], batch_size=2000, verbose=0).argmax(1)
        report[f"accuracy_{name}"] = float((found == labels[test]).mean())
        print(f"{name}: {report[f'accuracy_{name}']:.4f}", file=sys.stderr, flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
