"""Writes README's measured tables from the records under evidence/, between its markers.

python tools/measured.py            # writes them
python tools/measured.py --check    # fails if README is stale
"""

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
README, EVIDENCE = ROOT / "README.md", ROOT / "evidence"
BEGIN, END = "<!-- measured:begin -->\n", "<!-- measured:end -->"
RUNS = 3  # the last ones that are shown
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def digits(records: dict[str, dict[str, Any]]) -> str:
    """The runs of `make train` on each backend."""
    lines = ["| backend | held-out accuracy, each seed | mean | an epoch |", "|---|---|---|---|"]
    for backend, name in BACKENDS.items():
        summary = records[backend]["summary"]
        accuracy, seconds = summary["val_accuracy"], summary["seconds"]
        each = ", ".join(f"{value:.2%}" for value in accuracy["values"])
        lines.append(f"| {name} | {each} | {accuracy['mean']:.2%} | {seconds['mean']:.1f} s |")
    record = records["jax"]
    return "\n".join(
        [
            "**The embedded digits** (360 of 1,797 held out, stratified, the same for every run; 30 epochs):",
            "",
            *lines,
            "",
            f"{where(record)}, three seeds each, by",
            "",
            "    tools/evidence.py --name digits-<backend> --seeds 3 --result {out}/run/metrics.csv -- \\",
            f"        {command(record)}",
            "",
            "The defaults were chosen with an eye on these 360 images: read the numbers as what to expect of",
            "`make train`, not as an untouched test.",
        ]
    )


def steps(entries: list[dict[str, Any]]) -> str:
    """What augmentation costs in the compiled step: the median over the runs, and how far apart they are."""
    runs = {backend: _last_runs([entry for entry in entries if entry["backend"] == backend]) for backend in BACKENDS}
    runs = {backend: own for backend, own in runs.items() if own}
    lines = [
        f"| one step | {' | '.join(f'{_named(backend, own[-1])}, {len(own)} runs' for backend, own in runs.items())} |",
        "|---|" + "---|" * len(runs),
    ]
    for name in entries[-1]["ratios"]:
        cells = []
        for own in runs.values():
            ratios = [entry["ratios"][name] for entry in own]
            middle = statistics.median(entry["milliseconds"][name] for entry in own)
            cells.append(f"{middle:.0f} ms ({statistics.median(ratios):.2f}; {min(ratios):.2f} to {max(ratios):.2f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(
        [
            "**Augmentation in the compiled step**: a small CNN on 128 images of 32x32, milliseconds, and in brackets",
            "the ratio to the plain model in the same run (medians of interleaved rounds): the median over several",
            "runs, each a process of its own, and the smallest and largest. What lies within that range is noise.",
            "* The time of the processor in all threads: on the wall, TensorFlow's steps on two shared cores, plain",
            "ones too, take once or twice as long:",
            "",
            *lines,
            "",
            f"{where(*itertools.chain(*runs.values()))}, by `KERAS_BACKEND=... python tools/bench/trainer.py`.",
        ]
    )


def _named(backend: str, entry: dict[str, Any]) -> str:
    return BACKENDS[backend] + "*" * _is_of_processor(entry)


def _last_runs(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last ones; those by the processor's time, if there are any."""
    return ([entry for entry in entries if _is_of_processor(entry)] or entries)[-RUNS:]


def _is_of_processor(entry: dict[str, Any]) -> bool:
    return entry.get("title", "").endswith("processor time")


def updates(entries: list[dict[str, Any]]) -> str:
    """What optimizers and wrappers cost: the last record of each kind and backend counts."""
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    used: list[dict[str, Any]] = []
    for entry in entries:  # a later one may be of some contenders only
        kind = entry["title"].rpartition(", ")[0], entry["backend"]
        known = latest.get(kind, {"ratios": {}})
        latest[kind] = entry | {"ratios": known["ratios"] | entry["ratios"]}
        used.append(entry)
    kinds = dict.fromkeys(kind for kind, _ in latest)
    columns = [(kind, b) for kind in sorted(kinds) for b in BACKENDS if (kind, b) in latest]
    short = {kind: "a step" if kind.startswith("One step") else "an update" for kind in kinds}
    lines = [
        f"| times Keras' AdamW | {' | '.join(f'{short[kind]}, {BACKENDS[b]}' for kind, b in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    names = max((latest[column]["ratios"] for column in columns), key=len)
    for name in names:
        cells = (latest[column]["ratios"].get(name) for column in columns)
        lines.append(f"| {name} | {' | '.join('-' if cell is None else f'{cell:.2f}' for cell in cells)} |")
    return "\n".join(
        [
            "**Optimizers and what stands around them**: the time of "
            + ", and of ".join(f"{kind[0].lower()}{kind[1:]} ({short[kind]})" for kind in sorted(kinds, reverse=True))
            + ", as multiples of Keras' AdamW in the same run (medians of interleaved rounds):",
            "",
            *lines,
            "",
            f"{where(*used)}, by `KERAS_BACKEND=... python tools/bench/optimizers.py`, and with `--step`.",
            "A model that has been trained with Keras' `use_ema` on JAX cannot be trained again: no figure for a step.",
        ]
    )


def passes(entries: list[dict[str, Any]]) -> str:
    """What two passes cost: the last record of each backend counts."""
    found = {b: _last_runs([e for e in entries if e["backend"] == b])[-1:] for b in BACKENDS}
    latest = {b: own[0] for b, own in found.items() if own}
    backends = list(latest)
    lines = [f"| one step | {' | '.join(_named(b, latest[b]) for b in backends)} |", "|---|" + "---|" * len(backends)]
    for name in entries[-1]["ratios"]:
        ratios = (latest[backend]["ratios"][name] for backend in backends)
        lines.append(f"| {name} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")
    return "\n".join(
        [
            "**Two passes a step**: a small CNN on 128 images of 32x32, as multiples of the plain step (* of the",
            "processor's time, as above):",
            "",
            *lines,
            "",
            f"{where(*latest.values())}, by `KERAS_BACKEND=... python tools/bench/two_pass.py`.",
        ]
    )


def augmentations(entries: list[dict[str, Any]]) -> str:
    """What the augmentations cost beside the others: the last record of each batch counts."""
    latest = {(e["member"], e["side"], e["dtype"], e["backend"]): e for e in entries}
    backends = [backend for backend in BACKENDS if any(kind[-1] == backend for kind in latest)]
    kinds = sorted({kind[1:3] for kind in latest}, reverse=True)
    side, dtype = kinds[0]
    count = next(e["count"] for kind, e in latest.items() if kind[1:3] == kinds[0])
    lines = [
        f"| {count} images of {side}x{side}, {dtype} | {' | '.join(BACKENDS[backend] for backend in backends)} |",
        "|---|" + "---|" * len(backends),
    ]
    for member in sorted({kind[0] for kind in latest}):
        cells = [_cell(latest.get((member, side, dtype, backend))) for backend in backends]
        lines.append(f"| {member} | {' | '.join(cells)} |")
    summary = ["| median of the ratios | " + " | ".join(BACKENDS[b] for b in backends) + " |", lines[1]]
    for kind in kinds:
        for title, rivals in RIVALS.items():
            cells = []
            for backend in backends:
                found = [_ratio(e, rivals) for key, e in latest.items() if key[1:] == (*kind, backend)]
                ratios = [ratio for ratio in found if ratio]
                cells.append(f"{statistics.median(ratios):.1f} ({len(ratios)})" if ratios else "-")
            if set(cells) != {"-"}:
                summary.append(f"| {title}, {kind[0]}x{kind[0]} {kind[1]} | {' | '.join(cells)} |")
        passes = []
        for backend in backends:
            found = [_passes(e) for key, e in latest.items() if key[1:] == (*kind, backend)]
            ratios = [ratio for ratio in found if ratio]
            passes.append(f"{statistics.median(ratios):.1f}" if ratios else "-")
        if set(passes) != {"-"}:
            summary.append(f"| one pass beside Keras, {kind[0]}x{kind[0]} {kind[1]} | {' | '.join(passes)} |")
    for title, way in WAYS.items():
        cells = []
        for backend in backends:
            ratios = [ratio for key, e in latest.items() if key[-1] == backend for ratio in way(e)]
            cells.append(f"{statistics.median(ratios):.1f} ({len(ratios)})" if ratios else "-")
        if set(cells) != {"-"}:
            summary.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(
        [
            "**The augmentations**: thousands of images a second (compiled; eager on PyTorch), and in brackets how",
            "many times as fast as Keras' own layer (both compiled; * both eager, where Keras' does not compile or",
            "takes minutes to) / as KerasCV's (both in `tf.data`) / as the fastest peer that draws for each image;",
            "then how many times as long as to read and write the batch once, the floor that memory sets. Medians",
            "of interleaved rounds, each backend and size in a run of its own (PyTorch's after calls that are not",
            "timed, its threads as they are by default); - where there is none. Ours, too, resizes without",
            "antialiasing in Resize, SmallestMaxSize and CenterCrop, as Keras' does by default; 'Resize antialiased'",
            "is ours by its default, and Keras' told to:",
            "",
            *lines,
            "",
            "Over all members that the other has too (their number in brackets). 'One pass beside Keras': how many",
            "times as fast as Keras' layers one is that only adds 1 to each pixel, with the backend's cost of a call",
            "and of memory for what comes out. More than that is not to be won. 'Every way, every batch': all",
            "comparisons together, eager, compiled and in `tf.data`:",
            "",
            *summary,
            "",
            f"{where(*latest.values())}, by `KERAS_BACKEND=... python tools/bench/augment.py`, with the options that",
            "evidence/bench_augment.json says.",
        ]
    )


# Ours in the same way as the other; the first that was measured.
RIVALS = {
    "Keras": {"Keras, compiled": "ours, compiled", "Keras, eager": "ours, eager"},
    "KerasCV": {"KerasCV, tf.data": "ours, tf.data"},
    "fastest peer, an image": dict.fromkeys(
        ("torchvision, an image", "kornia", "albumentations, 2 threads", "timm"), ""
    ),
}


def _ratio(entry: dict[str, Any], rivals: dict[str, str]) -> float | None:
    """How many times as fast ours is as one of `rivals`."""
    times = entry["milliseconds"]
    pairs = [(times[name], times[ours or entry["reference"]]) for name, ours in rivals.items() if name in times]
    if not pairs:
        return None
    return min(rival / ours for rival, ours in pairs) if "" in rivals.values() else pairs[0][0] / pairs[0][1]


def _every_way(rival: str) -> Callable[[dict[str, Any]], list[float]]:
    """How many times as fast ours is as the `rival` eagerly, compiled and in `tf.data`, where it runs so."""

    def ratios(entry: dict[str, Any]) -> list[float]:
        times = entry["milliseconds"]
        ways = [name.removeprefix(f"{rival}, ") for name in times if name.startswith(f"{rival}, ")]
        return [times[f"{rival}, {way}"] / times[f"ours, {way}"] for way in ways if f"ours, {way}" in times]

    return ratios


def _peer(entry: dict[str, Any]) -> list[float]:
    ratio = _ratio(entry, RIVALS["fastest peer, an image"])
    return [] if ratio is None else [ratio]


WAYS = {
    "Keras, every way, every batch": _every_way("Keras"),
    "KerasCV, every batch": _every_way("KerasCV"),
    "fastest peer, an image, every batch": _peer,
}


def _passes(entry: dict[str, Any]) -> float | None:
    """How many times as fast as Keras' layer the backend's one pass through the pixels is."""
    times = entry["milliseconds"]
    theirs = next((times[name] for name in RIVALS["Keras"] if name in times), None)
    return theirs / times["one pass"] if theirs and "one pass" in times else None


def _cell(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "-"
    times = entry["milliseconds"]
    ratios = [_shown(_ratio(entry, rivals)) for rivals in RIVALS.values()]
    if entry["reference"] == "ours, compiled" and "Keras, compiled" not in times and "Keras, eager" in times:
        ratios[0] += "*"
    floor = _shown(times[entry["reference"]] / times["floor"] if "floor" in times else None)
    return f"{_shown(entry['count'] / times[entry['reference']])} ({' / '.join(ratios)}; {floor})"


def _shown(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:.1f}" if number >= 1 else f"{number:.2g}"


def where(*records: dict[str, Any]) -> str:
    """The machines of the records, all of them, and the versions of the last."""
    machines = dict.fromkeys(f"{record['hardware']['cores']} cores of {_cpu(record)}" for record in records)
    versions = records[-1]["versions"]
    packages = ("keras", "tensorflow", "jax", "torch")
    # Ratios within one record are of one machine; two records may be of two.
    return f"{' or '.join(machines)}, " + ", ".join(f"{name} {versions[name]}" for name in packages if name in versions)


def _cpu(record: dict[str, Any]) -> str:
    return str(record["hardware"]["cpu"]).replace("(R)", "").removesuffix(" Processor")


def command(record: dict[str, Any]) -> str:
    """The command of a record, for any backend."""
    return record["command"].replace("--backend jax", "--backend <backend>")


def render() -> str:
    """All tables."""
    runs = {backend: json.loads((EVIDENCE / f"digits-{backend}.json").read_text()) for backend in BACKENDS}
    bench = json.loads((EVIDENCE / "bench_trainer.json").read_text())
    parts = [digits(runs), steps(bench)]
    for name, table in {"two_pass": passes, "optimizers": updates, "augment": augmentations}.items():
        if (path := EVIDENCE / f"bench_{name}.json").exists():
            parts.append(table(json.loads(path.read_text())))
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if README is stale")
    options = parser.parse_args(arguments)
    text = README.read_text()
    head, _, rest = text.partition(BEGIN)
    fresh = head + BEGIN + render() + END + rest.partition(END)[2]
    if options.check and fresh != text:
        sys.exit("README.md: the measured tables are stale. Run: python tools/measured.py")
    README.write_text(fresh)
    print("README.md: the measured tables are fresh")


if __name__ == "__main__":
    main()
