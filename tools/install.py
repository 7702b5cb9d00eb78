"""Makes `.venv` and installs this package with the extras named, at the versions of `constraints.txt`.

    python3 tools/install.py tensorflow cli

Runs on a bare Python, before anything is installed. What is installed is remembered in the environment together with
a fingerprint of everything it depends on, so a second call returns at once, and an edited `pyproject.toml` or
`constraints.txt`, another Python or a moved checkout installs again.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INGREDIENTS = ("pyproject.toml", "constraints.txt")
NO_VENV = """\
{python} cannot make a virtual environment: its `venv` or `ensurepip` module is missing.
On Debian and Ubuntu: apt install python3-venv. Or name another Python: make PYTHON=/path/to/python3.11 ..."""
NO_INSTALL = """\
The installation failed. The versions in constraints.txt are tested together on Python 3.11; this is Python {version}.
To use another one: rm -r {environment} and make PYTHON=python3.11 ..."""


def fingerprint(root: Path) -> str:
    """Changes whenever the environment has to be installed again."""
    digest = hashlib.sha256(f"{root} {sys.version}".encode())
    for name in INGREDIENTS:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def remembered(stamp: Path, expected: str) -> set[str]:
    """The extras installed under the `expected` fingerprint: none where anything has changed since."""
    try:
        record = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return set()
    return set(record["extras"]) if record["fingerprint"] == expected else set()


def works(environment: Path) -> bool:
    """Whether `environment` is a whole virtual environment of this Python's version, with pip."""
    question = "import sys, pip; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([environment / "bin/python", "-c", question], capture_output=True, text=True)
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.split() == [str(part) for part in sys.version_info[:2]]


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Two installations into one environment wait for each other."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def create(environment: Path) -> None:
    """A fresh virtual environment, in the place of one that was begun and not finished."""
    for entry in environment.iterdir():
        if entry.name != ".lock":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    if subprocess.run([sys.executable, "-m", "venv", environment]).returncode:
        raise SystemExit(NO_VENV.format(python=sys.executable))


def install(root: Path, environment: Path, extras: set[str]) -> None:
    """Installs what is missing; remembers it only once it is whole."""
    expected = fingerprint(root)
    stamp = environment / ".installed.json"
    with alone(environment / ".lock"):
        installed = remembered(stamp, expected)
        if extras <= installed and works(environment):
            return
        names = ",".join(sorted(extras))
        print(f"Setting up {environment.name} with {names} (some minutes the first time) ...", flush=True)
        start = time.monotonic()
        if not works(environment):
            create(environment)
            installed = set()
        quiet = [] if sys.stdout.isatty() else ["--quiet"]
        pip = [environment / "bin/python", "-m", "pip", "install", "--disable-pip-version-check", *quiet]
        what = ["--constraint", root / "constraints.txt", "--editable", f"{root}[{names}]"]
        if subprocess.run([*pip, *what], stdin=subprocess.DEVNULL).returncode:
            version = ".".join(map(str, sys.version_info[:3]))
            raise SystemExit(NO_INSTALL.format(version=version, environment=environment))
        aside = stamp.with_suffix(".new")
        aside.write_text(json.dumps({"fingerprint": expected, "extras": sorted(extras | installed)}))
        os.replace(aside, stamp)
        print(f"{environment.name} is ready ({time.monotonic() - start:.0f} s).", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extras", nargs="+", help="as in pyproject.toml: tensorflow, jax, torch, cli, dev, ...")
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv", help="the folder (default: .venv)")
    options = parser.parse_args()
    install(ROOT, options.environment.absolute(), set(options.extras))


if __name__ == "__main__":
    main()
