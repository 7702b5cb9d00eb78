"""Side by side in one run: each round times every contender once, so that a slow minute of the machine hits all."""

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PACKAGES = ("keras-tricks", "keras", "numpy", "tensorflow", "jax", "torch", "keras-cv")
PACKAGES += ("torchvision", "kornia", "albumentations", "timm")


def medians(
    contenders: Mapping[str, Callable[[], Any]],
    repeats: int = 30,
    warmup: int = 3,
    calls: int = 1,
    seconds: float = math.inf,
    clock: Callable[[], float] = time.perf_counter,
    rest: float = 0.0,
) -> dict[str, float]:
    """Milliseconds that a call of each contender takes: the median over `repeats` interleaved rounds of `calls` calls.

    A contender must wait for its own result (an accelerator, or JAX, works on after the call returns). After `seconds`
    no more rounds begin, but three there are. With a `rest`, each is timed after as many seconds, as torch's threads
    look for new work for some five milliseconds before they sleep, and would take the processor from the next one; and
    after calls for twice as long that are not timed, as threads that sleep take milliseconds to wake up and to spread
    over the cores.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        for _ in range(warmup):
            contender()
    order, chance = list(contenders.items()), random.Random(0)
    began = time.perf_counter()
    for done in range(repeats):
        if done >= 3 and time.perf_counter() - began > seconds:
            break
        chance.shuffle(order)  # the next one takes the memory that one leaves: nobody shall always follow the same
        for name, contender in order:
            if rest:
                time.sleep(rest)
                _wake_up(contender, 2 * rest)
            start = clock()
            for _ in range(calls):
                contender()
            times[name].append((clock() - start) / calls * 1e3)
        _progress(done + 1, repeats)
    return {name: statistics.median(values) for name, values in times.items()}


def _wake_up(contender: Callable[[], Any], seconds: float) -> None:
    began = time.perf_counter()
    contender()
    while time.perf_counter() - began < seconds:
        contender()


def table(results: Mapping[str, float], reference: str, images: int | None = None) -> str:
    """One line for each contender: its milliseconds, their ratio to the reference's, and the `images` a second."""
    width = max(map(len, results))
    lines = [
        f"{name:<{width}}  {value:9.3f} ms  {value / results[reference]:6.2f} x"
        + (f"  {images / value * 1e3:12,.0f} images/s" if images else "")
        for name, value in results.items()
    ]
    return "\n".join(lines)


def environment() -> dict[str, Any]:
    """Where and when the numbers were measured."""
    return {
        "command": " ".join([Path(sys.executable).name, *sys.argv]),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "hardware": {"machine": platform.machine(), "cpu": _cpu(), "cores": len(os.sched_getaffinity(0))},
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def report(title: str, results: Mapping[str, float], reference: str, path: str | Path | None = None) -> None:
    """Prints the table; with a `path`, also writes numbers, ratios and environment there, as one more entry."""
    print(f"\n{title}\n{table(results, reference)}")
    if path is not None:
        record(title, results, reference, path)


def record(
    title: str,
    results: Mapping[str, float],
    reference: str,
    path: str | Path,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Writes numbers, ratios, environment and `details` to `path`, as one more entry."""
    path = Path(path)
    entries = json.loads(path.read_text()) if path.exists() else []
    ratios = {name: value / results[reference] for name, value in results.items()}
    measured = {"title": title, "milliseconds": dict(results), "reference": reference, "ratios": ratios}
    entries.append(environment() | measured | dict(details or {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(path.suffix + ".new")
    aside.write_text(json.dumps(entries, indent=2) + "\n")
    aside.replace(path)


def arguments(description: str, repeats: int = 30) -> argparse.ArgumentParser:
    """The options that every benchmark has; add more to it."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=repeats, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--json", metavar="PATH", help="also append the numbers to this file")
    return parser


def add_clock(parser: argparse.ArgumentParser) -> None:
    """Adds the choice between the clock on the wall, and what the processor does in all threads, as `options.clock`.

    TensorFlow's threads wait for each other in turns of a length of their own: on the wall steps then take once or
    twice as long. An accelerator's work is not the processor's.
    """
    parser.add_argument(
        "--processor",
        dest="clock",
        action="store_const",
        const=time.process_time,
        default=time.perf_counter,
        help="time that the processor spends in all threads, not that on the wall",
    )


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{total} rounds", end="" if done < total else "\n", file=sys.stderr, flush=True)
    elif done in (1, total) or done % max(1, total // 4) == 0:
        print(f"{done}/{total} rounds", file=sys.stderr, flush=True)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
