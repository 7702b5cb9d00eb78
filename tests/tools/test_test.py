"""tools/test.py: nothing that did not pass may look as if it had."""

import os
import subprocess
import sys
import time

import pytest

from tools import test as runner

pytestmark = pytest.mark.once("tools/test.py does not import Keras")
REPORT = (
    '<testsuites><testsuite tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}"/></testsuites>'
)


def report(folder, tests=0, failures=0, errors=0, skipped=0):
    path = folder / "report.xml"
    path.write_text(REPORT.format(tests=tests, failures=failures, errors=errors, skipped=skipped))
    return path


def suite_of(code):
    """A command that stands for pytest: it is given `--junitxml=...` and runs `code`."""
    return [sys.executable, "-c", f"import os, sys, time; report = sys.argv[1].partition('=')[2]; {code}"]


def writes(**counts):
    numbers = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0} | counts
    return f"open(report, 'w').write({REPORT.format(**numbers)!r})"


def test_errors_count_as_failures_and_skips_as_neither(tmp_path):
    counts = runner.read_counts(report(tmp_path, tests=10, failures=1, errors=2, skipped=3), exit_code=1)
    assert counts == runner.Counts(passed=4, failed=3, skipped=3)


def test_a_missing_report_is_a_failure(tmp_path):
    assert runner.read_counts(tmp_path / "none.xml", exit_code=0).failed == 1


def test_a_truncated_report_is_a_failure(tmp_path):
    (tmp_path / "report.xml").write_text("<testsuites><testsuite tests='3'")
    assert runner.read_counts(tmp_path / "report.xml", exit_code=0) == runner.Counts(failed=1)


def test_no_test_at_all_is_a_failure(tmp_path):
    assert runner.read_counts(report(tmp_path), exit_code=5) == runner.Counts(failed=1)
    assert runner.read_counts(report(tmp_path), exit_code=0) == runner.Counts(failed=1)


def test_a_process_that_dies_after_its_report_is_a_failure(tmp_path):
    assert runner.read_counts(report(tmp_path, tests=2), exit_code=-11) == runner.Counts(passed=2, failed=1)


def test_a_process_whose_tests_are_all_anothers_is_none(tmp_path):
    assert runner.read_counts(report(tmp_path), exit_code=runner.ELSEWHERE) == runner.Counts()
    assert runner.read_counts(report(tmp_path, tests=1, failures=1), exit_code=runner.ELSEWHERE).failed == 1
    assert runner.read_counts(report(tmp_path, tests=1), exit_code=runner.ELSEWHERE).failed == 1


def test_the_counts_of_the_backends_and_of_their_parts_are_summed(capfd):
    total = runner.run(["tensorflow", "jax", "torch"], command=suite_of(writes(tests=2, skipped=1)))
    parts = sum(runner.PARTS.values())
    assert parts > 3
    assert total == runner.Counts(passed=parts, failed=0, skipped=parts)
    lines = [line.rpartition(" in ")[0] for line in capfd.readouterr().out.splitlines()]
    for backend, count in runner.PARTS.items():
        assert lines.count(f"{backend}: {count} passed, 0 failed, {count} skipped") == 1


def test_each_backend_runs_in_its_own_process_with_its_own_keras_backend(capfd):
    total = runner.run(["jax", "torch"], command=suite_of("print('I am', os.environ['KERAS_BACKEND']); sys.exit(1)"))
    output = capfd.readouterr().out
    assert total.failed == runner.PARTS["jax"] + runner.PARTS["torch"]
    assert "I am jax" in output
    assert "I am torch" in output


def test_only_a_failing_backend_shows_its_output(capfd):
    code = f"b = os.environ['KERAS_BACKEND']; print('output of', b); {writes(tests=1)}; sys.exit(b == 'jax')"
    runner.run(["jax", "torch"], command=suite_of(code))
    output = capfd.readouterr().out
    assert "output of jax" in output
    assert "output of torch" not in output


def test_never_more_than_three_run_at_a_time(tmp_path):
    code = (
        f"folder = {str(tmp_path)!r}; mine = folder + f'/{{os.getpid()}}'; open(mine, 'w').close(); "
        f"time.sleep(0.3); others = len(os.listdir(folder)); os.remove(mine); {writes(tests=1)}; sys.exit(others > 3)"
    )
    assert runner.run(["tensorflow", "jax", "torch"], command=suite_of(code)).failed == 0


def test_a_suite_that_hangs_is_stopped_and_failed(capfd):
    total = runner.run(["jax"], command=suite_of("print('half done', flush=True); time.sleep(60)"), minutes=1 / 60)
    output = capfd.readouterr().out
    assert total == runner.Counts(failed=runner.PARTS["jax"])
    assert "half done" in output
    assert "jax 1: stopped" in output


def start(folder, backends, *arguments):
    """The script itself, on the tests of `folder`."""
    command = [sys.executable, runner.__file__, *backends.split(), "--pytest", str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("selection", "exit_code", "last_line"),
    [("good", 0, "2 passed, 0 failed"), ("good or bad", 1, "2 passed, 1 failed"), ("none", 1, "0 passed, 1 failed")],
)
def test_the_last_line_is_the_sum_alone(tmp_path, backend, selection, exit_code, last_line):
    (tmp_path / "test_made_up.py").write_text(
        "def test_good(): pass\ndef test_good_too(): pass\ndef test_bad(): assert False\n"
    )
    process = start(tmp_path, backend, "-k", selection)
    output, _ = process.communicate()
    assert output.splitlines()[-1] == last_line
    assert process.returncode == exit_code


def test_stopping_it_stops_the_suites(tmp_path, backend):
    (tmp_path / "test_made_up.py").write_text(
        "import os, pathlib, time\n"
        "def test_sleeps():\n"
        f"    pathlib.Path({str(tmp_path / 'new')!r}).write_text(str(os.getpid()))\n"
        f"    os.rename({str(tmp_path / 'new')!r}, {str(tmp_path / 'pid')!r})\n"
        "    time.sleep(60)\n"
    )
    process = start(tmp_path, backend)
    while not (tmp_path / "pid").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    process.communicate()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.fixture
def logged(tmp_path):
    """A folder of four files with a test each, and two more that are marked `once`; who ran what is in `log`."""
    (tmp_path / "conftest.py").write_text(
        "import os, pathlib, pytest\n"
        "@pytest.fixture(autouse=True)\n"
        "def log(request):\n"
        f"    with open({str(tmp_path / 'log')!r}, 'a') as log:\n"
        "        log.write(os.environ['KERAS_BACKEND'] + ' ' + request.node.name + '\\n')\n"
    )
    for name in "abcd":
        (tmp_path / f"test_{name}.py").write_text(f"def test_{name}(): pass\n")
    with (tmp_path / "test_b.py").open("a") as file:
        file.write("import pytest\n@pytest.mark.once('a reason')\ndef test_marked(): pass\n")
        file.write("@pytest.mark.once('a reason', turn=1)\ndef test_marked_too(): pass\n")
    return tmp_path


def lines_of(folder):
    return sorted((folder / "log").read_text().splitlines())


def test_of_several_backends_one_runs_what_is_marked_once_and_each_runs_the_rest_once(logged):
    process = start(logged, "torch jax")
    output, _ = process.communicate()
    unmarked = [f"{backend} test_{name}" for backend in ("jax", "torch") for name in "abcd"]
    assert lines_of(logged) == sorted([*unmarked, "jax test_marked_too", "torch test_marked"])
    assert output.splitlines()[-1] == "10 passed, 0 failed"


def test_one_backend_alone_runs_what_is_marked_once(logged):
    output, _ = start(logged, "jax").communicate()
    marked = ["jax test_marked", "jax test_marked_too"]
    assert lines_of(logged) == sorted([*marked, *(f"jax test_{name}" for name in "abcd")])
    assert output.splitlines()[-1] == "6 passed, 0 failed"


def test_a_backend_and_a_part_with_nothing_left_to_run_do_not_fail(logged):
    output, _ = start(logged, "jax torch", "-k", "marked and not too").communicate()
    assert lines_of(logged) == ["torch test_marked"]
    assert "jax: 0 passed, 0 failed, 0 skipped in" in output
    assert output.splitlines()[-1] == "1 passed, 0 failed"
