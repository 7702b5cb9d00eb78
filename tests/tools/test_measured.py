import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def tool():
    spec = importlib.util.spec_from_file_location("measured", ROOT / "tools" / "measured.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readmes_tables_are_those_of_the_records():
    tool().main(["--check"])


def test_a_figure_changed_by_hand_is_found(tmp_path, monkeypatch):
    measured = tool()
    stale = tmp_path / "README.md"
    stale.write_text(measured.README.read_text().replace("%", "%%", 1).replace(" s |", " s! |", 1))
    monkeypatch.setattr(measured, "README", stale)
    with pytest.raises(SystemExit, match="stale"):
        measured.main(["--check"])
    measured.main([])
    measured.main(["--check"])
