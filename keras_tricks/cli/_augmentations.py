"""The augmentations that `--augment` names, with what suits the images at hand."""

from collections.abc import Sequence

from keras_tricks import augment


def build(
    names: Sequence[str], image_shape: tuple[int, ...], num_classes: int, seed: int
) -> list[augment.BatchAugmentation]:
    """The augmentations called `names`, for images `(height, width, channels)`."""
    # One after the other on the same image would mix up to four: each on half of them mixes two mostly.
    mixing_rate = 0.5 if {"mixup", "cutmix"} <= set(names) else 1.0
    builders = {
        "crop": lambda: augment.RandomCrop(padding=max(1, round(min(image_shape[:2]) / 8)), seed=seed),
        "flip": lambda: augment.RandomFlip(seed=seed),
        "mixup": lambda: augment.MixUp(alpha=0.2, num_classes=num_classes, rate=mixing_rate, seed=seed),
        "cutmix": lambda: augment.CutMix(num_classes=num_classes, rate=mixing_rate, seed=seed),
    }
    return [builders[name]() for name in names]
