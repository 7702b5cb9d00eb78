"""Images a second of every augmentation: ours, Keras', KerasCV's and the peers', interleaved in one run.

KERAS_BACKEND=jax python tools/bench/augment.py [--only RandomFlip,CutMix] [--sizes 32,224] [--quick] [--json PATH]

Ours are timed eagerly, compiled (JAX, TensorFlow) and in tf.data (TensorFlow), Keras' own in the same ways, KerasCV's
in tf.data, where they run. Peers (pip install "keras-tricks[peers]") that are not there are reported as missing;
--peers names a folder they are installed in (pip install --target) if the environment is to stay as it is. "floor" is
reading and writing the batch once, "one pass" the backend's own adding of 1 to each pixel, which includes its call and
the memory of what comes out; "recipe" is flip, RandomResizedCrop, RandAugment(2, 9), erasing, mixup or cutmix.
Resize, SmallestMaxSize and CenterCrop do not antialias, as Keras' does not by default; "Resize antialiased" does.
"""

import importlib
import itertools
import math
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import _peers
import keras
import numpy as np
from _timing import arguments, medians, record, table

import keras_tricks as kt
from keras_tricks.cli import _augmentations, _calls

BACKEND = keras.backend.backend()
REST = 0.01  # seconds
BATCHES = {32: 128, 224: 64}
CLASSES = _peers.CLASSES
RECIPE = "recipe"
ANTIALIASED = "Resize antialiased"
Run = Callable[[], Any]

# How ours are called, where the defaults leave most images as they are or there is no default.
CALLS = {
    "CenterCrop": "CenterCrop({side}, antialias=False)",
    "Resize": "Resize({smaller}, antialias=False)",
    "SmallestMaxSize": "SmallestMaxSize({smaller}, antialias=False)",
    "GaussianBlur": "GaussianBlur(kernel_size=9)",
    "RandomCrop": "RandomCrop(padding=4)",
    "RandomErasing": "RandomErasing(rate=1)",
    "RandomGrayscale": "RandomGrayscale(rate=1)",
    "RandomPerspective": "RandomPerspective(rate=1)",
    "RandomApply": "RandomApply(invert)",
    "RandomChoice": "RandomChoice([mixup, cutmix])",
    "RandAugment": "RandAugment(2, 9)",
    ANTIALIASED: "Resize({smaller})",
    RECIPE: "flip, RandomResizedCrop, RandAugment(2, 9), erasing, RandomChoice([mixup, cutmix])",
}
KERAS: dict[str, Callable[[Any, int], Any]] = {
    "RandomFlip": lambda k, side: k.RandomFlip("horizontal"),
    "RandomCrop": lambda k, side: keras.Sequential([k.ZeroPadding2D(4), k.RandomCrop(side, side)]),
    "CenterCrop": lambda k, side: keras.Sequential(
        [k.Resizing(round(side / 0.875), round(side / 0.875)), k.CenterCrop(side, side)]
    ),
    "Resize": lambda k, side: k.Resizing(_smaller(side), _smaller(side)),
    ANTIALIASED: lambda k, side: k.Resizing(_smaller(side), _smaller(side), antialias=True),
    "RandomAffine": lambda k, side: k.RandomRotation(15 / 360, fill_mode="constant"),
    "RandomPerspective": lambda k, side: k.RandomPerspective(),
    "ColorJitter": lambda k, side: k.RandomColorJitter(
        brightness_factor=0.4, contrast_factor=0.4, saturation_factor=(0.3, 0.7), hue_factor=0.1
    ),
    "RandomGrayscale": lambda k, side: k.RandomGrayscale(factor=1.0),
    "AutoContrast": lambda k, side: k.AutoContrast(),
    "Equalize": lambda k, side: k.Equalization(),
    "Posterize": lambda k, side: k.RandomPosterization(4),
    "Solarize": lambda k, side: k.Solarization(threshold_factor=0.5),
    "Invert": lambda k, side: k.RandomInvert(),
    "Sharpness": lambda k, side: k.RandomSharpness((0.25, 0.75)),
    "GaussianBlur": lambda k, side: k.RandomGaussianBlur(factor=1.0, kernel_size=9),
    "RandomErasing": lambda k, side: k.RandomErasing(factor=1.0),
    "CutOut": lambda k, side: k.RandomErasing(factor=1.0, scale=(0.25, 0.25), fill_value=0.0),
    "MixUp": lambda k, side: k.MixUp(),
    "CutMix": lambda k, side: k.CutMix(),
    "RandAugment": lambda k, side: k.RandAugment((0, 255), num_ops=2, factor=0.9),
    "AugMix": lambda k, side: k.AugMix(),
    RECIPE: lambda k, side: k.Pipeline(
        [
            k.RandomFlip("horizontal"),
            k.RandomCrop(side, side),
            k.RandAugment((0, 255), 2, 0.9),
            k.RandomErasing(),
            k.CutMix(),
        ]
    ),
}
KERAS_CV: dict[str, Callable[[Any, int], Any]] = {
    "RandomFlip": lambda c, side: c.RandomFlip("horizontal"),
    "RandomCrop": lambda c, side: _padded(c.RandomCrop(side, side)),
    "RandomResizedCrop": lambda c, side: c.RandomCropAndResize((side, side), (0.08, 1.0), (3 / 4, 4 / 3)),
    "Resize": lambda c, side: c.Resizing(_smaller(side), _smaller(side)),
    "RandomAffine": lambda c, side: c.RandomRotation(15 / 360, fill_mode="constant"),
    "ColorJitter": lambda c, side: c.RandomColorJitter((0, 255), 0.4, 0.4, (0.3, 0.7), 0.1),
    "RandomGrayscale": lambda c, side: c.Grayscale(3),
    "RGBShift": lambda c, side: c.RandomChannelShift((0, 255), 0.1),
    "AutoContrast": lambda c, side: c.AutoContrast((0, 255)),
    "Equalize": lambda c, side: c.Equalization((0, 255)),
    "Posterize": lambda c, side: c.Posterization((0, 255), 4),
    "Solarize": lambda c, side: c.Solarization((0, 255), threshold_factor=128),
    "Sharpness": lambda c, side: c.RandomSharpness((0.25, 0.75), (0, 255)),
    "GaussianBlur": lambda c, side: c.RandomGaussianBlur(9, 1.0),
    "CutOut": lambda c, side: c.RandomCutout(0.5, 0.5),
    "GridMask": lambda c, side: c.GridMask(),
    "MixUp": lambda c, side: c.MixUp(),
    "CutMix": lambda c, side: c.CutMix(),
    "RandAugment": lambda c, side: c.RandAugment((0, 255), augmentations_per_image=2, magnitude=0.9),
    "AugMix": lambda c, side: c.AugMix((0, 255)),
    RECIPE: lambda c, side: keras.Sequential(
        [
            c.RandomFlip("horizontal"),
            c.RandomCropAndResize((side, side), (0.08, 1.0), (3 / 4, 4 / 3)),
            c.RandAugment((0, 255), 2, 0.9),
            c.RandomCutout(0.5, 0.5),
            c.CutMix(),
        ]
    ),
}
# Keras' draws its operations when it is traced, and keeps them: so many are traced, and take turns.
DRAWN_WHEN_TRACED = {"AugMix": 9}
OURS = {"tensorflow": "ours, compiled", "jax": "ours, compiled", "torch": "ours, eager"}[BACKEND]


def _smaller(side: int) -> int:
    """What images are resized to."""
    return 3 * side // 4


def contenders(
    member: str, images: np.ndarray, folder: str | None, without: Collection[str] = ()
) -> tuple[dict[str, Run], dict[str, str]]:
    """Everyone who does what `member` does, ready to run on `images`; and who cannot, with the reason."""
    side = images.shape[1]
    rows = np.eye(CLASSES, dtype="float32")[np.arange(len(images)) % CLASSES]
    out = np.empty_like(images)
    makers: dict[str, Callable[[], Run]] = {"floor": lambda: lambda: np.copyto(out, images)}
    makers |= {"one pass": lambda: _one_pass(images)}

    def ours() -> Any:
        call = CALLS.get(member, member).format(side=side, smaller=_smaller(side))
        texts = [call.text for call in _calls.parse(call)]
        layers = _augmentations.build(texts, images.shape[1:], CLASSES, seed=1)
        return kt.augment.Sequence(layers) if len(layers) > 1 else layers[0]

    mixes = member in ("MixUp", "CutMix", "RandomChoice", RECIPE)
    batch = (images, rows) if mixes else images
    makers |= {"ours, eager": lambda: _warm(_eager(ours(), batch))}
    if BACKEND != "torch":
        makers |= {"ours, compiled": lambda: _compiled(ours(), batch)}
    if BACKEND == "tensorflow":
        makers |= {"ours, tf.data": lambda: _in_pipeline(ours(), batch)}
    if member in KERAS:
        named: Any = {"images": images, "labels": rows} if member in ("MixUp", "CutMix", RECIPE) else images
        traced = partial(_in_turn, DRAWN_WHEN_TRACED.get(member, 1))
        makers |= {"Keras, eager": lambda: _eager(KERAS[member](keras.layers, side), named, training=True)}
        if BACKEND != "torch":
            makers |= {"Keras, compiled": lambda: traced(lambda: _compiled(KERAS[member](keras.layers, side), named))}
        if BACKEND == "tensorflow":
            makers |= {
                "Keras, tf.data": lambda: traced(
                    lambda: _in_pipeline(KERAS[member](keras.layers, side), named, training=True)
                )
            }
    if BACKEND == "tensorflow" and member in KERAS_CV:
        makers |= {"KerasCV, tf.data": lambda: _keras_cv(member, side, {"images": images, "labels": rows})}
    runs, failed = {}, {}
    try:
        peers, missing = _peers.contenders(member, images, folder)
    except Exception as error:
        peers, missing = {}, {"peers": f"{type(error).__name__}: {error}"}
    failed |= {name: f"missing ({reason})" for name, reason in missing.items()}
    for name, maker in (makers | {name: (lambda run=run: run) for name, run in peers.items()}).items():
        if name in without:
            failed[name] = "left out"
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run = maker()
                run()
            runs[name] = run
        except Exception as error:  # whatever another library raises: it is reported, the others are measured
            failed[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    return runs, failed


def _one_pass(images: np.ndarray) -> Run:
    """As ours are run: compiled, or eager on torch."""
    batch = _on_device(images)

    def add(batch: Any) -> Any:
        return batch + 1

    if BACKEND == "jax":
        step = importlib.import_module("jax").jit(add)
    elif BACKEND == "tensorflow":
        step = importlib.import_module("tensorflow").function(add, jit_compile=True, autograph=False)
    else:
        step = add
    return lambda: _wait(step(batch))


def _in_turn(count: int, maker: Callable[[], Run]) -> Run:
    """`count` of what `maker` makes, one after another; each has been traced."""
    runs = [maker() for _ in range(count)]
    for run in runs:
        run()
    turns = itertools.cycle(runs)
    return lambda: next(turns)()


def _eager(layer: Any, batch: Any, **arguments: Any) -> Run:
    batch = _on_device(batch)
    return lambda: _wait(layer(batch, **arguments))


def _warm(run: Run) -> Run:
    """`run`, when it is as it stays: on TensorFlow an augmentation is compiled at its fourth call."""
    for _ in range(4 if BACKEND == "tensorflow" else 0):
        run()
    return run


def _compiled(layer: Any, batch: Any) -> Run:
    """As a training step would: its seeds go in and come out. On TensorFlow with XLA or without, what is faster."""
    batch = _on_device(batch)
    layer(batch, training=True)
    if BACKEND == "tensorflow":
        tf = importlib.import_module("tensorflow")
        steps = [tf.function(lambda batch: layer(batch, training=True), jit_compile=xla) for xla in (True, False)]
        step = min(steps, key=lambda step: _seconds(lambda: step(batch)))
        return lambda: _wait(step(batch))
    step = importlib.import_module("jax").jit(
        lambda state, batch: layer.stateless_call([], state, batch, training=True)
    )
    state = [[variable.value for variable in layer.non_trainable_variables]]

    def run() -> None:
        changed, state[0] = step(state[0], batch)
        _wait(changed)

    return run


def _seconds(run: Run) -> float:
    """The fastest of three runs after a first; infinite if there is none, as where XLA lacks an operation."""
    times = []
    try:
        for _ in range(4):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    except Exception:
        return math.inf
    return min(times[1:])


def _in_pipeline(layer: Any, batch: Any, **arguments: Any) -> Run:
    tf = importlib.import_module("tensorflow")
    dataset = tf.data.Dataset.from_tensors(batch).cache().repeat()
    mapped = dataset.map((lambda part: layer(part, **arguments)) if arguments or isinstance(batch, dict) else layer)
    options = tf.data.Options()  # nothing may be made ready while the others are timed
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    batches = iter(mapped.with_options(options))
    return lambda: next(batches)


def _padded(layer: Any) -> Any:
    around = ((0, 0), (4, 4), (4, 4), (0, 0))
    return lambda batch: layer(batch | {"images": keras.ops.pad(batch["images"], around)})


def _keras_cv(member: str, side: int, batch: Any) -> Run:
    return _in_pipeline(KERAS_CV[member](importlib.import_module("keras_cv").layers, side), batch)


def _on_device(batch: Any) -> Any:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, batch)


def _wait(changed: Any) -> None:
    for part in keras.tree.flatten(changed):
        if BACKEND == "jax":
            part.block_until_ready()
        elif BACKEND == "torch" and part.is_cuda:
            importlib.import_module("torch").cuda.synchronize()


def measure(member: str, side: int, dtype: str, options: Any) -> dict[str, float]:
    """Milliseconds of a batch of everyone; prints and, if asked, records them."""
    count = BATCHES.get(side, 64)
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3)).astype(dtype)
    runs, failed = contenders(member, images, options.peers, {name.strip() for name in options.without.split(";")})
    title = f"{member}, {count}x{side}x{side}x3 {dtype}, {BACKEND}"
    print(f"\n{title}", flush=True)
    for name, reason in failed.items():
        print(f"{name}: {reason[:140]}")
    if OURS not in runs:
        return {}
    slow = _timed_once(runs, options.patience)
    results = _medians_of_those_that_last(
        {name: run for name, run in runs.items() if name not in slow}, failed, options
    )
    results |= slow
    print(table(results, OURS, images=count))
    if options.json:
        details = {"member": member, "side": side, "dtype": dtype, "count": count, "failed": failed}
        record(title, results, OURS, options.json, details)
    return results


def _timed_once(runs: dict[str, Run], patience: float) -> dict[str, float]:
    """Milliseconds of the contenders that take more than `patience` seconds: too long to be called again and again."""
    slow = {}
    for name, run in runs.items():
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        if seconds > patience:
            slow[name] = 1e3 * seconds
            print(f"{name}: timed once, because it takes {seconds:.0f} s")
    return slow


def _medians_of_those_that_last(runs: dict[str, Run], failed: dict[str, str], options: Any) -> dict[str, float]:
    """Draws are random: another library may fail at its tenth batch, and leaves the race then."""
    ended: list[tuple[str, str]] = []

    def noted(name: str, run: Run) -> Run:
        def call() -> None:
            try:
                run()
            except Exception as error:
                ended.append((name, f"{type(error).__name__}: {error}"))
                raise

        return call

    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                lasting = {name: noted(name, run) for name, run in runs.items() if name not in failed}
                return medians(lasting, options.repeats, warmup=0, seconds=options.seconds, rest=REST)
        except Exception:
            if not ended or ended[-1][0].startswith("ours"):
                raise
            name, reason = ended[-1]
            failed[name] = reason
            print(f"{name}: {reason[:140]}")


def summary(results: dict[tuple[str, int, str], dict[str, float]]) -> None:
    """How many times as fast as the others ours are: the median over the members, and the worst."""
    ways = {"Keras, eager": "ours, eager", "Keras, compiled": "ours, compiled", "Keras, tf.data": "ours, tf.data"}
    ways |= {"KerasCV, tf.data": "ours, tf.data"}
    names = list(dict.fromkeys(name for times in results.values() for name in times if not name.startswith("ours")))
    print("\nTimes as fast as (median, worst member; the floor is a limit, not a contender)")
    for name, kind in itertools.product(names, dict.fromkeys((side, dtype) for _, side, dtype in results)):
        ours = ways.get(name, OURS)
        ratios = {
            member: times[name] / times[ours]
            for (member, *own_kind), times in results.items()
            if tuple(own_kind) == kind and name in times and ours in times
        }
        if ratios:
            worst = min(ratios, key=ratios.__getitem__)
            middle = statistics.median(ratios.values())
            print(f"{name:26} {kind[0]:4} {kind[1]:8} {middle:8.2f}  {ratios[worst]:8.2f} {worst} ({len(ratios)})")


def main() -> None:
    parser = arguments(__doc__)
    members = [*_calls.class_names(), ANTIALIASED, RECIPE]
    parser.add_argument("--only", help="comma-separated members, or recipe (default: all)")
    parser.add_argument("--sizes", default="32,224", help="sides of the images (default: %(default)s)")
    parser.add_argument("--dtypes", default="uint8,float32", help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="about how long each table takes (default: 5)")
    parser.add_argument("--patience", type=float, default=5.0, help="who takes more seconds is timed once (default: 5)")
    parser.add_argument("--without", default="", help='who to leave out, between semicolons: "Keras, eager"')
    parser.add_argument("--quick", action="store_true", help="three rounds each, to see that it works")
    parser.add_argument("--peers", metavar="FOLDER", help="where pip --target installed the other libraries")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.seconds = 3, 0.0
    chosen = [name.strip() for name in options.only.split(",")] if options.only else members
    if unknown := set(chosen) - set(members):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}. Choose from {', '.join(members)}")
    results = {}
    for side, dtype, member in itertools.product(map(int, options.sizes.split(",")), options.dtypes.split(","), chosen):
        results[member, side, dtype] = measure(member, side, dtype, options)
    summary(results)


if __name__ == "__main__":
    main()
