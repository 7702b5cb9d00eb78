import contextlib
import csv
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import keras_tricks as kt
from keras_tricks.cli import _augmentations, _backend, _calls, _models, _pictures, _run_folder, _settings, main
from keras_tricks.cli._batches import ShuffledBatches
from keras_tricks.cli._run_folder import RunFolder

BACKEND = keras.backend.backend()
OTHER_BACKEND = "jax" if BACKEND != "jax" else "torch"
EPOCHS = 3
OPTIONS = ["--backend", BACKEND, "--epochs", str(EPOCHS), "--batch-size", "8", "--augment", "crop,flip,mixup,cutmix"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Dark images and bright ones, 6x5, grey."""
    random = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 26), ("test", 10)):
        labels = np.arange(count) % 2
        arrays[f"y_{split}"] = labels
        arrays[f"x_{split}"] = random.integers(0, 100, (count, 6, 5), "uint8") + 100 * labels[:, None, None].astype(
            "uint8"
        )
    path = tmp_path_factory.mktemp("data") / "shades.npz"
    np.savez(path, **arrays, class_names=["dark", "bright"])
    return path


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """The folder of an uninterrupted run, and what it printed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["train", "--dataset", str(dataset), "--out", str(folder), *OPTIONS]) == 0
    return folder, printed.getvalue()


@pytest.fixture
def folder_of_images(tmp_path):
    for name, shade in (("cat", 60), ("dog", 200)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(5):
            Image.new("RGB", (6, 6), (shade + index,) * 3).save(tmp_path / "pets" / name / f"{index}.png")
    return tmp_path / "pets"


def rows_of(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def state_of(folder):
    with np.load(folder / "checkpoint.npz") as file:
        return {name: file[name].tobytes() for name in file.files if name != "rows"}


def weights_of(folder):
    return [weight.tobytes() for weight in keras.models.load_model(folder / "model.keras").get_weights()]


def assert_ended_alike(folder, other):
    assert state_of(folder) == state_of(other)
    assert weights_of(folder) == weights_of(other)
    timeless = [[{**row, "seconds": ""} for row in rows_of(path)] for path in (folder, other)]
    assert timeless[0] == timeless[1]


def error_of(capsys, *arguments):
    """What the command says as it refuses; that is no traceback."""
    assert main(["train", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("keras-tricks: error: ")
    return error


class TestRun:
    def test_writes_everything_and_says_where(self, finished):
        folder, printed = finished
        names = {"config.json", "metrics.csv", "curves.png", "augmented.png", "model.keras", "checkpoint.npz"}
        assert {path.name for path in folder.iterdir()} == names
        assert all(str(folder / name) in printed for name in names)
        for name in ("curves.png", "augmented.png"):
            with Image.open(folder / name) as picture:
                picture.verify()

    def test_prints_a_table_of_results(self, finished):
        folder, printed = finished
        assert "26 training and 10 held-out images" in printed
        table = {
            cells[1].strip(): cells[2].strip() for line in printed.splitlines() if len(cells := line.split("│")) == 4
        }
        assert table["backend"] == BACKEND
        assert table["held-out accuracy"] == f"{float(rows_of(folder)[-1]['val_accuracy']):.2%}"

    def test_keeps_its_settings_and_versions(self, finished, dataset):
        config = json.loads((finished[0] / "config.json").read_text())
        assert config["settings"] == {
            "dataset": str(dataset),
            "backend": BACKEND,
            "model": "cnn",
            "augment": ["crop", "flip", "mixup", "cutmix"],
            "epochs": EPOCHS,
            "batch_size": 8,
            "learning_rate": _settings.Settings.learning_rate,
            "average": True,
            "seed": 0,
            "image_size": None,
            "strict": False,
        }
        assert config["versions"]["keras"] == keras.__version__
        assert config["data"]["class_names"] == ["dark", "bright"]

    def test_has_one_row_of_metrics_for_each_epoch(self, finished):
        rows = rows_of(finished[0])
        assert [row["epoch"] for row in rows] == ["1", "2", "3"]
        assert {"seconds", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy"} < set(rows[0])

    def test_ships_a_plain_keras_model_that_takes_images_as_stored(self, finished, dataset):
        with zipfile.ZipFile(finished[0] / "model.keras") as file:
            assert b"keras_tricks" not in file.read("config.json")
        model = keras.models.load_model(finished[0] / "model.keras")
        data = kt.data.load(dataset)
        guesses = model.predict(data.x_test, verbose=0)
        np.testing.assert_allclose(guesses.sum(axis=1), 1, rtol=1e-5)
        accuracy = np.mean(guesses.argmax(axis=1) == data.y_test)
        assert accuracy == pytest.approx(float(rows_of(finished[0])[-1]["val_accuracy"]))

    def test_on_a_folder_skips_and_names_what_it_cannot_read(self, folder_of_images, tmp_path, monkeypatch, capsys):
        (folder_of_images / "cat" / "broken.png").write_bytes(b"not an image")
        monkeypatch.chdir(tmp_path)
        small = ["--epochs", "1", "--model", "mlp", "--augment", "none", "--no-average", "--image-size", "4x5"]
        assert main(["train", "--backend", BACKEND, "--dataset", "pets", *small]) == 0
        printed = capsys.readouterr().out
        assert "Skipped 1 unreadable image(s)" in printed
        assert "cat/broken.png" in printed
        config = json.loads((tmp_path / "runs" / "pets-1" / "config.json").read_text())
        assert config["settings"]["dataset"] == str(folder_of_images)
        assert config["data"]["image_shape"] == [4, 5, 3]


class TestResume:
    def test_after_ctrl_c_ends_as_if_never_interrupted(self, finished, dataset, tmp_path, monkeypatch, capsys):
        write_metrics, out = RunFolder.write_metrics, tmp_path / "run"

        def interrupted(self, rows):
            if len(rows) == 2:  # Between the checkpoint of the second epoch and its row.
                raise KeyboardInterrupt
            write_metrics(self, rows)

        monkeypatch.setattr(RunFolder, "write_metrics", interrupted)
        assert main(["train", "--dataset", str(dataset), "--out", str(out), *OPTIONS]) == 130
        assert f"keras-tricks train --out {out} --resume" in capsys.readouterr().err
        assert len(rows_of(out)) == 1
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        assert main(["train", "--out", "run", "--resume"]) == 0
        assert_ended_alike(out, finished[0])

    def test_after_a_full_disk_ends_as_if_never_interrupted(self, finished, dataset, tmp_path, monkeypatch, capsys):
        savez, out = np.savez, tmp_path / "run"

        def fill_the_disk(path, **arrays):
            if len(json.loads(str(arrays["rows"]))) == 2:
                path.write_bytes(b"half of it")
                raise OSError(errno.ENOSPC, "No space left on device")
            savez(path, **arrays)

        monkeypatch.setattr(_run_folder.np, "savez", fill_the_disk)
        assert main(["train", "--dataset", str(dataset), "--out", str(out), *OPTIONS]) == 1
        error = capsys.readouterr().err
        assert "No space left on device" in error
        assert "Epoch 1 of 3 is safe" in error
        assert {path.name for path in out.iterdir()} == {
            "config.json",
            "metrics.csv",
            "augmented.png",
            "checkpoint.npz",
        }
        monkeypatch.undo()
        assert main(["train", "--out", str(out), "--resume", "--epochs", str(EPOCHS)]) == 0
        assert_ended_alike(out, finished[0])

    def test_after_a_kill_ends_as_if_never_interrupted(self, finished, dataset, tmp_path):
        command = [
            sys.executable,
            "-m",
            "keras_tricks.cli",
            "train",
            "--dataset",
            str(dataset),
            "--out",
            "run",
            *OPTIONS,
        ]
        environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith("epoch   1/3"):
                    break
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "run" / "model.keras").exists()
        assert main(["train", "--out", str(tmp_path / "run"), "--resume"]) == 0
        assert_ended_alike(tmp_path / "run", finished[0])

    def test_of_a_finished_run_changes_nothing(self, finished):
        folder, _ = finished
        before = state_of(folder), weights_of(folder), (folder / "metrics.csv").read_bytes()
        assert main(["train", "--out", str(folder), "--resume"]) == 0
        assert (state_of(folder), weights_of(folder), (folder / "metrics.csv").read_bytes()) == before

    def test_is_refused_where_there_is_no_run(self, tmp_path, capsys):
        assert "holds no run" in error_of(capsys, "--out", tmp_path / "nothing", "--resume")
        assert "--out FOLDER --resume" in error_of(capsys, "--resume")

    def test_is_refused_with_other_settings(self, finished, capsys):
        error = error_of(capsys, "--out", finished[0], "--resume", "--augment", "none")
        assert "--augment crop,flip,mixup,cutmix, not none" in error

    def test_is_refused_when_the_images_have_changed(self, dataset, tmp_path, capsys):
        RunFolder(tmp_path / "run").begin(
            {"settings": {"dataset": str(dataset), "backend": BACKEND}, "data": {"fingerprint": "another"}}
        )
        assert "are not those" in error_of(capsys, "--out", tmp_path / "run", "--resume")

    def test_is_refused_when_the_checkpoint_is_damaged(self, finished, tmp_path, capsys):
        for name in ("config.json", "checkpoint.npz"):
            (tmp_path / name).write_bytes((finished[0] / name).read_bytes()[:9000])
        assert "checkpoint.npz is damaged" in error_of(capsys, "--out", tmp_path, "--resume")

    def test_is_refused_when_the_configuration_is_damaged(self, tmp_path, capsys):
        (tmp_path / "config.json").write_text("{")
        assert "is damaged" in error_of(capsys, "--out", tmp_path, "--resume")


class TestRefusals:
    def test_a_folder_that_holds_a_run_is_never_overwritten(self, finished, capsys):
        before = {path.name: path.read_bytes() for path in finished[0].iterdir()}
        assert "already holds a run" in error_of(capsys, "--out", finished[0])
        assert {path.name: path.read_bytes() for path in finished[0].iterdir()} == before

    def test_a_folder_of_other_things_is_left_alone(self, tmp_path, capsys):
        (tmp_path / "thesis.txt").write_text("x")
        assert "holds other files" in error_of(capsys, "--out", tmp_path)
        assert "is a file" in error_of(capsys, "--out", tmp_path / "thesis.txt")

    def test_an_unknown_backend(self, capsys):
        assert "tensorflow, jax, torch" in error_of(capsys, "--backend", "theano")

    def test_a_backend_that_is_not_installed(self, monkeypatch, capsys):
        monkeypatch.setattr(_backend.importlib.util, "find_spec", lambda name: None)
        assert 'pip install "keras-tricks[jax]"' in error_of(capsys, "--backend", "jax")

    def test_another_backend_than_the_one_that_runs(self, capsys):
        assert f"already runs on {BACKEND}" in error_of(capsys, "--backend", OTHER_BACKEND)

    def test_a_data_set_that_is_not_there(self, capsys, tmp_path):
        assert "digits, mnist" in error_of(capsys, "--dataset", tmp_path / "nowhere")

    def test_a_faulty_data_set_leaves_no_run_behind(self, capsys, tmp_path):
        (tmp_path / "empty").mkdir()
        assert "no class folders" in error_of(capsys, "--dataset", tmp_path / "empty", "--out", tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_an_unreadable_image_when_strict(self, capsys, folder_of_images, tmp_path):
        (folder_of_images / "cat" / "broken.png").write_bytes(b"not an image")
        out = tmp_path / "run"
        assert "cat/broken.png" in error_of(capsys, "--dataset", folder_of_images, "--strict", "--out", out)

    @pytest.mark.parametrize(
        ("augment", "message"),
        [
            ("Resize(28), flip", "the size of the images, 8 x 8, for which the model is made. Received: .* 28 x 28"),
            ("choice([flip, Resize(4)])", "must make images of one size"),
        ],
    )
    def test_an_augmentation_that_makes_images_of_another_size(self, capsys, tmp_path, augment, message):
        out = tmp_path / "run"
        assert re.search(message, error_of(capsys, "--augment", augment, "--out", out))
        assert not out.exists()

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--augment", "mixup,swirl", "unknown: swirl. Choose from "),
            ("--augment", "flip,flip", "named twice"),
            ("--epochs", "0", "above 0. Received: 0"),
            ("--batch-size", "many", "above 0. Received: many"),
            ("--learning-rate", "nan", "above 0. Received: nan"),
            ("--seed", "-1", "Received: -1"),
            ("--image-size", "3x4x5", "HEIGHTxWIDTH. Received: 3x4x5"),
            ("--model", "vgg", "cnn"),
        ],
    )
    def test_an_impossible_option(self, capsys, option, value, message):
        with pytest.raises(SystemExit) as exited:
            main(["train", f"{option}={value}"])
        assert exited.value.code == 2
        assert message in capsys.readouterr().err


class TestBackend:
    def test_is_what_the_environment_says_or_else_the_configuration(self, monkeypatch, tmp_path):
        (tmp_path / "keras.json").write_text('{"backend": "torch"}')
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.setenv("KERAS_BACKEND", "jax")
        assert _backend.choose(None) == "jax"
        monkeypatch.delenv("KERAS_BACKEND")
        assert _backend.choose(None) == "torch"

    def test_is_otherwise_one_that_is_installed(self, monkeypatch, tmp_path):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delenv("KERAS_BACKEND")
        monkeypatch.setattr(_backend.importlib.util, "find_spec", lambda name: name == "torch" or None)
        assert _backend.choose(None) == "torch"


def test_help_does_not_wait_for_keras():
    program = """
import sys
sys.argv = ["keras-tricks"]
from keras_tricks.cli import main
try:
    main(["train", "--help"])
except SystemExit:
    assert "keras" not in sys.modules
    print("done")
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for text in ("--dataset", "digits", "mixup", "--resume", "model.keras", "done"):
        assert text in result.stdout


def test_the_command_knows_the_names_that_the_families_have():
    assert _settings.DATASETS == kt.data._named.NAMES
    assert tuple(_models.MODELS) == _settings.MODELS
    assert set(_calls.class_names()) == set(kt.augment.__all__) - set(_calls.NO_TRICKS)


def test_digits_are_not_mirrored_by_default():
    assert "flip" not in _settings.default_augment("digits")
    assert "flip" in _settings.default_augment("cifar10")


def test_mixup_and_cutmix_together_take_half_of_the_images_each():
    rates = [layer.rate for layer in _augmentations.build(["mixup", "cutmix"], (8, 8, 1), 10, seed=0)]
    assert rates == [0.5, 0.5]
    assert _augmentations.build(["mixup"], (8, 8, 1), 10, seed=0)[0].rate == 1.0


@pytest.mark.parametrize("name", _settings.MODELS)
@pytest.mark.parametrize("shape", [(8, 8, 1), (3, 5, 3)])
def test_every_model_gives_probabilities(name, shape):
    model = _models.build(name, shape, 4, seed=0)
    probabilities = keras.ops.convert_to_numpy(model(np.full((2, *shape), 255, "uint8")))
    np.testing.assert_allclose(probabilities.sum(axis=1), [1, 1], rtol=1e-5)
    assert probabilities.shape == (2, 4)


class TestShuffledBatches:
    images, labels = np.arange(10)[:, None], np.arange(10)

    def batches(self, first_epoch=0, seed=0):
        return ShuffledBatches(self.images, self.labels, 3, seed, first_epoch, total_epochs=4)

    def test_depend_on_the_epoch_and_not_on_where_a_run_begins(self):
        whole, resumed = self.batches(), self.batches(first_epoch=2)
        assert (whole.num_batches, resumed.num_batches) == (12, 6)
        for step in (5, 0, 3):
            np.testing.assert_array_equal(whole[6 + step][1], resumed[step][1])

    def test_show_every_image_at_most_once_in_an_epoch_and_in_another_order_in_the_next(self):
        epochs = [np.concatenate([self.batches()[3 * epoch + step][1] for step in range(3)]) for epoch in range(3)]
        assert all(len(set(epoch)) == 9 for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) == 3

    def test_keep_images_and_labels_together(self):
        images, labels = self.batches()[1]
        np.testing.assert_array_equal(images[:, 0], labels)

    def test_of_another_seed_differ(self):
        assert self.batches()[0][1].tolist() != self.batches(seed=1)[0][1].tolist()

    def test_are_one_batch_where_there_are_fewer_images(self):
        assert ShuffledBatches(self.images, self.labels, 64, seed=0).steps_per_epoch == 1


class TestRunFolder:
    def test_a_failed_write_leaves_the_file_that_was_there(self, tmp_path):
        path = tmp_path / "file.txt"
        path.write_text("before")

        def write_half():
            with _run_folder.replacing(path) as partial:
                partial.write_text("half")
                raise OSError("full")

        with pytest.raises(OSError, match="full"):
            write_half()
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]

    def test_the_next_free_one_is_above_the_highest(self, tmp_path):
        assert RunFolder.next_free(tmp_path, "digits").path.name == "digits-1"
        for name in ("digits-2", "digits-10", "digits-best", "other-11"):
            (tmp_path / name).mkdir()
        assert RunFolder.next_free(tmp_path, "digits").path.name == "digits-11"
        assert RunFolder.next_free(tmp_path / "missing", "my pets").path.name == "my_pets-1"

    def test_what_a_killed_write_left_behind_does_not_count(self, tmp_path):
        (tmp_path / "config.partial.json").write_text("{")
        RunFolder(tmp_path).begin({"settings": {}})
        assert RunFolder(tmp_path).read_config() == {"settings": {}}


def test_a_mixed_label_is_described_by_its_weights():
    assert _pictures.describe(np.array([0.0, 0.3, 0.7]), "abc") == "c: 0.70, b: 0.30"
    assert _pictures.describe(np.array([0.0, 1.0, 0.0]), "abc") == "b"
