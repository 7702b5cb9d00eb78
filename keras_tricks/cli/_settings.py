"""Everything that decides how a training run goes."""

import dataclasses
import pathlib

from keras_tricks.cli._error import CommandError

# The families know their own names, but they import Keras: whoever mistypes one should not wait for that.
DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100")
MODELS = ("cnn", "resnet", "mlp")
# A mirrored digit is another sign or none.
DIGITS = ("digits", "mnist")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a training run, as its `config.json` keeps them.

    Args:
        dataset: A name, or the absolute path of a folder or `.npz`.
        backend: `"tensorflow"`, `"jax"` or `"torch"`.
        model: One of `MODELS`.
        augment: Names or calls of augmentations, in the order in which they are applied.
        epochs: How often each training image is seen.
        batch_size: Images in a step.
        learning_rate: The peak of the schedule.
        average: Whether a moving average of the weights is kept, evaluated and shipped.
        seed: Of the weights, the order of the images, dropout and augmentation.
        image_size: Height and width that a folder's images are resized to, or None.
        strict: Whether an unreadable image is an error.
    """

    dataset: str = "digits"
    backend: str = "tensorflow"
    model: str = "cnn"
    augment: tuple[str, ...] = ()
    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 3e-3
    average: bool = True
    seed: int = 0
    image_size: tuple[int, int] | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        for name in ("augment", "image_size"):  # Lists, when they come from JSON.
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))


def default_augment(dataset: str) -> tuple[str, ...]:
    """The augmentations for a data set when none are asked for."""
    return ("crop", "mixup") if dataset in DIGITS else ("flip", "crop", "mixup")


def resolved(dataset: str) -> str:
    """A data set's name, or its absolute path: a resumed run may start elsewhere."""
    return dataset if dataset in DATASETS else str(pathlib.Path(dataset).absolute())


def check_dataset(dataset: str) -> None:
    """Refuses what is neither the name of a data set nor there."""
    if dataset not in DATASETS and not pathlib.Path(dataset).exists():
        raise CommandError(
            f"There is no data set {dataset!r}. Choose one of {', '.join(DATASETS)}, a folder of class folders or an "
            ".npz file."
        )
