"""Writes README's measured tables from the records under evidence/, between its markers.

python tools/measured.py            # writes them
python tools/measured.py --check    # fails if README is stale
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
README, EVIDENCE = ROOT / "README.md", ROOT / "evidence"
BEGIN, END = "<!-- measured:begin -->\n", "<!-- measured:end -->"
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
    """What augmentation costs in the compiled step."""
    by_backend = {entry["backend"]: entry for entry in entries}
    names = list(next(iter(by_backend.values()))["ratios"])
    lines = [
        f"| one step | {' | '.join(BACKENDS[backend] for backend in by_backend)} |",
        "|---|" + "---|" * len(by_backend),
    ]
    for name in names:
        cells = [f"{entry['milliseconds'][name]:.1f} ms ({entry['ratios'][name]:.2f})" for entry in by_backend.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    entry = next(iter(by_backend.values()))
    return "\n".join(
        [
            "**Augmentation in the compiled step**: a small CNN on 128 images of 32x32, milliseconds, and in brackets",
            "the ratio to the plain model in the same run (medians of interleaved rounds; below 5 % it is noise):",
            "",
            *lines,
            "",
            f"{where(entry)}, by `KERAS_BACKEND=... python tools/bench/trainer.py`.",
        ]
    )


def where(record: dict[str, Any]) -> str:
    """The machine and the versions of a record."""
    hardware, versions = record["hardware"], record["versions"]
    packages = ("keras", "tensorflow", "jax", "torch")
    return f"{hardware['cores']} cores of {hardware['cpu']}, " + ", ".join(
        f"{name} {versions[name]}" for name in packages if name in versions
    )


def command(record: dict[str, Any]) -> str:
    """The command of a record, for any backend."""
    return record["command"].replace("--backend jax", "--backend <backend>")


def render() -> str:
    """All tables."""
    runs = {backend: json.loads((EVIDENCE / f"digits-{backend}.json").read_text()) for backend in BACKENDS}
    bench = json.loads((EVIDENCE / "bench_trainer.json").read_text())
    return f"{digits(runs)}\n\n{steps(bench)}\n"


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
