"""tools/catalogue.py on a made-up package."""

import pytest

from tools import catalogue

pytestmark = pytest.mark.once("tools/catalogue.py reads the source without importing it")
MIXUP = '''class MixUp:
    """Blends each picture | and its label.

    More words.

    Reference: [Zhang et al., 2018](https://arxiv.org/abs/1710.09412), section 3;
        [another](https://example.org/a_b)

    Not a reference: [this](https://example.org).
    """
'''


@pytest.fixture
def root(tmp_path):
    for path, text in {
        "README.md": f"# Title\n\n{catalogue.BEGIN}\nold\n{catalogue.END}\n\nThe rest.\n",
        "keras_tricks/__init__.py": "",
        "keras_tricks/_core/__init__.py": "",
        "keras_tricks/cli/__init__.py": "",
        "keras_tricks/losses/__init__.py": "from keras_tricks.losses.hinge import hinge\n",
        "keras_tricks/losses/hinge.py": 'def hinge():\n    """Keeps a margin."""\n',
        "keras_tricks/augment/__init__.py": (
            "from keras_tricks.augment._base import Base\nfrom keras_tricks.augment.mixup import MixUp\n"
        ),
        "keras_tricks/augment/mixup.py": MIXUP,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_the_table_is_grouped_by_what_a_trick_touches_and_leaves_bases_out(root):
    catalogue.main([], root)
    assert (
        (root / "README.md").read_text()
        == f"""# Title

{catalogue.BEGIN}
**A batch, before the model** (`kt.augment`)

| trick | what it does | reference |
|---|---|---|
| `kt.augment.MixUp` | Blends each picture \\| and its label. \
| [Zhang et al., 2018](https://arxiv.org/abs/1710.09412), [another](https://example.org/a_b) |

**The distance to the target** (`kt.losses`)

| trick | what it does | reference |
|---|---|---|
| `kt.losses.hinge` | Keeps a margin. |  |
{catalogue.END}

The rest.
"""
    )


def test_a_stale_table_fails_the_check_and_is_left_as_it_is(root):
    before = (root / "README.md").read_text()
    with pytest.raises(SystemExit, match="stale"):
        catalogue.main(["--check"], root)
    assert (root / "README.md").read_text() == before


def test_a_fresh_table_passes_the_check(root, capsys):
    catalogue.main([], root)
    catalogue.main(["--check"], root)
    assert "fresh" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["none", f"{catalogue.END} {catalogue.BEGIN}", catalogue.BEGIN])
def test_missing_or_misplaced_markers_are_an_error(root, text):
    (root / "README.md").write_text(text)
    with pytest.raises(SystemExit, match="needs one"):
        catalogue.main([], root)


def test_an_unknown_family_is_an_error_that_names_it(root):
    (root / "keras_tricks/surprises").mkdir()
    (root / "keras_tricks/surprises/__init__.py").write_text("")
    with pytest.raises(SystemExit, match="surprises"):
        catalogue.main([], root)


def test_a_trick_without_a_docstring_is_an_error_that_names_it(root):
    (root / "keras_tricks/losses/hinge.py").write_text("def hinge(): pass\n")
    with pytest.raises(SystemExit, match="hinge has no docstring"):
        catalogue.main([], root)
