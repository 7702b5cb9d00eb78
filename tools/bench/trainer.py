"""What augmentation in the compiled step costs: `fit` of a small CNN on 32x32 images, plain and augmented.

KERAS_BACKEND=jax python tools/bench/trainer.py [--repeats 15] [--batch-size 128] [--processor] [--json PATH]
"""

import time
from collections.abc import Callable

import keras
import numpy as np
from _timing import add_clock, arguments, medians, report
from keras import layers

import keras_tricks as kt

STEPS, CLASSES = 10, 10


def small_cnn() -> keras.Model:
    """Three convolutions with BatchNorm, from images as stored."""
    keras.utils.set_random_seed(0)
    model = [keras.Input((32, 32, 3)), layers.Rescaling(1 / 255)]
    for filters in (16, 32, 64):
        model += [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
        model += [layers.MaxPooling2D()]
    return keras.Sequential([*model, layers.GlobalAveragePooling2D(), layers.Dense(CLASSES)])


CONTENDERS: dict[str, Callable[[], keras.Model]] = {
    "plain model": small_cnn,
    "Trainer, no augmentation": lambda: kt.Trainer(small_cnn()),
    "Trainer, mixup": lambda: kt.Trainer(small_cnn(), [kt.augment.MixUp(0.2, num_classes=CLASSES)]),
    "Trainer, cutmix": lambda: kt.Trainer(small_cnn(), [kt.augment.CutMix(num_classes=CLASSES)]),
    "Trainer, flip + crop": lambda: kt.Trainer(
        small_cnn(), [kt.augment.RandomFlip(), kt.augment.RandomCrop(padding=4)]
    ),
    "Trainer, flip + crop + cutmix": lambda: kt.Trainer(
        small_cnn(),
        [kt.augment.RandomFlip(), kt.augment.RandomCrop(padding=4), kt.augment.CutMix(num_classes=CLASSES)],
    ),
    "Trainer, flip + crop + color + erasing + mixup": lambda: kt.Trainer(
        small_cnn(),
        [
            kt.augment.RandomFlip(),
            kt.augment.RandomCrop(padding=4),
            kt.augment.ColorJitter(0.4, 0.4, 0.4),
            kt.augment.RandomErasing(rate=0.25),
            kt.augment.MixUp(0.8, num_classes=CLASSES),
        ],
    ),
    "Trainer, flip + resized crop + RandAugment(2, 9) + erasing + mixup or cutmix": lambda: kt.Trainer(
        small_cnn(),
        [
            kt.augment.RandomFlip(),
            kt.augment.RandomResizedCrop(32),
            kt.augment.RandAugment(2, 9),
            kt.augment.RandomErasing(rate=0.25),
            kt.augment.RandomChoice([kt.augment.MixUp(0.8, num_classes=CLASSES), kt.augment.CutMix()]),
        ],
    ),
}


def training(make: Callable[[], keras.Model], batch_size: int) -> Callable[[], None]:
    """An epoch of a few steps of the model that `make` makes, compiled already."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (STEPS * batch_size, 32, 32, 3)).astype("uint8")
    labels = generator.integers(0, CLASSES, STEPS * batch_size).astype("int32")
    model = make()
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), kt.losses.Crossentropy(from_logits=True))
    return lambda: model.fit(images, labels, batch_size=batch_size, shuffle=False, verbose=0)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], repeats=15)
    add_clock(parser)
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args()
    contenders = {name: training(make, options.batch_size) for name, make in CONTENDERS.items()}
    times = medians(contenders, options.repeats, clock=options.clock)
    kind = ", processor time" if options.clock is time.process_time else ""
    title = f"One step on {options.batch_size} images of 32x32, {keras.backend.backend()}{kind}"
    report(title, {name: time / STEPS for name, time in times.items()}, "plain model", options.json)


if __name__ == "__main__":
    main()
