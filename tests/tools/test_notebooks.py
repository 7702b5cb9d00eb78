"""tools/notebooks.py on made-up notebooks."""

import json

import pytest

from tools import notebooks

TEXT = {"output_type": "stream", "name": "stdout", "text": ["accuracy 0.99\n"]}
PICTURE = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}, "metadata": {}}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}


def cell(number, *outputs, source="fit()"):
    return {"cell_type": "code", "execution_count": number, "outputs": list(outputs), "source": [source]}


def notebook(*cells):
    stored = {"cells": [{"cell_type": "markdown", "source": ["# Title"]}, *cells]}
    return stored | {"metadata": {notebooks.DIGEST: notebooks.digest(stored)}}


def test_a_notebook_that_ran_in_order_passes():
    empty = cell(None, source="\n")
    assert notebooks.offences(notebook(cell(1, TEXT), cell(2, PICTURE), empty, cell(3))) == []


@pytest.mark.parametrize(
    ("stored", "offence"),
    [
        (notebook(cell(None, PICTURE)), "was not run from its first cell to its last"),
        (notebook(cell(2, PICTURE), cell(1)), "was not run from its first cell to its last"),
        (notebook(cell(1, PICTURE), cell(2, ERROR)), "holds an error"),
        (notebook(cell(1)), "holds no output"),
        (notebook(cell(1, TEXT)), "holds no picture"),
        (notebook(cell(1, PICTURE, {**TEXT, "text": ["/home/me/runs"]})), "shows a path of the machine it ran on"),
    ],
)
def test_an_offence_is_told(stored, offence):
    assert notebooks.offences(stored) == [offence]


def test_code_that_was_changed_after_it_ran_is_told():
    stored = notebook(cell(1, PICTURE))
    stored["cells"][0]["source"] = ["# Another title"]
    assert notebooks.offences(stored) == []
    stored["cells"][1]["source"] = ["fit(epochs=3)"]
    assert notebooks.offences(stored) == ["was changed since it ran"]


def test_the_exit_code_says_whether_all_are_in_order(tmp_path, capsys):
    (tmp_path / "01_good.ipynb").write_text(json.dumps(notebook(cell(1, PICTURE))))
    with pytest.raises(SystemExit) as caught:
        notebooks.main([], tmp_path)
    assert not caught.value.code
    (tmp_path / "02_bad.ipynb").write_text(json.dumps(notebook(cell(1))))
    with pytest.raises(SystemExit) as caught:
        notebooks.main([], tmp_path)
    assert caught.value.code
    assert capsys.readouterr().out.splitlines()[-1] == "02_bad.ipynb: holds no output"


def test_running_one_stores_its_outputs(tmp_path):
    import nbformat

    code = "from IPython.display import display\nprint(6 * 7)\ndisplay({'image/png': 'iVBORw0KGgo='}, raw=True)"
    stored = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(stored, tmp_path / "01.ipynb")
    with pytest.raises(SystemExit) as caught:
        notebooks.main(["--run"], tmp_path)
    assert not caught.value.code
    again = nbformat.read(tmp_path / "01.ipynb", as_version=4).cells[0]
    assert again.outputs[0].text == "42\n"
    assert "execution" not in again.metadata
