"""Runs the suite once for each backend, two backends at a time, and ends with the sum: `N passed, N failed`.

    python tools/test.py                            # tensorflow, jax and torch
    python tools/test.py jax --pytest -k mixup      # one of them; what follows `--pytest` goes to pytest

Keras reads its backend once, when it is imported, so each backend is a process of its own. A backend whose process
dies, is stopped by the time limit or collects no test has failed.
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
BACKENDS = ("tensorflow", "jax", "torch")  # the slowest first: the last one then has a core to itself the longest
AT_A_TIME = 2
SECONDS_BETWEEN_SIGNS_OF_LIFE = 60


@dataclasses.dataclass
class Suite:
    """The suite of one backend, while it runs and after."""

    backend: str
    folder: Path
    process: subprocess.Popen
    start: float

    @property
    def log(self) -> Path:
        """Everything pytest printed."""
        return self.folder / f"{self.backend}.log"

    @property
    def report(self) -> Path:
        """The results as JUnit's XML, written when pytest ends."""
        return self.folder / f"{self.backend}.xml"

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
    """The counts of one `report`; an `exit_code` other than 0 is at least one failure, whatever the report says."""
    counts = Counts()
    with contextlib.suppress(OSError, ElementTree.ParseError):
        for suite in ElementTree.parse(report).iter("testsuite"):
            tests, failures, errors, skipped = (
                int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
            )
            counts += Counts(max(tests - failures - errors - skipped, 0), failures + errors, skipped)
    if counts.failed == 0 and (exit_code != 0 or counts.passed + counts.skipped == 0):
        counts += Counts(failed=1)
    return counts


def begin(backend: str, folder: Path, arguments: Sequence[str], neighbours: int, command: Sequence[str]) -> Suite:
    """Starts the suite of one `backend` in a process group of its own."""
    threads = str(max((os.cpu_count() or 1) // neighbours, 1))
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
    }
    log = folder / f"{backend}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--junitxml={folder / backend}.xml", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Suite(backend, folder, process, time.monotonic())


def stop(suite: Suite) -> None:
    """Ends the suite's process and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(suite.process.pid, signal.SIGKILL)
    suite.process.wait()


def finished(
    waiting: list[str], folder: Path, arguments: Sequence[str], command: Sequence[str], minutes: float
) -> Iterator[tuple[Suite, bool]]:
    """Runs the suites of the backends `waiting`, `AT_A_TIME` together; yields each (suite, late) as it ends."""
    deadline = time.monotonic() + 60 * minutes
    neighbours = min(AT_A_TIME, len(waiting))
    running: list[Suite] = []
    sign_of_life = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < AT_A_TIME:
                running.append(begin(waiting.pop(0), folder, arguments, neighbours, command))
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
                print(
                    "... " + ", ".join(f"{s.backend} {s.progress()} ({s.seconds():.0f} s)" for s in running), flush=True
                )
    finally:
        for suite in running:
            stop(suite)


def run(
    backends: Sequence[str],
    arguments: Sequence[str] = (),
    command: Sequence[str] = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
    minutes: float = 80.0,
) -> Counts:
    """Runs the suites, prints each result, and the whole output of each that failed; returns the sum."""
    total = Counts()
    print(f"Testing on {', '.join(backends)} ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for suite, late in finished(list(backends), Path(folder), arguments, command, minutes):
            counts = read_counts(suite.report, suite.process.returncode)
            total += counts
            if counts.failed:
                print(suite.log.read_text(errors="replace"))
            if late:
                print(f"{suite.backend}: stopped, because {minutes:g} minutes are over")
            print(
                f"{suite.backend}: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped "
                f"in {suite.seconds():.0f} s",
                flush=True,
            )
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backends", nargs="*", metavar="backend", help=f"any of {', '.join(BACKENDS)} (default: all)")
    parser.add_argument("--minutes", type=float, default=80.0, help="time limit for everything (default: 80)")
    parser.add_argument("--pytest", nargs=argparse.REMAINDER, default=[], help="what follows goes to pytest")
    options = parser.parse_args()
    if unknown := set(options.backends) - set(BACKENDS):
        parser.error(f"unknown backend {', '.join(sorted(unknown))}: choose from {', '.join(BACKENDS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the suites are stopped too
    total = run(options.backends or BACKENDS, options.pytest, minutes=options.minutes)
    print(f"{total.passed} passed, {total.failed} failed")
    sys.exit(total.failed > 0)


if __name__ == "__main__":
    main()
