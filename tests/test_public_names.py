"""The promised names are there, under one path each, and nothing else is public."""

import importlib
import inspect
import types

import keras
import pytest

import keras_tricks as kt
from keras_tricks._core.config import Configured

# A name added here is a promise to users; a name removed breaks one.
PUBLIC = {
    "augment": [
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
    ],
    "callbacks": [
        "EvaluateWithAverage",
        "LogHyperparameters",
        "ReduceOnPlateau",
        "RefreshBatchNorm",
        "SnapshotEnsemble",
    ],
    "data": [
        "BatchGrowth",
        "GrowingBatch",
        "ImageDataset",
        "RepeatedAugmentation",
        "augment",
        "equivalent_batch_growth",
        "load",
    ],
    "diagnostics": ["LearningRateRange", "learning_rate_range"],
    "layers": ["DropPath", "TrainingOnlyLayer"],
    "losses": ["Crossentropy"],
    "metrics": ["Accuracy"],
    "optimizers": [
        "Accumulate",
        "AdamW",
        "AdaptiveClipping",
        "DecoupledPenalty",
        "Freeze",
        "GlobalNormClipping",
        "GradientCentralization",
        "GradientNoise",
        "GradualUnfreezing",
        "LAMB",
        "LARS",
        "LayerwiseRates",
        "Lookahead",
        "Number",
        "Optimizer",
        "OptimizerWrapper",
        "SGD",
        "SwitchOptimizer",
        "WeightAverage",
        "bias_and_norm",
        "normalized_decay",
    ],
    "schedules": [
        "Cosine",
        "CosineRestarts",
        "Cyclical",
        "Exponential",
        "InverseSqrt",
        "Join",
        "Linear",
        "OneCycle",
        "OneCycleMomentum",
        "Polynomial",
        "Scaled",
        "Schedule",
        "Step",
        "Trapezoid",
        "Warmup",
        "scale_learning_rate",
    ],
    "training": ["SAM", "Trainer", "fit_lbfgs"],
}
OBJECTS = [pytest.param(family, name, id=f"{family}.{name}") for family in PUBLIC for name in PUBLIC[family]]


def test_the_root_holds_the_families_the_trainer_and_what_hooks_are_written_with():
    assert sorted(kt.__all__) == sorted([*PUBLIC, "Trainer", "ops", "random"])
    assert kt.ops.number(3) == 3
    assert kt.random.uniform(kt.random.key((1, 0), (2, 3)), (4,)).shape == (4,)
    assert set(kt.__all__) <= set(dir(kt))
    assert isinstance(kt.__version__, str)
    assert kt.Trainer is kt.training.Trainer


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="no attribute 'mixup'"):
        _ = kt.mixup


@pytest.mark.parametrize("family", PUBLIC)
def test_a_family_exports_exactly_its_promised_names(family):
    module = getattr(kt, family)
    assert module is importlib.import_module(f"keras_tricks.{family}")
    assert sorted(module.__all__) == sorted(PUBLIC[family])


@pytest.mark.parametrize("family", PUBLIC)
def test_a_family_has_no_public_name_outside_its_list(family):
    reachable = {name for name, value in vars(getattr(kt, family)).items() if not isinstance(value, types.ModuleType)}
    # Only a function that bears its file's name (`data.augment`) can stand where Python puts the submodule.
    assert {name for name in reachable if not name.startswith("_")} == set(PUBLIC[family])


@pytest.mark.parametrize(("family", "name"), OBJECTS)
def test_a_public_object_is_documented_and_defined_in_its_family(family, name):
    value = getattr(getattr(kt, family), name)
    assert value.__name__ == name
    assert value.__module__.startswith(f"keras_tricks.{family}.")
    assert inspect.getdoc(value)
    assert "__doc__" not in vars(value) or vars(value)["__doc__"]


@pytest.mark.parametrize(("family", "name"), OBJECTS)
def test_a_public_class_that_keras_can_save_is_registered_under_the_package(family, name):
    value = getattr(getattr(kt, family), name)
    if isinstance(value, type) and issubclass(value, Configured):
        assert keras.saving.get_registered_name(value) == f"keras_tricks>{name}"
        assert keras.saving.get_registered_object(f"keras_tricks>{name}") is value
    else:
        assert not hasattr(value, "get_config")
