"""What `import keras_tricks` costs and brings in, in an interpreter of its own."""

import functools
import os
import subprocess
import sys

SECONDS_OVER_KERAS = 0.3
OTHERS = {"tensorflow": ["jax", "torch"], "jax": ["tensorflow", "torch"], "torch": ["tensorflow", "jax"]}


def output_of(code: str) -> str:
    # The test process may have been told to trace or to fail on warnings: the child starts as a user's program does.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@functools.cache
def imported(backend: str) -> list[str]:
    """Of one import: the libraries it loads, its seconds over Keras', the other backends that its families load."""
    code = (
        "import sys, time, keras, numpy\n"
        "before, start = set(sys.modules), time.perf_counter()\n"
        "import keras_tricks as kt; [getattr(kt, name) for name in kt.__all__]\n"
        "seconds = time.perf_counter() - start\n"
        "libraries = {name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names\n"
        "known = {name.partition('.')[0] for name in before}\n"
        "families = [getattr(kt, name) for name in kt.FAMILIES]\n"
        "[getattr(family, name) for family in families for name in family.__all__]\n"
        f"others = [name for name in {OTHERS[backend]} if name in set(sys.modules) - before]\n"
        "print(sorted(libraries - known), seconds, others, sep=';')"
    )
    return output_of(code).split(";")


def test_importing_every_family_imports_no_other_backend(backend):
    assert imported(backend)[2] == "[]"


def test_importing_it_loads_nothing_but_its_required_dependencies(backend):
    assert imported(backend)[0] == "['keras_tricks']"


def test_importing_it_takes_under_a_third_of_a_second_over_keras(backend):
    # The best of three: a neighbour's load can only slow an import down.
    seconds = []
    while len(seconds) < 3 and not (seconds and min(seconds) < SECONDS_OVER_KERAS):
        seconds.append(float(imported(backend)[1]))
        imported.cache_clear()
    assert min(seconds) < SECONDS_OVER_KERAS


def test_the_command_starts_without_keras_and_without_its_optional_libraries():
    code = (
        "import sys; sys.argv[0] = '/bin/keras-tricks'\n"
        "import keras_tricks.cli\n"
        "print([name for name in ('keras', 'matplotlib', 'rich', 'sklearn', 'PIL') if name in sys.modules])"
    )
    assert output_of(code) == "[]"
