"""The models that the command trains: plain Keras, images as stored (0-255) in, probabilities out.

None holds a layer of this package, so that what is saved loads with Keras alone.
"""

import math
from collections.abc import Callable

import keras
import numpy as np
from keras import layers

Dropout = Callable[[float], layers.Layer]


def build(name: str, image_shape: tuple[int, ...], num_classes: int, seed: int) -> keras.Model:
    """The model called `name`, for images `(height, width, channels)`; `seed` is its dropout's."""
    seeds = np.random.default_rng(seed)

    def dropout(rate: float) -> layers.Layer:
        # Unseeded, it draws on torch from a global stream, which no checkpoint holds.
        return layers.Dropout(rate, seed=int(seeds.integers(2**31)))

    images = keras.Input(image_shape, name="images")
    features = MODELS[name](layers.Rescaling(1 / 127.5, offset=-1.0)(images), dropout)
    probabilities = layers.Dense(num_classes, activation="softmax", dtype="float32")(features)
    return keras.Model(images, probabilities, name=name)


def _cnn(x: keras.KerasTensor, dropout: Dropout) -> keras.KerasTensor:
    for stage in range(_stages(x)):
        x = layers.MaxPooling2D()(x) if stage else x
        for _ in range(2):
            x = _convolution(x, _width(stage))
            x = layers.Activation("relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return dropout(0.3)(x)


def _resnet(x: keras.KerasTensor, dropout: Dropout) -> keras.KerasTensor:
    x = layers.Activation("relu")(_convolution(x, _width(0)))
    for stage in range(_stages(x)):
        for block in range(2):
            strides = 2 if stage and not block else 1
            y = layers.Activation("relu")(_convolution(x, _width(stage), strides=strides))
            y = _convolution(y, _width(stage))
            if strides > 1:
                x = _convolution(layers.AveragePooling2D(2, padding="same")(x), _width(stage), kernel_size=1)
            x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return dropout(0.3)(x)


def _mlp(x: keras.KerasTensor, dropout: Dropout) -> keras.KerasTensor:
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(512, activation="relu")(x)
        x = dropout(0.3)(x)
    return x


MODELS = {"cnn": _cnn, "resnet": _resnet, "mlp": _mlp}


def _convolution(x: keras.KerasTensor, width: int, kernel_size: int = 3, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(width, kernel_size, strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def _stages(x: keras.KerasTensor) -> int:
    """How many resolutions, each half the one before, lead to a map about 4 wide."""
    return min(max(round(math.log2(min(x.shape[1:3]) / 4)) + 1, 1), 6)


def _width(stage: int) -> int:
    return min(32 * 2**stage, 256)
