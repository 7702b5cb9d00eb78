"""Notebooks are committed as they ran: every cell in order, outputs and pictures included, no error among them.

python tools/notebooks.py            # checks them
python tools/notebooks.py --run      # runs them all again, in place
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"


DIGEST = "code_that_ran"  # in a notebook's metadata


def digest(notebook: dict[str, Any]) -> str:
    """Stands for the code of all cells."""
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def offences(notebook: dict[str, Any]) -> list[str]:
    """What is wrong with a `notebook` as it is stored."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    outputs = [output for cell in cells for output in cell["outputs"]]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    found = []
    if [cell["execution_count"] for cell in cells] != list(range(1, len(cells) + 1)):
        found.append("was not run from its first cell to its last")
    if notebook.get("metadata", {}).get(DIGEST) != digest(notebook):
        found.append("was changed since it ran")
    if any(output["output_type"] == "error" for output in outputs):
        found.append("holds an error")
    if not outputs:
        found.append("holds no output")
    elif not any(kind.startswith("image/") for kind in kinds):
        found.append("holds no picture")
    if re.search(r"(/home/|/root/|/Users/|/tmp/|C:\\\\)", json.dumps(outputs)):
        found.append("shows a path of the machine it ran on")
    return found


def run(path: Path) -> None:
    """Runs the notebook at `path` and stores it with its outputs."""
    import nbclient  # only here: checking needs nothing installed
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        cell.get("metadata", {}).pop("execution", None)  # times of day: they differ at every run
        if cell.cell_type == "code":  # what libraries log while they load belongs to the machine, not to the notebook
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata[DIGEST] = digest(notebook)
    nbformat.write(notebook, path)


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="store_true", help="run them all again, in place")
    options = parser.parse_args(arguments)
    failed = False
    for path in sorted(folder.glob("*.ipynb")):
        if options.run:
            run(path)
        found = offences(json.loads(path.read_text()))
        failed = failed or bool(found)
        print(f"{path.name}: {', '.join(found) or 'ok'}")
    if not any(folder.glob("*.ipynb")):
        print("There are no notebooks yet.")
    sys.exit(failed)


if __name__ == "__main__":
    main()
