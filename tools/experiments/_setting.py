"""What the experiments share: images, small networks, and one run that reports its accuracy."""

import argparse
import os
import statistics
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import keras_tricks as kt

BATCH_SIZE = 64
WIDTHS = (16, 32, 64)


class Clock(keras.callbacks.Callback):
    """The seconds of each epoch."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self.began)

    def median(self) -> float:
        """The seconds of a usual epoch; the first one compiles."""
        return statistics.median(self.seconds[1:] or self.seconds)


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that every experiment has; add more to it."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits", help="a name, a folder or an .npz (default: %(default)s)")
    parser.add_argument("--model", choices=NETWORKS, default="cnn", help="(default: %(default)s)")
    parser.add_argument("--train", type=int, help="how many training images, the first ones (default: all)")
    parser.add_argument("--test", type=int, help="how many test images (default: all)")
    parser.add_argument("--epochs", type=int, default=15, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation (default: %(default)s)")
    return parser


def load(options: argparse.Namespace) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The training and the test images with their labels."""
    data = kt.data.load(options.dataset)
    train = data.x_train[: options.train], data.y_train[: options.train]
    return train, (data.x_test[: options.test], data.y_test[: options.test])


def steps_per_epoch(samples: int) -> int:
    """The updates of an epoch."""
    return -(-samples // BATCH_SIZE)


def network(options: argparse.Namespace, shape: tuple[int, ...], classes: int = 10) -> keras.Model:
    """The network named in `options`, with fresh weights."""
    keras.utils.set_random_seed(options.seed)
    images = keras.Input(shape)
    features = NETWORKS[options.model](layers.Rescaling(1 / 127.5, offset=-1.0)(images))
    return keras.Model(images, layers.Dense(classes, name="head")(features))


def trainer(
    options: argparse.Namespace,
    shape: tuple[int, ...],
    optimizer: keras.optimizers.Optimizer,
    model: keras.Model | None = None,
    **arguments: object,
) -> kt.Trainer:
    """The network named in `options`, or `model`, compiled; photographs are flipped and shifted."""
    model = network(options, shape) if model is None else model
    augment = [kt.augment.RandomFlip(), kt.augment.RandomCrop(padding=4)] if shape[-1] == 3 else []
    made = kt.Trainer(model, augment=augment, seed=options.seed, **arguments)
    made.compile(optimizer, kt.losses.Crossentropy(from_logits=True), metrics=[kt.metrics.Accuracy(name="accuracy")])
    return made


def optimizer(name: str, rate: object, momentum: object = 0.9) -> kt.optimizers.Optimizer:
    """SGD or AdamW, with the decay that is usual for it."""
    if name == "sgd":
        return kt.optimizers.SGD(rate, momentum=momentum, nesterov=True, weight_decay=5e-4)
    return kt.optimizers.AdamW(rate, beta_1=momentum, weight_decay=0.01)


def _mlp(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(256, activation="relu")(x)
    return x


def _cnn(x: keras.KerasTensor) -> keras.KerasTensor:
    for stage, width in enumerate(WIDTHS):
        x = layers.MaxPooling2D()(x) if stage else x
        x = layers.Activation("relu")(_convolution(x, width, f"stage{stage}"))
    return layers.GlobalAveragePooling2D()(x)


def _resnet(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Activation("relu")(_convolution(x, WIDTHS[0], "stem"))
    for stage, width in enumerate(WIDTHS):
        strides = 2 if stage else 1
        y = layers.Activation("relu")(_convolution(x, width, f"stage{stage}_first", strides))
        y = _convolution(y, width, f"stage{stage}_second")
        x = _convolution(x, width, f"stage{stage}_shortcut", strides, size=1) if stage else x
        x = layers.Activation("relu")(layers.Add()([x, y]))
    return layers.GlobalAveragePooling2D()(x)


def _convolution(x: keras.KerasTensor, width: int, name: str, strides: int = 1, size: int = 3) -> keras.KerasTensor:
    x = layers.Conv2D(width, size, strides, padding="same", use_bias=False, name=f"{name}_convolution")(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


NETWORKS = {"mlp": _mlp, "cnn": _cnn, "resnet": _resnet}
