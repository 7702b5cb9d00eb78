"""Writes README's table of tricks from their docstrings, grouped by what each touches.

    python tools/catalogue.py            # rewrites the table between the markers in README.md
    python tools/catalogue.py --check    # fails if it is not fresh

A trick is a name that its family exports from a file without a leading underscore. The source is read, not imported.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "keras_tricks"
BEGIN, END = "<!-- catalogue:begin -->", "<!-- catalogue:end -->"
TOUCHES = {
    "schedules": "The learning rate, or any number that changes over steps",
    "augment": "A batch, before the model",
    "layers": "Activations or weights inside the model",
    "initializers": "The weights before training starts",
    "losses": "The distance to the target",
    "metrics": "The distance to the target, as reported",
    "optimizers": "Gradients and weights, at each update",
    "training": "The training step itself",
    "callbacks": "The run, between batches and epochs",
    "data": "What is fed",
    "inference": "Predictions, after training",
    "models": "The architecture",
    "diagnostics": "Nothing: it looks",
    "recipes": "Nothing: it combines the others",
    "search": "Nothing: it tries settings",
}
NOT_FAMILIES = {"cli"}


class Trick(NamedTuple):
    """One row of the table."""

    name: str
    summary: str
    reference: str


def tricks(family: Path) -> Iterator[Trick]:
    """The tricks of the `family` folder, in the order of its export lines."""
    for node in ast.parse((family / "__init__.py").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{PACKAGE}.{family.name}."):
            file_name = node.module.rpartition(".")[2]
            if not file_name.startswith("_"):
                for alias in node.names:
                    yield read(family / f"{file_name}.py", family.name, alias.name)


def read(path: Path, family: str, name: str) -> Trick:
    """What the docstring of `name` in the file `path` says in its first line, and where it refers to."""
    definitions = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
    ]
    docstring = definitions and ast.get_docstring(definitions[0])
    if not docstring:
        raise SystemExit(f"{path}: {name} has no docstring")
    references = re.findall(r"^References?: *(.+?)(?:\n\s*\n|\Z)", docstring, re.MULTILINE | re.DOTALL)
    links = re.findall(r"\[[^\]]+\]\([^)\s]+\)", " ".join(references))
    return Trick(f"kt.{family}.{name}", docstring.splitlines()[0], ", ".join(links))


def table(root: Path) -> str:
    """The whole catalogue as Markdown: one section for each family."""
    folders = [init.parent for init in (root / PACKAGE).glob("*/__init__.py")]
    found = {path.name for path in folders if not path.name.startswith("_")} - NOT_FAMILIES
    if unknown := found - set(TOUCHES):
        raise SystemExit(f"tools/catalogue.py does not know what {', '.join(sorted(unknown))} touches: add it there")
    sections = []
    for family in [name for name in TOUCHES if name in found]:
        rows = [
            f"| `{trick.name}` | {trick.summary.replace('|', chr(92) + '|')} | {trick.reference} |"
            for trick in tricks(root / PACKAGE / family)
        ]
        if rows:
            head = [
                f"**{TOUCHES[family]}** (`kt.{family}`)",
                "",
                "| trick | what it does | reference |",
                "|---|---|---|",
            ]
            sections.append("\n".join([*head, *rows]))
    return "\n\n".join(sections)


def replaced(text: str, catalogue: str) -> str:
    """`text` with `catalogue` between its markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise SystemExit(f"README.md needs one {BEGIN} and after it one {END}")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{catalogue}\n{END}{after}"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if README.md is not fresh")
    options = parser.parse_args(arguments)
    readme = root / "README.md"
    text = readme.read_text()
    fresh = replaced(text, table(root))
    if text == fresh:
        print("README.md: the catalogue is fresh")
    elif options.check:
        sys.exit("README.md: the catalogue is stale. Run: python tools/catalogue.py")
    else:
        readme.write_text(fresh)
        print("README.md: catalogue written")


if __name__ == "__main__":
    main()
