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


def test_augmentations_are_told_as_images_a_second_and_ratios():
    entry = {
        "member": "RandomFlip",
        "side": 224,
        "dtype": "uint8",
        "count": 64,
        "backend": "tensorflow",
        "reference": "ours, compiled",
        "milliseconds": {
            "ours, compiled": 2.0,
            "ours, tf.data": 4.0,
            "Keras, compiled": 5.0,
            "KerasCV, tf.data": 6.0,
            "kornia": 30.0,
            "torchvision, an image": 8.0,
            "floor": 4.0,
        },
        "hardware": {"cores": 2, "cpu": "a processor"},
        "versions": {"keras": "3"},
    }
    older = entry | {"milliseconds": {"ours, compiled": 1.0}}
    times = {"ours, eager": 2.0, "Keras, eager": 1.5, "ours, compiled": 4.0}
    other = entry | {"backend": "torch", "milliseconds": times}
    text = tool().augmentations([older, entry, other])
    assert "| RandomFlip | 32.0 (2.5 / 1.5 / 4.0; 0.5) | 16.0 (0.75* / - / -; -) |" in text
    assert "| KerasCV, 224x224 uint8 | 1.5 (1) | - |" in text
    assert "| fastest peer, an image, 224x224 uint8 | 4.0 (1) | - |" in text
    small = entry | {"side": 32, "milliseconds": {"ours, tf.data": 2.0, "Keras, tf.data": 7.0, "ours, compiled": 1.0}}
    text = tool().augmentations([older, entry, other, small])
    assert "| Keras, every way, every batch | 3.0 (2) | 0.8 (1) |" in text
    assert "| KerasCV, every batch | 1.5 (1) | - |" in text
    assert "| fastest peer, an image, every batch | 4.0 (1) | - |" in text


def test_steps_are_told_as_the_median_of_the_runs_and_their_range():
    run = {"backend": "jax", "hardware": {"cores": 2, "cpu": "a processor"}, "versions": {"keras": "3"}}
    runs = [
        run | {"milliseconds": {"plain": 10.0, "mixup": 10.0 * ratio}, "ratios": {"plain": 1.0, "mixup": ratio}}
        for ratio in (1.5, 1.1, 1.2)
    ]
    text = tool().steps([*runs, runs[0] | {"backend": "torch"}])
    assert "| one step | JAX, 3 runs | PyTorch, 1 runs |" in text
    assert "| mixup | 12 ms (1.20; 1.10 to 1.50) | 15 ms (1.50; 1.50 to 1.50) |" in text


RUN = {"hardware": {"cores": 2, "cpu": "a processor"}, "versions": {"keras": "3"}}


def test_updates_and_steps_are_told_side_by_side_as_multiples_of_the_last_run():
    update = RUN | {"title": "One update of 60 tensors, 9 parameters, jax", "backend": "jax"}
    step = RUN | {"title": "One step of a small ResNet, jax", "backend": "jax", "ratios": {"Keras AdamW": 1.0}}
    entries = [update | {"ratios": {"Keras AdamW": 1.0, "SGD": ratio}} for ratio in (0.7, 0.5)]
    text = tool().updates([*entries, step])
    assert "| times Keras' AdamW | a step, JAX | an update, JAX |" in text
    assert "| SGD | - | 0.50 |" in text
    assert "one update of 60 tensors, 9 parameters (an update), and of one step of a small ResNet (a step)" in text


def test_two_passes_are_told_as_multiples_of_the_plain_step():
    entries = [RUN | {"backend": backend, "ratios": {"plain step": 1.0, "SAM": 2.0}} for backend in ("torch", "jax")]
    assert "| one step | JAX | PyTorch |\n|---|---|---|\n| plain step | 1.00 | 1.00 |" in tool().passes(entries)
