"""Every example that users are shown runs: those of the docstrings of public names, and README's Python blocks.

A block in README that cannot run here (it needs the reader's own data) is preceded by a line `<!-- not run -->`.
"""

import inspect
import linecache
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks._core import compiled
from tests.conftest import AS_USERS_HAVE_IT

README = Path(__file__).resolve().parent.parent / "README.md"
NOT_RUN = "<!-- not run -->"


def namespace() -> dict[str, Any]:
    """What an example may use without making it, anew for each: the one place that says so.

    `kt`, `keras`, `np`; `images` (8, 32, 32, 3) uint8 and `labels` (8,) of ten classes; `model`, a small classifier
    of such images that returns logits, not compiled; `x_train`, `y_train`, `x_test`, `y_test`: the same images, labels.
    """
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (8, 32, 32, 3), "uint8")
    labels = generator.integers(0, 10, (8,), "int32")
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    return {"kt": kt, "keras": keras, "np": np, "images": images, "labels": labels, "model": model, **arrays}


def code_blocks(text: str) -> list[str]:
    """The fenced `python` blocks of `text` that are to be run, without their indentation."""
    blocks = re.finditer(r"^ *```python\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block[1]) for block in blocks if not text[: block.start()].rstrip().endswith(NOT_RUN)]


def public_objects() -> Iterator[tuple[str, Any]]:
    """`("augment.MixUp", kt.augment.MixUp)` and so on."""
    for family in kt.FAMILIES:
        for name in getattr(kt, family).__all__:
            yield f"{family}.{name}", getattr(getattr(kt, family), name)


def documented_members(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The docstring of `value`, and those of its own public methods and properties."""
    yield name, inspect.getdoc(value) or ""
    for member_name, member in vars(value).items() if isinstance(value, type) else ():
        if not member_name.startswith("_"):
            yield f"{name}.{member_name}", inspect.getdoc(getattr(member, "__func__", member)) or ""


def examples() -> Iterator[Any]:
    texts = [text for name, value in public_objects() for text in documented_members(name, value)]
    for name, text in [*texts, ("README", README.read_text())]:
        for number, code in enumerate(code_blocks(text), start=1):
            yield pytest.param(code, id=f"{name}-{number}")


def run(code: str, name: str) -> None:
    # The lines are made known to Python: tracebacks show them, and TensorFlow reads the source of what it compiles.
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    exec(compile(code, name, "exec"), namespace() | {"__name__": "example"})


@pytest.mark.parametrize("code", list(examples()))
def test_an_example_runs(code, request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiled, "CALLS_BEFORE", AS_USERS_HAVE_IT)
    run(code, f"<{request.node.callspec.id}>")


@pytest.mark.parametrize("name", [name for name, _ in public_objects()])
def test_a_public_name_has_an_example(name):
    value = dict(public_objects())[name]
    assert any(code_blocks(text) for _, text in documented_members(name, value))


def test_blocks_are_found_at_any_indentation_and_only_python_is_run():
    text = "\n".join(
        [
            "```python", "first = 1", "```", "", "    Example:", "        ```python", "        if True:",
            "            second = 2", "        ```", "", "```shell", "make train", "```", NOT_RUN, "```python",
            "fails()", "```",
        ]
    )  # fmt: skip
    assert code_blocks(text) == ["first = 1\n", "if True:\n    second = 2\n"]


def test_an_example_that_fails_is_a_failure_that_shows_its_line():
    with pytest.raises(AssertionError) as caught:
        run("assert kt\nassert labels.shape == (9,)\n", "<made up>")
    assert str(caught.traceback[-1].statement) == "assert labels.shape == (9,)"
