#!/usr/bin/env python3
"""Runs a command once for each seed and keeps what it measured, with all it takes to measure it again.

    tools/evidence.py --name digits-jax --seeds 3 --result {out}/run/metrics.csv -- \\
        keras-tricks train --backend jax --seed {seed} --out {out}/run
    tools/evidence.py --show digits-jax

The command's last line of output is a JSON object; its numbers are the measurements. Or it writes a file, named by
`--result`: such an object (.json), or a table whose last row counts (.csv). `{seed}` is 0, 1, 2, ...; `{out}` is a
folder that is removed afterwards; variables may stand in front, as in a shell. It runs in the repository's root,
without a shell.

`evidence/<name>.json` holds the command, every value, mean and standard deviation (of a sample), versions, hardware
and dates. Each seed is stored as soon as it is measured, and never measured twice: the same call again resumes. Other
versions or other hardware than before are refused, because their numbers do not average.
"""

import argparse
import contextlib
import csv
import datetime
import importlib.metadata
import json
import math
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "evidence"
PACKAGES = ("keras-tricks", "keras", "numpy", "tensorflow", "jax", "torch", "keras-cv", "scikit-learn")
LINES_SHOWN_OF_A_FAILURE = 30

Record = dict[str, Any]


def versions() -> dict[str, str]:
    """Python's version, and those of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """What the speed and the last digits depend on; nothing that names the machine."""
    cpu = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    gpus = _output_of("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": cpu[1] if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 2**20) if memory else None,
        "gpus": gpus,
    }


def commit() -> str:
    """The commit that was measured, with a `+` if files differ from it, but for what is measured here."""
    name = _output_of("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD").strip()
    status = _output_of("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no", ".", ":!evidence")
    return name + ("+" if status.strip() else "")


def portable(command: Sequence[str]) -> str:
    """`command` as one line that says the same on every machine, Keras' backend included."""
    words = [word.replace(f"{ROOT}/", "") for word in command]
    absolute = [word for word in words if any(part.startswith(("/", "~")) for part in word.split("="))]
    if absolute:
        raise SystemExit(
            f"The command holds a path of this machine: {absolute[0]}. Write it relative to the repository."
        )
    if "KERAS_BACKEND" in os.environ and not any(word.startswith("KERAS_BACKEND=") for word in words):
        words.insert(0, f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}")
    # The placeholders stay readable: a shell would not touch them either.
    return " ".join(word if re.fullmatch(r"[\w{}./=,:+@%-]+", word) else shlex.quote(word) for word in words)


def measure(command: str, seed: int, result: str | None) -> dict[str, float]:
    """Runs `command` with `seed` and returns the numbers it reports."""
    with tempfile.TemporaryDirectory() as out:
        fill = {"{seed}": str(seed), "{out}": out}
        words = [_filled(word, fill) for word in shlex.split(command)]
        variables: dict[str, str] = {}
        while words and re.match(r"[A-Za-z_]\w*=", words[0]):
            name, _, value = words.pop(0).partition("=")
            variables[name] = value
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        environment = os.environ | {"PATH": path} | variables
        try:
            process = subprocess.run(
                words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
        except OSError as error:
            raise SystemExit(f"The command did not start: {error}") from error
        if process.returncode:
            tail = "\n".join((process.stdout + process.stderr).splitlines()[-LINES_SHOWN_OF_A_FAILURE:])
            raise SystemExit(f"{tail}\nThe command failed with exit code {process.returncode} at seed {seed}.")
        if result is None:
            lines = process.stdout.strip().splitlines()
            return numbers(lines[-1] if lines else "", "The command's last line of output")
        text = _read(_filled(result, fill))
        return numbers(last_row(text) if result.endswith(".csv") else text, f"The file {result}")


def last_row(table: str) -> str:
    """The last row of a CSV `table` with a header, its numbers only, as a JSON object."""
    rows = list(csv.DictReader(table.splitlines()))
    found = {}
    for name, text in rows[-1].items() if rows else ():
        with contextlib.suppress(TypeError, ValueError):
            found[name] = float(text)
    return json.dumps(found)


def numbers(text: str, source: str) -> dict[str, float]:
    """The numbers of the JSON object `text`; `source` says in an error where it came from."""
    try:
        report = json.loads(text)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        raise SystemExit(f"{source} must be a JSON object. Received: {text[:200]!r}")
    found = {
        name: value for name, value in report.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }
    if not found:
        raise SystemExit(f"{source} holds no number. Received: {text[:200]!r}")
    if not all(map(math.isfinite, found.values())):
        raise SystemExit(f"{source} holds a number that is not finite. Received: {text[:200]!r}")
    return found


def summary(runs: Sequence[Record]) -> dict[str, Record]:
    """Mean, standard deviation and values of each measurement, in the order of the seeds."""
    table = {}
    for name in runs[0]["values"]:
        values = [run["values"][name] for run in runs]
        std = statistics.stdev(values) if len(values) > 1 else None
        table[name] = {"mean": statistics.fmean(values), "std": std, "values": values}
    return table


def load(path: Path) -> Record | None:
    """The record at `path`, if there is one."""
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise SystemExit(f"{path.name} is not a record of this program: {error}") from error


def save(path: Path, record: Record) -> None:
    """Writes aside, then renames: what was measured before survives a full disk."""
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".new")
    try:
        aside.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def resumable(path: Path, command: str) -> Record:
    """The record to go on with: a new one, or the one at `path` if it was measured with the same things."""
    fresh = {
        "name": path.stem, "command": command, "summary": {}, "runs": [], "versions": versions(), "hardware": hardware()
    }  # fmt: skip
    record = load(path) or fresh
    for key in ("command", "versions", "hardware"):
        if record[key] != fresh[key]:
            raise SystemExit(
                f"{path.name} was measured with another {key}: {record[key]}. Now: {fresh[key]}.\n"
                "Choose another --name, or measure everything anew with --restart."
            )
    return record


def collect(path: Path, command: str, seeds: Sequence[int], result: str | None, restart: bool) -> Record:
    """Measures the seeds that are not stored yet; the record is whole after each."""
    if restart:
        path.unlink(missing_ok=True)
    record = resumable(path, command)
    stored = {run["seed"] for run in record["runs"]}
    for seed in seeds:
        if seed in stored:
            print(f"{path.stem}: seed {seed} is stored already", flush=True)
            continue
        print(f"{path.stem}: seed {seed} ...", end=" ", flush=True)
        start = time.monotonic()
        values = measure(command, seed, result)
        seconds = round(time.monotonic() - start, 1)
        if record["runs"] and set(values) != set(record["runs"][0]["values"]):
            raise SystemExit(f"Seed {seed} reports {sorted(values)}, the ones before {sorted(record['summary'])}.")
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        run = {"seed": seed, "values": values, "seconds": seconds, "date": date, "commit": commit()}
        record["runs"] = sorted([*record["runs"], run], key=lambda run: run["seed"])
        record["summary"] = summary(record["runs"])
        save(path, record)
        print(", ".join(f"{name} {value:.6g}" for name, value in values.items()), f"({seconds:g} s)", flush=True)
    return record


def shown(record: Record) -> str:
    """One line for each measurement, `mean ± std (n)`, and how it was measured."""
    lines = []
    for name, entry in record["summary"].items():
        spread = f" ± {entry['std']:.2g}" if entry["std"] is not None else ""
        lines.append(f"{name}: {entry['mean']:.6g}{spread} (n = {len(entry['values'])})")
    dates = sorted(run["date"][:10] for run in record["runs"])
    machine = f"{record['hardware']['cores']} cores of {record['hardware']['cpu']}"
    gpus = "".join(f", {gpu}" for gpu in record["hardware"]["gpus"])
    lines.append(f"measured {dates[0] if dates else 'never'} on {machine}{gpus} by")
    lines.append(f"    {record['command']}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", help="of the record: evidence/<name>.json")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 0, 1, ... (default: 3)")
    parser.add_argument("--result", metavar="FILE", help="the .json or .csv file that the command writes")
    parser.add_argument("--restart", action="store_true", help="forget what is stored under this name")
    parser.add_argument("--show", metavar="NAME", help="print mean ± std of a record, and run nothing")
    parser.add_argument("command", nargs="*", help="after --, with {seed} where the seed goes")
    options = parser.parse_args(arguments)
    name = options.show or options.name
    if not name or not re.fullmatch(r"\w[\w.-]*", name):
        parser.error(f"--name or --show needs a name of letters, digits, dots and dashes. Received: {name!r}")
    path = folder / f"{name}.json"
    if options.show:
        record = load(path)
        if record is None:
            parser.error(
                f"there is no record {name}. There are: {', '.join(sorted(p.stem for p in folder.glob('*.json')))}"
            )
        print(shown(record))
        return
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1. Received: {options.seeds}")
    if not any("{seed}" in word for word in options.command):
        parser.error("the command must hold {seed}, or every run would be the same")
    command = portable(options.command)
    print(shown(collect(path, command, range(options.seeds), options.result, options.restart)))


def _filled(text: str, fill: dict[str, str]) -> str:
    for placeholder, value in fill.items():
        text = text.replace(placeholder, value)
    return text


def _read(name: str) -> str:
    try:
        return (ROOT / name).read_text()
    except OSError:
        return ""


def _output_of(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return ""


if __name__ == "__main__":
    python = ROOT / ".venv/bin/python"
    if sys.prefix == sys.base_prefix and python.exists():  # outside of any environment: the packages are in our own
        os.execv(python, [str(python), *sys.argv])
    main()
