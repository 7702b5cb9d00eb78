"""Augmentations of a batch, before the model: eager, in the compiled step, in a data pipeline, the same layer."""

from keras_tricks.augment._base import BatchAugmentation
from keras_tricks.augment.alternating_flip import AlternatingFlip
from keras_tricks.augment.aug_mix import AugMix
from keras_tricks.augment.auto_augment import AutoAugment
from keras_tricks.augment.auto_contrast import AutoContrast
from keras_tricks.augment.center_crop import CenterCrop
from keras_tricks.augment.color_jitter import ColorJitter
from keras_tricks.augment.cutmix import CutMix
from keras_tricks.augment.cutout import CutOut
from keras_tricks.augment.equalize import Equalize
from keras_tricks.augment.gaussian_blur import GaussianBlur
from keras_tricks.augment.gaussian_noise import GaussianNoise
from keras_tricks.augment.grid_mask import GridMask
from keras_tricks.augment.invert import Invert
from keras_tricks.augment.lens_distortion import LensDistortion
from keras_tricks.augment.mixup import MixUp
from keras_tricks.augment.normalize import Normalize
from keras_tricks.augment.pca_lighting import PCALighting
from keras_tricks.augment.posterize import Posterize
from keras_tricks.augment.rand_augment import RandAugment
from keras_tricks.augment.random_affine import RandomAffine
from keras_tricks.augment.random_apply import RandomApply
from keras_tricks.augment.random_brightness_contrast import RandomBrightnessContrast
from keras_tricks.augment.random_choice import RandomChoice
from keras_tricks.augment.random_crop import RandomCrop
from keras_tricks.augment.random_erasing import RandomErasing
from keras_tricks.augment.random_flip import RandomFlip
from keras_tricks.augment.random_grayscale import RandomGrayscale
from keras_tricks.augment.random_perspective import RandomPerspective
from keras_tricks.augment.random_resized_crop import RandomResizedCrop
from keras_tricks.augment.random_scale_crop import RandomScaleCrop
from keras_tricks.augment.repeated_augmentation import RepeatedAugmentation
from keras_tricks.augment.resize import Resize
from keras_tricks.augment.rgb_shift import RGBShift
from keras_tricks.augment.sequence import Sequence
from keras_tricks.augment.sharpness import Sharpness
from keras_tricks.augment.smallest_max_size import SmallestMaxSize
from keras_tricks.augment.solarize import Solarize
from keras_tricks.augment.solarize_add import SolarizeAdd
from keras_tricks.augment.three_augment import ThreeAugment
from keras_tricks.augment.trivial_augment import TrivialAugment

__all__ = [
    "AlternatingFlip",
    "AugMix",
    "AutoAugment",
    "AutoContrast",
    "BatchAugmentation",
    "CenterCrop",
    "ColorJitter",
    "CutMix",
    "CutOut",
    "Equalize",
    "GaussianBlur",
    "GaussianNoise",
    "GridMask",
    "Invert",
    "LensDistortion",
    "MixUp",
    "Normalize",
    "PCALighting",
    "Posterize",
    "RGBShift",
    "RandAugment",
    "RandomAffine",
    "RandomApply",
    "RandomBrightnessContrast",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomScaleCrop",
    "RepeatedAugmentation",
    "Resize",
    "Sequence",
    "Sharpness",
    "SmallestMaxSize",
    "Solarize",
    "SolarizeAdd",
    "ThreeAugment",
    "TrivialAugment",
]
