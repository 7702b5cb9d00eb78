"""Every notebook runs from its first cell to its last, with the small setting that its first cell reads."""

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
}
assert [path.stem for path in NOTEBOOKS] == list(PRINTED)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
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
