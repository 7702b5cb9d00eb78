"""Runs the suite for each backend, three processes at a time, and ends with the sum: `N passed, N failed`.

    python tools/test.py                            # tensorflow, jax and torch
    python tools/test.py jax --pytest -k mixup      # one of them; what follows `--pytest` goes to pytest

Keras reads its backend once, when it is imported, so each backend is a process of its own, or several that share its
files. A test marked `once`, with the reason why it says the same on every backend, runs on one of several: the last
one, or, if the mark has a `turn`, as many before it.
A backend of which a process dies, is stopped by the time limit or finds no test has failed.
"""

import argparse
import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ("tensorflow", "jax", "torch")  # the slowest first
# Short pieces keep the cores busy to the end, and memory free: a process of TensorFlow or JAX keeps what it has
# compiled, up to 9 GiB for the whole suite.
PARTS = {"tensorflow": 3, "jax": 3, "torch": 3}
AT_A_TIME = 3  # for two cores: a process waits a fifth of its time, for threads and files
ELSEWHERE = 64  # the exit code of a process that had tests to run, and all of them are another's
SECONDS_BETWEEN_SIGNS_OF_LIFE = 60
# XLA compiles thousands of small functions here that run once: making them fast takes longer than they do. With
# `XLA_FLAGS= python tools/test.py` it compiles as it does for users. The names are those that the version in
# constraints.txt knows.
XLA_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"


@dataclasses.dataclass
class Suite:
    """The suite of one backend, or a part of it, while it runs and after."""

    backend: str
    part: int
    folder: Path
    start: float
    process: subprocess.Popen = dataclasses.field(init=False)

    @property
    def name(self) -> str:
        """The backend and the number of the part, if it has several."""
        return f"{self.backend} {self.part + 1}" if PARTS[self.backend] > 1 else self.backend

    @property
    def log(self) -> Path:
        """Everything pytest printed."""
        return self.folder / f"{self.name}.log"

    @property
    def report(self) -> Path:
        """The results as JUnit's XML, written when pytest ends."""
        return self.folder / f"{self.name}.xml"

    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.start

    def progress(self) -> str:
        """The share of tests done, as pytest last printed it."""
        shares = re.findall(r"\[ *(\d+%)\]", self.log.read_text(errors="replace"))
        return shares[-1] if shares else "collecting"


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many tests passed, failed (errors included) and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def read_counts(report: Path, exit_code: int) -> Counts:
    """The counts of one `report`; an `exit_code` other than 0 is at least one failure, whatever the report says.

    So is a report of no test, unless all that were to run are another process'.
    """
    counts = Counts()
    with contextlib.suppress(OSError, ElementTree.ParseError):
        for suite in ElementTree.parse(report).iter("testsuite"):
            tests, failures, errors, skipped = (
                int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
            )
            counts += Counts(max(tests - failures - errors - skipped, 0), failures + errors, skipped)
    if exit_code == ELSEWHERE and counts == Counts():
        return counts
    if counts.failed == 0 and (exit_code != 0 or counts.passed + counts.skipped == 0):
        counts += Counts(failed=1)
    return counts


def begin(
    backend: str, part: int, folder: Path, arguments: Sequence[str], neighbours: int, command: Sequence[str]
) -> Suite:
    """Starts one `part` of the suite of one `backend`, in a process group of its own."""
    suite = Suite(backend, part, folder, time.monotonic())
    threads = str(max((os.cpu_count() or 1) // neighbours, 1))
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", XLA_FLAGS),
        "JAX_TRACEBACK_IN_LOCATIONS_LIMIT": "0",
        # Many tests train the same small model: JAX compiles its step in the first of them.
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    with suite.log.open("wb") as output:
        suite.process = subprocess.Popen(
            [*command, f"--junitxml={suite.report}", f"--part={part}", f"--parts={PARTS[backend]}", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return suite


def stop(suite: Suite) -> None:
    """Ends the suite's process and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(suite.process.pid, signal.SIGKILL)
    suite.process.wait()


def finished(
    backends: Sequence[str], folder: Path, arguments: Sequence[str], command: Sequence[str], minutes: float
) -> Iterator[tuple[Suite, bool]]:
    """Runs the suites of the `backends`, `AT_A_TIME` processes together; yields each (suite, late) as it ends."""
    deadline = time.monotonic() + 60 * minutes
    waiting = [(backend, part) for backend in backends for part in range(PARTS[backend])]
    neighbours = min(AT_A_TIME, len(waiting))
    running: list[Suite] = []
    sign_of_life = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < AT_A_TIME:
                backend, part = waiting.pop(0)
                turn = [f"--turn={len(backends) - 1 - backends.index(backend)}", f"--turns={len(backends)}"]
                running.append(begin(backend, part, folder, [*turn, *arguments], neighbours, command))
            time.sleep(0.1)
            for suite in list(running):
                alive = suite.process.poll() is None
                late = alive and time.monotonic() > deadline
                if late or not alive:
                    running.remove(suite)
                    stop(suite)
                    yield suite, late
            if running and time.monotonic() - sign_of_life > SECONDS_BETWEEN_SIGNS_OF_LIFE:
                sign_of_life = time.monotonic()
                print("... " + ", ".join(f"{s.name} {s.progress()} ({s.seconds():.0f} s)" for s in running), flush=True)
    finally:
        for suite in running:
            stop(suite)


def run(
    backends: Sequence[str],
    arguments: Sequence[str] = (),
    command: Sequence[str] = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tools.share"),
    minutes: float = 80.0,
) -> Counts:
    """Runs the suites, prints each result, and the whole output of each that failed; returns the sum."""
    backends = sorted(set(backends), key=BACKENDS.index)
    counts, seconds = dict.fromkeys(backends, Counts()), dict.fromkeys(backends, 0.0)
    to_come = dict(PARTS)
    print(f"Testing on {', '.join(backends)} ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for suite, late in finished(backends, Path(folder), arguments, command, minutes):
            of_part = read_counts(suite.report, suite.process.returncode)
            counts[suite.backend] += of_part
            seconds[suite.backend] += suite.seconds()
            to_come[suite.backend] -= 1
            if of_part.failed:
                print(suite.log.read_text(errors="replace"))
            if late:
                print(f"{suite.name}: stopped, because {minutes:g} minutes are over")
            if not to_come[suite.backend]:
                of_all = counts[suite.backend]
                print(
                    f"{suite.backend}: {of_all.passed} passed, {of_all.failed} failed, {of_all.skipped} skipped "
                    f"in {seconds[suite.backend]:.0f} s",
                    flush=True,
                )
    return sum(counts.values(), Counts())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backends", nargs="*", metavar="backend", help=f"any of {', '.join(BACKENDS)} (default: all)")
    parser.add_argument("--minutes", type=float, default=80.0, help="time limit for everything (default: 80)")
    parser.add_argument("--pytest", nargs=argparse.REMAINDER, default=[], help="what follows goes to pytest")
    options = parser.parse_args()
    if unknown := set(options.backends) - set(BACKENDS):
        parser.error(f"unknown backend {', '.join(sorted(unknown))}: choose from {', '.join(BACKENDS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the suites are stopped too
    # A shell's background jobs ignore Ctrl-C, and so would the suites: tests that interrupt training would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    total = run(options.backends or BACKENDS, options.pytest, minutes=options.minutes)
    print(f"{total.passed} passed, {total.failed} failed")
    sys.exit(total.failed > 0)


if __name__ == "__main__":
    main()
