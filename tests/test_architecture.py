"""How the package is cut, read off its source: who may import whom, one trick per file, no drawers.

Each rule is a function from a `Source` (or a tree of files) to its offences, tested on made-up offenders first and
then on the package. Nothing is imported to be judged.
"""

import ast
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once("the source is read, not imported")
ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "keras_tricks"
BACKENDS = ("tensorflow", "jax", "torch")
REQUIRED = {"keras", "numpy"}
COMBINE_FAMILIES = {"cli", "recipes", "search"}  # these stand above the families and may import them
MAY_USE_OPTIONAL_LIBRARIES = {"cli", "data", "search", "training"}
DRAWERS = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "managers", "tools", "shared", "stuff"}


@dataclasses.dataclass(frozen=True)
class Source:
    """One file of the package: its path below `keras_tricks/`, and its text."""

    path: str
    text: str

    @property
    def parts(self) -> tuple[str, ...]:
        """`("augment", "mixup")` for augment/mixup.py, `("augment",)` for augment/__init__.py."""
        parts = Path(self.path).with_suffix("").parts
        return parts[:-1] if parts[-1] == "__init__" else parts

    @property
    def group(self) -> str:
        """The family, or `_core`, `cli`, ...; empty for the package's own `__init__`."""
        return self.parts[0] if self.parts else ""

    @property
    def backend(self) -> str | None:
        """The backend that this file may speak to: that of `_jax.py`, `_tensorflow_ops.py` and the like."""
        return backend_of(self.path)


@dataclasses.dataclass(frozen=True)
class Import:
    """One imported module, absolute, and the functions around it, outermost first."""

    module: str
    functions: tuple[str, ...]
    line: int

    @property
    def top(self) -> str:
        """The distribution's package: `keras` of `keras.ops`."""
        return self.module.partition(".")[0]


def backend_of(path: str) -> str | None:
    stem = Path(path).stem
    return next((b for b in BACKENDS if stem == f"_{b}" or stem.startswith(f"_{b}_")), None)


def imports_of(source: Source) -> Iterator[Import]:
    """All imports, each `from a import b` as `a.b`, and the constant strings given to `import_module`."""

    def visit(node: ast.AST, functions: tuple[str, ...]) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, functions, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            for alias in node.names:
                yield Import(
                    f"{origin}.{alias.name}" if origin.strip(".") else origin + alias.name, functions, node.lineno
                )
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            for argument in node.args[:1]:
                yield Import(ast.unparse(argument).strip("f'\""), functions, node.lineno)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions = (*functions, node.name)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, functions)

    yield from visit(ast.parse(source.text), ())


def offence(source: Source, line: int, words: str) -> str:
    return f"{PACKAGE}/{source.path}:{line} {words}"


def relative_imports(source: Source) -> list[str]:
    found = [i for i in imports_of(source) if i.module.startswith(".")]
    return [offence(source, i.line, f"imports {i.module}: write it absolute") for i in found]


def private_keras(source: Source) -> list[str]:
    private = ("keras.src", "keras._tf_keras", "keras._legacy")
    found = [
        (i.line, i.module) for i in imports_of(source) if any(f"{i.module}.".startswith(f"{name}.") for name in private)
    ]
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in private:
            found.append((node.lineno, ast.unparse(node)))
    return [offence(source, line, f"uses {name}, which is not public") for line, name in found]


def upward_imports(source: Source) -> list[str]:
    """Families know `_core` and themselves; `_core` knows itself; only what combines families knows them."""
    if source.group in COMBINE_FAMILIES | {""}:
        return []
    allowed = {source.group, "_core"}
    found = [i for i in imports_of(source) if i.top == PACKAGE]
    return [
        offence(source, i.line, f"imports {i.module}: {source.group} may import only {' and '.join(sorted(allowed))}")
        for i in found
        if [*i.module.split("."), ""][1] not in allowed
    ]


def foreign_backends(source: Source) -> list[str]:
    found = [i for i in imports_of(source) if i.top in BACKENDS and i.top != source.backend]
    return [offence(source, i.line, f"imports {i.module}: only a file named _{i.top}*.py may") for i in found]


def eager_backend_files(source: Source) -> list[str]:
    """`_jax.py` and the like are imported inside a function, when their backend is known to be the active one."""
    found = []
    for i in imports_of(source):
        named = {backend_of(part) for part in i.module.split(".")} - {None, source.backend}
        if i.top == PACKAGE and named and not i.functions:
            found.append(offence(source, i.line, f"imports {i.module} when it is itself imported"))
    return found


def undeclared_libraries(source: Source) -> list[str]:
    """Modules need keras, numpy and Python; other libraries are met inside functions, where they are the point.

    The command's private files may name theirs at the top: tests/test_import.py holds the command to loading them late.
    """
    private_to_the_command = source.group == "cli" and source.parts[-1].startswith("_")
    found = []
    for i in imports_of(source):
        known = i.top in REQUIRED | {PACKAGE, source.backend, "__future__"} | sys.stdlib_module_names
        if known or i.top in BACKENDS or i.module.startswith(".") or not i.top.isidentifier():
            continue
        plots = any("plot" in name for name in i.functions)
        late = i.functions and (source.group in MAY_USE_OPTIONAL_LIBRARIES or plots)
        if not late and not private_to_the_command:
            found.append(offence(source, i.line, f"imports {i.module}, which is not a required dependency"))
    return found


def drawers(root: Path, folders: tuple[str, ...] = (PACKAGE, "tests")) -> list[str]:
    """Files and folders whose name says only that things are inside."""
    found = []
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            words = set(path.stem.lower().strip("_").split("_"))
            is_module = path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
            mirrors_the_tools = path.relative_to(root).parts[:2] == ("tests", "tools")
            if is_module and words & DRAWERS and not mirrors_the_tools:
                found.append(str(path.relative_to(root)))
    return found


def families(root: Path) -> list[Path]:
    """The folders of tricks."""
    return [
        init.parent
        for init in sorted((root / PACKAGE).glob("*/__init__.py"))
        if not init.parent.name.startswith("_") and init.parent.name not in COMBINE_FAMILIES
    ]


def tricks(root: Path) -> list[Path]:
    return [path for family in families(root) for path in sorted(family.rglob("*.py")) if not path.stem.startswith("_")]


def untested_tricks(root: Path) -> list[str]:
    """`augment/mixup.py` has `tests/augment/test_mixup.py`."""
    expected = [root / "tests" / trick.parent.name / f"test_{trick.name}" for trick in tricks(root)]
    return [str(path.relative_to(root)) for path in expected if not path.is_file()]


def unexported_tricks(root: Path) -> list[str]:
    """Each trick's file is named on exactly one import line of its family; its result type may stand beside it."""
    found = []
    for trick in tricks(root):
        module = f"{PACKAGE}.{trick.parent.name}.{trick.stem}"
        tree = ast.parse((trick.parent / "__init__.py").read_text())
        lines = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == module]
        if len(lines) != 1:
            found.append(f"{PACKAGE}/{trick.parent.name}/__init__.py: {len(lines)} lines `from {module} import ...`")
    return found


PACKAGE_SOURCES = [
    Source(path.relative_to(ROOT / PACKAGE).as_posix(), path.read_text())
    for path in sorted((ROOT / PACKAGE).rglob("*.py"))
]
RULES = [
    relative_imports, private_keras, upward_imports, foreign_backends, eager_backend_files, undeclared_libraries,
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_has_no(rule):
    assert [words for source in PACKAGE_SOURCES for words in rule(source)] == []


@pytest.mark.parametrize("rule", [drawers, untested_tricks, unexported_tricks], ids=lambda rule: rule.__name__)
def test_the_tree_has_no(rule):
    assert rule(ROOT) == []


def test_the_package_is_found():
    assert {"__init__.py", "_core/config.py"} <= {source.path for source in PACKAGE_SOURCES}


MIXUP = "augment/mixup.py"


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (relative_imports, MIXUP, "from . import _base"),
        (relative_imports, MIXUP, "from .._core import ops"),
        (private_keras, MIXUP, "import keras.src"),
        (private_keras, MIXUP, "from keras import src"),
        (private_keras, MIXUP, "from keras.src.backend import any_symbolic_tensors"),
        (private_keras, MIXUP, "from keras._tf_keras import keras"),
        (private_keras, MIXUP, "import keras\ndef f():\n    return keras.src.backend"),
        (private_keras, MIXUP, "import importlib\nimportlib.import_module('keras.src.trainers')"),
        (upward_imports, MIXUP, "from keras_tricks.losses import Crossentropy"),
        (upward_imports, MIXUP, "from keras_tricks import losses"),
        (upward_imports, MIXUP, "import keras_tricks"),
        (upward_imports, MIXUP, "import keras_tricks as kt"),
        (upward_imports, MIXUP, "def f():\n    from keras_tricks.training import Trainer"),
        (upward_imports, MIXUP, "import importlib\nimportlib.import_module('keras_tricks.training')"),
        (upward_imports, "_core/config.py", "from keras_tricks.augment import MixUp"),
        (upward_imports, "_core/config.py", "from keras_tricks import augment"),
        (upward_imports, "losses/crossentropy.py", "from keras_tricks.cli import main"),
        (foreign_backends, MIXUP, "import tensorflow as tf"),
        (foreign_backends, MIXUP, "def f():\n    import torch"),
        (foreign_backends, MIXUP, "from jax import numpy"),
        (foreign_backends, "training/_jax.py", "import torch"),
        (foreign_backends, "training/_jaxlike.py", "import jax"),
        (foreign_backends, MIXUP, "import importlib\ntf = importlib.import_module('tensorflow')"),
        (eager_backend_files, "training/trainer.py", "from keras_tricks.training import _jax"),
        (eager_backend_files, "training/trainer.py", "from keras_tricks.training._tensorflow import Step"),
        (eager_backend_files, "training/trainer.py", "if True:\n    import keras_tricks.training._torch"),
        (undeclared_libraries, MIXUP, "import scipy"),
        (undeclared_libraries, MIXUP, "def f():\n    import scipy"),
        (undeclared_libraries, "cli/train.py", "import rich"),
        (undeclared_libraries, "data/load.py", "from PIL import Image"),
        (undeclared_libraries, "training/_jax.py", "import optax"),
    ],
)
def test_a_rule_catches(rule, path, text):
    assert rule(Source(path, text)) != []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            MIXUP,
            "import math\nimport keras\nimport numpy as np\nfrom keras import ops\nfrom keras_tricks._core import ops",
        ),
        (MIXUP, "from keras_tricks.augment._base import BatchAugmentation\nsource = 'keras.src'"),
        (MIXUP, "def plot_curve():\n    import matplotlib.pyplot as plt"),
        (MIXUP, "import sys\ntf = sys.modules['tensorflow']"),
        ("training/_jax.py", "import jax\nfrom jax import numpy"),
        ("_core/_tensorflow_ops.py", "import tensorflow as tf"),
        ("training/trainer.py", "def f():\n    from keras_tricks.training import _jax"),
        ("cli/train.py", "from keras_tricks.training import Trainer\ndef f():\n    import rich"),
        ("cli/_pictures.py", "from matplotlib.figure import Figure"),
        ("recipes/rsb.py", "from keras_tricks import augment, losses"),
        ("data/load.py", "def f():\n    from PIL import Image\n    import sklearn.datasets"),
        ("__init__.py", "import importlib\nfamily = importlib.import_module(f'{__name__}.augment')"),
    ],
)
def test_the_rules_let_pass(path, text):
    assert [words for rule in RULES for words in rule(Source(path, text))] == []


@pytest.fixture
def made_up(tmp_path):
    """A tree with one family of one trick, all in order."""
    for path, text in {
        "keras_tricks/__init__.py": "",
        "keras_tricks/_core/checks.py": "",
        "keras_tricks/augment/__init__.py": "from keras_tricks.augment.mixup import MixUp\n",
        "keras_tricks/augment/_base.py": "",
        "keras_tricks/augment/mixup.py": "",
        "keras_tricks/cli/__init__.py": "",
        "keras_tricks/cli/train.py": "",
        "tests/augment/test_mixup.py": "",
        "tests/tools/test_catalogue.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_tree_in_order_passes(made_up):
    assert (drawers(made_up), untested_tricks(made_up), unexported_tricks(made_up)) == ([], [], [])


@pytest.mark.parametrize("name", ["utils.py", "_helpers.py", "image_utils.py", "common/__init__.py"])
def test_a_drawer_is_caught(made_up, name):
    path = made_up / "keras_tricks/augment" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    assert drawers(made_up) == [f"keras_tricks/augment/{name.removesuffix('/__init__.py')}"]


def test_a_trick_without_a_test_is_caught(made_up):
    (made_up / "tests/augment/test_mixup.py").unlink()
    assert untested_tricks(made_up) == ["tests/augment/test_mixup.py"]


@pytest.mark.parametrize(
    "exports",
    [
        "",
        "from keras_tricks.augment.mixup import MixUp\nfrom keras_tricks.augment.mixup import MixUp as Mix\n",
        "from keras_tricks.augment._base import MixUp\n",
    ],
    ids=["no line", "two lines", "another file"],
)
def test_a_trick_that_is_not_exported_on_one_line_is_caught(made_up, exports):
    (made_up / "keras_tricks/augment/__init__.py").write_text(exports)
    assert len(unexported_tricks(made_up)) == 1
