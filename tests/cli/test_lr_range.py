import keras
import pytest
from PIL import Image

from keras_tricks.cli import main

BACKEND = keras.backend.backend()


def find(tmp_path, *options):
    return main(["lr-range", "--backend", BACKEND, "--out", str(tmp_path / "range.png"), *options])


def test_says_a_rate_and_draws_the_curve(tmp_path, capsys):
    assert find(tmp_path, "--model", "mlp", "--steps", "60", "--low", "1e-5") == 0
    said = capsys.readouterr().out
    assert "uggest" in said
    assert str(tmp_path / "range.png") in said
    with Image.open(tmp_path / "range.png") as picture:
        assert min(picture.size) > 300


def test_the_same_seed_gives_the_same_answer(tmp_path, capsys):
    said = []
    for _ in range(2):
        options = ["--model", "mlp", "--steps", "20", "--optimizer", "sgd", "--augment", "none", "--seed", "3"]
        assert find(tmp_path, *options) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--low", "1", "--high", "0.1"], "--high must be above --low 1. Received: 0.1"),
        (["--steps", "1"], "--steps must be at least 2. Received: 1"),
        (["--dataset", "nowhere"], "There is no data set 'nowhere'"),
        (["--out", "/"], "Cannot write to /"),
    ],
)
def test_says_what_cannot_be_run(tmp_path, capsys, options, message):
    assert find(tmp_path, *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--low", "0"], ["--model", "vgg"], ["--augment", "blur_it"], ["--optimizer", "x"]]
)
def test_refuses_values_that_make_no_sense(tmp_path, capsys, options):
    with pytest.raises(SystemExit) as caught:
        find(tmp_path, *options)
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err
