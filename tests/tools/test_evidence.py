"""tools/evidence.py: every number kept once, with what it takes to measure it again, and without a machine's names."""

import json
import os
import platform
import statistics
import subprocess
import sys

import pytest

from tools import evidence

pytestmark = pytest.mark.once("tools/evidence.py does not import Keras")
SCRIPT = """
import json, pathlib, sys
seed = int(sys.argv[1])
log = pathlib.Path(sys.argv[2])
log.write_text((log.read_text() if log.exists() else "") + f"{seed} ")
print("training ...")
print(json.dumps({"accuracy": [0.5, 0.75, 0.625, 1.0][seed], "note": "text", "done": True, "epochs": 3}))
"""


@pytest.fixture(autouse=True)
def no_backend_in_the_environment(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with a script that logs the seeds it ran with."""
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    (tmp_path / "measure.py").write_text(SCRIPT)
    return tmp_path


def run(root, *options, script="measure.py", words=("{seed}", "log")):
    evidence.main(["--name", "made-up", *options, "--", "python", script, *words], root / "evidence")


def record(root):
    return json.loads((root / "evidence/made-up.json").read_text())


def test_it_stores_every_value_with_mean_and_standard_deviation(root):
    run(root, "--seeds", "3")
    accuracy = record(root)["summary"]["accuracy"]
    assert accuracy["values"] == [0.5, 0.75, 0.625]
    assert accuracy["mean"] == 0.625
    assert accuracy["std"] == statistics.stdev([0.5, 0.75, 0.625]) == 0.125


def test_only_numbers_are_measurements(root):
    run(root, "--seeds", "1")
    assert set(record(root)["summary"]) == {"accuracy", "epochs"}


def test_one_value_has_no_standard_deviation(root):
    run(root, "--seeds", "1")
    assert record(root)["summary"]["accuracy"]["std"] is None


def test_it_stores_command_versions_hardware_and_dates(root):
    run(root, "--seeds", "1")
    stored = record(root)
    assert stored["command"] == "python measure.py {seed} log"
    assert stored["versions"]["python"] == platform.python_version()
    assert stored["versions"]["keras"]
    assert stored["hardware"]["cores"] == os.cpu_count()
    assert stored["runs"][0]["date"].endswith("+00:00")
    assert stored["runs"][0]["seconds"] >= 0


def test_it_stores_neither_host_name_nor_paths(root):
    run(root, "--seeds", "1")
    text = (root / "evidence/made-up.json").read_text()
    assert str(root) not in text
    assert str(evidence.FOLDER.parent) not in text
    assert sys.prefix not in text
    assert f'"{platform.node()}"' not in text


def test_it_resumes_and_never_measures_a_seed_twice(root):
    run(root, "--seeds", "2")
    first = record(root)["runs"]
    run(root, "--seeds", "4")
    assert (root / "log").read_text() == "0 1 2 3 "
    assert record(root)["runs"][:2] == first
    assert record(root)["summary"]["accuracy"]["values"] == [0.5, 0.75, 0.625, 1.0]


def test_what_was_measured_before_a_failure_is_kept(root):
    with pytest.raises(SystemExit, match="failed with exit code 1 at seed 4"):
        run(root, "--seeds", "6")
    assert [r["seed"] for r in record(root)["runs"]] == [0, 1, 2, 3]


def test_a_failing_command_shows_what_it_printed(root):
    (root / "measure.py").write_text("print('before'); raise RuntimeError('out of luck')")
    with pytest.raises(SystemExit, match=r"(?s)before.*out of luck"):
        run(root)


def test_another_command_under_the_same_name_is_refused(root):
    run(root, "--seeds", "1")
    with pytest.raises(SystemExit, match="another command"):
        run(root, "--seeds", "2", words=("{seed}", "another_log"))


@pytest.mark.parametrize("what", ["versions", "hardware"])
def test_other_versions_or_hardware_do_not_average(root, monkeypatch, what):
    run(root, "--seeds", "1")
    monkeypatch.setattr(evidence, what, lambda: {"keras": "4.0"})
    with pytest.raises(SystemExit, match=f"another {what}"):
        run(root, "--seeds", "2")


def test_restart_measures_everything_anew(root):
    run(root, "--seeds", "1")
    run(root, "--seeds", "1", "--restart", words=("{seed}", "another_log"))
    assert record(root)["command"].endswith("another_log")
    assert (root / "another_log").read_text() == "0 "


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("", "must be a JSON object"),
        ("0.5", "must be a JSON object"),
        ("accuracy 0.5", "must be a JSON object"),
        ('{"note": "none"}', "holds no number"),
        ('{"loss": NaN}', "not finite"),
    ],
)
def test_an_output_without_numbers_is_an_error_that_shows_it(root, printed, message):
    (root / "measure.py").write_text(f"print({printed!r})")
    with pytest.raises(SystemExit, match=message):
        run(root)
    assert not (root / "evidence/made-up.json").exists()


def test_runs_that_report_different_things_do_not_average(root):
    (root / "measure.py").write_text("import sys; print('{\"m%s\": 1}' % sys.argv[1])")
    with pytest.raises(SystemExit, match="Seed 1 reports"):
        run(root)


def test_the_command_may_write_its_report_to_a_file_in_a_folder_that_is_removed(root):
    (root / "measure.py").write_text(
        "import pathlib, sys; out = pathlib.Path(sys.argv[2]); (out / 'r.json').write_text('{\"a\": 1}');"
        "pathlib.Path('where').write_text(str(out)); print('no JSON here')"
    )
    run(root, "--seeds", "1", "--result", "{out}/r.json", words=("{seed}", "{out}"))
    assert record(root)["summary"]["a"]["mean"] == 1
    assert not os.path.exists((root / "where").read_text())


def test_of_a_table_the_last_row_counts(root):
    (root / "measure.py").write_text(
        "import sys; open(sys.argv[2] + '/m.csv', 'w').write('epoch,loss,word\\n1,0.5,a\\n2,0.25,b\\n')"
    )
    run(root, "--seeds", "1", "--result", "{out}/m.csv", words=("{seed}", "{out}"))
    assert record(root)["runs"][0]["values"] == {"epoch": 2, "loss": 0.25}


@pytest.mark.parametrize("name", ["{out}/none.csv", "{out}/none.json"])
def test_a_report_that_was_not_written_is_an_error_that_names_it(root, name):
    with pytest.raises(SystemExit, match=r"none\."):
        run(root, "--result", name)


def test_variables_may_stand_in_front_and_the_callers_backend_is_written_down(root, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    (root / "measure.py").write_text(
        "import os; print('{\"x\": %s, \"jax\": %d}' % (os.environ['X'], os.environ['KERAS_BACKEND'] == 'jax'))"
    )
    evidence.main(
        ["--name", "made-up", "--seeds", "1", "--", "X=7", "python", "measure.py", "{seed}"], root / "evidence"
    )
    assert record(root)["command"] == "KERAS_BACKEND=jax X=7 python measure.py {seed}"
    assert record(root)["runs"][0]["values"] == {"x": 7, "jax": 1}


def test_a_path_of_this_machine_is_made_relative_or_refused(root):
    assert evidence.portable([f"{root}/measure.py", "{seed}"]) == "measure.py {seed}"
    with pytest.raises(SystemExit, match=r"/elsewhere/data\.npz"):
        evidence.portable(["train", "--dataset=/elsewhere/data.npz", "{seed}"])


def test_words_with_spaces_survive_being_written_down(root):
    (root / "measure.py").write_text(
        "import sys; print('{\"words\": %d}' % (sys.argv[2:] == ['a b', \"it's\", '$HOME']))"
    )
    run(root, "--seeds", "1", words=("{seed}", "a b", "it's", "$HOME"))
    assert record(root)["runs"][0]["values"] == {"words": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "python", "measure.py", "{seed}"], "needs a name"),
        (["--name", "../up", "--", "python", "{seed}"], "needs a name"),
        (["--name", "a", "--seeds", "0", "--", "python", "{seed}"], "at least 1"),
        (["--name", "a", "--", "python", "measure.py"], "must hold {seed}"),
        (["--show", "nothing"], "no record nothing"),
    ],
)
def test_a_wrong_call_is_told_what_is_wrong(root, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        evidence.main(arguments, root / "evidence")
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_command_that_does_not_exist_is_named(root):
    with pytest.raises(SystemExit, match="no-such-command"):
        evidence.main(["--name", "a", "--", "no-such-command", "{seed}"], root / "evidence")


def test_show_prints_mean_spread_and_command(root, capsys):
    run(root, "--seeds", "3")
    capsys.readouterr()
    evidence.main(["--show", "made-up"], root / "evidence")
    output = capsys.readouterr().out
    assert "accuracy: 0.625 ± 0.12 (n = 3)" in output
    assert "    python measure.py {seed} log" in output


def test_it_runs_as_a_script():
    result = subprocess.run([sys.executable, evidence.__file__, "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    assert "--show" in result.stdout
