"""Other libraries' augmentations of a batch, each on the layout and the types that it is made for."""

import importlib
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np

NAMES = ("torchvision", "kornia", "albumentations", "timm")
CLASSES = 10
HUE = (0.4, 0.4, 0.4, 0.1)

Run = Callable[[], Any]
_kept: list[Any] = []


def load(name: str, folder: str | None = None) -> ModuleType | str:
    """The library, or why there is none; `folder` is where it is installed if not beside Keras."""
    if folder and folder not in sys.path:
        sys.path.append(folder)  # last: what is installed beside Keras goes first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name in ("torchvision", "timm"):
                _stand_in_for_compiled_operations()
            return importlib.import_module({"kornia": "kornia.augmentation", "timm": "timm.data"}.get(name, name))
    except Exception as error:  # whatever a broken installation raises: it is reported, the others are measured
        return f"{type(error).__name__}: {error}".splitlines()[0]


def _stand_in_for_compiled_operations() -> None:
    """torchvision's wheels may be built for another torch; its transforms need none of the operations then missing."""
    torch = importlib.import_module("torch")
    if _kept or "torchvision" in sys.modules:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for module in [module for module in sys.modules if module.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)


# For each member: a function of the library and the side of the images.
TORCHVISION: dict[str, Callable[[Any, int], Any]] = {
    "RandomFlip": lambda v2, side: v2.RandomHorizontalFlip(),
    "RandomCrop": lambda v2, side: v2.RandomCrop(side, padding=4),
    "RandomResizedCrop": lambda v2, side: v2.RandomResizedCrop(side, antialias=True),
    "CenterCrop": lambda v2, side: v2.Compose([v2.Resize(round(side / 0.875), antialias=True), v2.CenterCrop(side)]),
    "RandomAffine": lambda v2, side: v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), interpolation=_bilinear(v2)),
    "RandomPerspective": lambda v2, side: v2.RandomPerspective(p=1.0),
    "ColorJitter": lambda v2, side: v2.ColorJitter(*HUE),
    "RandomGrayscale": lambda v2, side: v2.RandomGrayscale(p=1.0),
    "AutoContrast": lambda v2, side: v2.RandomAutocontrast(p=1.0),
    "Equalize": lambda v2, side: v2.RandomEqualize(p=1.0),
    "Posterize": lambda v2, side: v2.RandomPosterize(4, p=1.0),
    "Solarize": lambda v2, side: v2.RandomSolarize(128, p=1.0),
    "Invert": lambda v2, side: v2.RandomInvert(p=1.0),
    "Sharpness": lambda v2, side: v2.RandomAdjustSharpness(1.5, p=1.0),
    "GaussianBlur": lambda v2, side: v2.GaussianBlur(9, (0.1, 2.0)),
    "RandomErasing": lambda v2, side: v2.RandomErasing(p=1.0),
    "RandAugment": lambda v2, side: v2.RandAugment(2, 9),
    "TrivialAugment": lambda v2, side: v2.TrivialAugmentWide(),
    "AutoAugment": lambda v2, side: v2.AutoAugment(),
    "AugMix": lambda v2, side: v2.AugMix(),
    "recipe": lambda v2, side: v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomResizedCrop(side, antialias=True),
            v2.RandAugment(2, 9),
            v2.RandomErasing(),
        ]
    ),
}
KORNIA: dict[str, Callable[[Any, int], Any]] = {
    "RandomFlip": lambda k, side: k.RandomHorizontalFlip(),
    "RandomCrop": lambda k, side: k.RandomCrop((side, side), padding=4),
    "RandomResizedCrop": lambda k, side: k.RandomResizedCrop((side, side)),
    "RandomAffine": lambda k, side: k.RandomAffine(15.0, (0.1, 0.1), (0.9, 1.1), p=1.0),
    "RandomPerspective": lambda k, side: k.RandomPerspective(p=1.0),
    "ColorJitter": lambda k, side: k.ColorJitter(*HUE, p=1.0),
    "RandomGrayscale": lambda k, side: k.RandomGrayscale(p=1.0),
    "AutoContrast": lambda k, side: k.RandomAutoContrast(p=1.0),
    "Equalize": lambda k, side: k.RandomEqualize(p=1.0),
    "Posterize": lambda k, side: k.RandomPosterize(4, p=1.0),
    "Solarize": lambda k, side: k.RandomSolarize(p=1.0),
    "Invert": lambda k, side: k.RandomInvert(p=1.0),
    "Sharpness": lambda k, side: k.RandomSharpness(0.5, p=1.0),
    "GaussianBlur": lambda k, side: k.RandomGaussianBlur((9, 9), (0.1, 2.0), p=1.0),
    "GaussianNoise": lambda k, side: k.RandomGaussianNoise(0.0, 0.05, p=1.0),
    "RGBShift": lambda k, side: k.RandomRGBShift(p=1.0),
    "RandomErasing": lambda k, side: k.RandomErasing(p=1.0),
    "RandAugment": lambda k, side: k.auto.RandAugment(2, 9),
    "TrivialAugment": lambda k, side: k.auto.TrivialAugment(),
    "AutoAugment": lambda k, side: k.auto.AutoAugment("imagenet"),
}
ALBUMENTATIONS: dict[str, Callable[[Any, int], Any]] = {
    "RandomFlip": lambda a, side: a.HorizontalFlip(p=0.5),
    "RandomCrop": lambda a, side: a.RandomCrop(side, side, pad_if_needed=True),
    "RandomResizedCrop": lambda a, side: a.RandomResizedCrop((side, side), p=1.0),
    "RandomAffine": lambda a, side: a.Affine((0.9, 1.1), (-0.1, 0.1), rotate=(-15, 15), p=1.0),
    "RandomPerspective": lambda a, side: a.Perspective(p=1.0),
    "ColorJitter": lambda a, side: a.ColorJitter(*[(1 - h, 1 + h) for h in HUE[:3]], (-0.1, 0.1), p=1.0),
    "RandomGrayscale": lambda a, side: a.ToGray(p=1.0),
    "RandomBrightnessContrast": lambda a, side: a.RandomBrightnessContrast(p=1.0),
    "RGBShift": lambda a, side: a.RGBShift(p=1.0),
    "AutoContrast": lambda a, side: a.AutoContrast(p=1.0),
    "Equalize": lambda a, side: a.Equalize(p=1.0),
    "Posterize": lambda a, side: a.Posterize(4, p=1.0),
    "Solarize": lambda a, side: a.Solarize(p=1.0),
    "Invert": lambda a, side: a.InvertImg(p=1.0),
    "Sharpness": lambda a, side: a.Sharpen(p=1.0),
    "GaussianBlur": lambda a, side: a.GaussianBlur(p=1.0),
    "GaussianNoise": lambda a, side: a.GaussNoise(p=1.0),
    "CutOut": lambda a, side: a.CoarseDropout((1, 1), (0.5, 0.5), (0.5, 0.5), p=1.0),
    "GridMask": lambda a, side: a.GridDropout(p=1.0),
    "LensDistortion": lambda a, side: a.OpticalDistortion(p=1.0),
    "RandomErasing": lambda a, side: a.Erasing(fill="random_uniform", p=1.0),
}
# Its noise on the magnitude, mstd, asks Pillow for pictures of 0 bits, which newer ones refuse.
TIMM_POLICIES = {"RandAugment": "rand-m9-n2-mstd0-inc1", "AutoAugment": "original", "AugMix": "augmix-m5-w4-d2"}


def contenders(member: str, images: np.ndarray, folder: str | None = None) -> tuple[dict[str, Run], dict[str, str]]:
    """The peers' ways of doing what `member` does to `images` (batch, height, width, 3), and which libraries lack."""
    modules = {name: load(name, folder) for name in NAMES}
    missing = {name: module for name, module in modules.items() if isinstance(module, str)}
    makers = {"torchvision": _torchvision, "kornia": _kornia, "albumentations": _albumentations, "timm": _timm}
    runs: dict[str, Run] = {}
    for name, module in modules.items():
        if name not in missing:
            runs |= makers[name](module, member, images)
    return runs, missing


def _torchvision(_: Any, member: str, images: np.ndarray) -> dict[str, Run]:
    torch, v2 = importlib.import_module("torch"), importlib.import_module("torchvision.transforms.v2")
    tensors = _tensors(images)
    labels = torch.arange(len(images)) % CLASSES
    mixing = {"MixUp": ["MixUp"], "CutMix": ["CutMix"], "RandomChoice": ["MixUp", "CutMix"]}.get(member)
    if mixing:
        mix = v2.RandomChoice([getattr(v2, name)(num_classes=CLASSES) for name in mixing])
        # Its mixup is for floats alone.
        return {} if "MixUp" in mixing and images.dtype == "uint8" else {"torchvision": lambda: mix(tensors, labels)}
    if member not in TORCHVISION:
        return {}
    transform = TORCHVISION[member](v2, images.shape[1])
    mix = v2.RandomChoice([v2.MixUp(num_classes=CLASSES), v2.CutMix(num_classes=CLASSES)])

    def per_image() -> Any:
        batch = torch.stack([transform(image) for image in tensors])
        return mix(batch.float(), labels) if member == "recipe" else batch

    return {"torchvision, an image": per_image, "torchvision, a batch": lambda: transform(tensors)}


def _kornia(k: Any, member: str, images: np.ndarray) -> dict[str, Run]:
    torch = importlib.import_module("torch")
    if images.dtype == "uint8":  # it takes floats alone
        return {}
    tensors, labels = _tensors(images), torch.arange(len(images)) % CLASSES
    if member in ("MixUp", "CutMix"):
        mix = k.RandomMixUpV2(p=1.0) if member == "MixUp" else k.RandomCutMixV2(p=1.0)
        return {"kornia": lambda: mix(tensors, labels)}
    if member not in KORNIA:
        return {}
    is_policy = member in ("RandAugment", "TrivialAugment", "AutoAugment")
    if is_policy:
        importlib.import_module("kornia.augmentation.auto")
    transform = KORNIA[member](k, images.shape[1])
    # A policy of its draws the strengths for each image, and the operations once for all.
    return {"kornia, an operation a batch" if is_policy else "kornia": lambda: transform(tensors)}


def _albumentations(a: Any, member: str, images: np.ndarray) -> dict[str, Run]:
    if member not in ALBUMENTATIONS:
        return {}
    importlib.import_module("cv2").setNumThreads(0)
    transform = ALBUMENTATIONS[member](a, images.shape[1])
    workers = ThreadPoolExecutor(2)
    _kept.append(workers)
    pixels = list(images if images.dtype == "uint8" else images / np.float32(255))
    return {
        "albumentations, 2 threads": lambda: np.stack(list(workers.map(lambda p: transform(image=p)["image"], pixels)))
    }


def _timm(data: Any, member: str, images: np.ndarray) -> dict[str, Run]:
    torch = importlib.import_module("torch")
    tensors, labels = _tensors(images), torch.arange(len(images)) % CLASSES
    if member in ("MixUp", "CutMix", "RandomChoice"):
        alphas = {"mixup_alpha": 0.2 * (member != "CutMix"), "cutmix_alpha": 1.0 * (member != "MixUp")}
        mix = data.Mixup(**alphas, mode="elem", num_classes=CLASSES)
        if images.dtype == "uint8":
            return {}
        return {"timm": lambda: mix(tensors.clone(), labels)}  # it writes into the batch that it is given
    if member == "RandomErasing":
        erase = data.random_erasing.RandomErasing(probability=1.0, mode="pixel", device="cpu")
        return {} if images.dtype == "uint8" else {"timm": lambda: erase(tensors.clone())}
    if images.dtype != "uint8":  # pictures of Pillow's
        return {}
    pictures = [importlib.import_module("PIL.Image").fromarray(image) for image in images]
    side = images.shape[1]
    if member in TIMM_POLICIES:
        module = importlib.import_module("timm.data.auto_augment")
        make = {"AutoAugment": module.auto_augment_transform, "AugMix": module.augment_and_mix_transform}
        transform = make.get(member, module.rand_augment_transform)(TIMM_POLICIES[member], {})
        return {"timm": lambda: np.stack([np.asarray(transform(picture)) for picture in pictures])}
    if member == "recipe":
        transform = data.create_transform(
            side, is_training=True, auto_augment=TIMM_POLICIES["RandAugment"], re_prob=0.25, interpolation="bilinear"
        )
        mix = data.Mixup(0.2, 1.0, mode="elem", num_classes=CLASSES)
        return {"timm": lambda: mix(torch.stack([transform(picture) for picture in pictures]), labels)}
    return {}


def _tensors(images: np.ndarray) -> Any:
    """As torch's libraries like them: channels first, floats in [0, 1]."""
    torch = importlib.import_module("torch")
    tensors = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return tensors if images.dtype == "uint8" else tensors / 255


def _bilinear(v2: Any) -> Any:
    return v2.InterpolationMode.BILINEAR
