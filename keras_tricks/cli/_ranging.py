"""The range test itself. Imported once the backend is chosen."""

import argparse

import keras
from rich.console import Console

import keras_tricks as kt
from keras_tricks.cli import _augmentations, _console, _models, _settings


def find(arguments: argparse.Namespace) -> int:
    """Prints the verdict, and writes the picture to `arguments.out`."""
    console = Console(highlight=False, soft_wrap=True)
    data = _console.load(arguments.dataset, arguments.image_size, False, console)
    shape, names = data.x_train.shape[1:], arguments.augment
    names = _settings.default_augment(arguments.dataset) if names is None else names
    keras.utils.set_random_seed(arguments.seed)
    model = _models.build(arguments.model, shape, data.num_classes, arguments.seed)
    steps_per_epoch = max(1, len(data.x_train) // arguments.batch_size)
    layers = _augmentations.build(names, shape, data.num_classes, arguments.seed, steps_per_epoch)
    _augmentations.check_size(layers, shape)
    trainer = kt.Trainer(model, augment=layers)
    trainer.compile(_optimizer(arguments.optimizer), loss=kt.losses.Crossentropy(label_smoothing=0.1))
    found = kt.diagnostics.learning_rate_range(
        trainer,
        (data.x_train, data.y_train),
        low=arguments.low,
        high=arguments.high,
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        verbose=int(console.is_terminal),
    )
    found.plot(arguments.out)
    if not console.is_terminal:
        console.print(str(found), markup=False)
    console.print(str(arguments.out), markup=False)
    return 0


def _optimizer(name: str) -> keras.optimizers.Optimizer:
    if name == "sgd":
        return kt.optimizers.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    return keras.optimizers.AdamW(0.01, weight_decay=0.01)
