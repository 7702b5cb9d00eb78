"""Every notebook runs from its first cell to its last, with the small setting that its first cell reads.

They start processes of their own for minutes: where tools/test.py runs several backends, each takes its turn.
"""

import warnings
from pathlib import Path

import keras
import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
PRINTED = {
    "01_quickstart": "loaded with Keras alone",
    "02_see_the_augmentations": "public names, all of them drawn",
    "03_learning_rates": "curves drawn",
    "04_optimizers_and_averages": "ways to the same network",
}
assert [path.stem for path in NOTEBOOKS] == list(PRINTED)


def in_turn(number, path):
    reason = "its code is the same on every backend, and what it calls has tests of its own on each"
    return pytest.param(path, id=path.stem, marks=pytest.mark.once(reason, turn=number + 2))


@pytest.mark.parametrize("path", list(map(in_turn, range(len(NOTEBOOKS)), NOTEBOOKS)))
def test_it_runs(path, monkeypatch):
    monkeypatch.setenv("NOTEBOOK_EPOCHS", "2")
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    notebook = nbformat.read(path, as_version=4)
    assert "NOTEBOOK_EPOCHS" in notebook.cells[1].source
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the notebook client's own connections
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert f"{keras.backend.backend()}: " in printed
    assert PRINTED[path.stem] in printed
    assert "Traceback" not in printed
