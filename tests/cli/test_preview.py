import keras
import numpy as np
import pytest
from PIL import Image

import keras_tricks as kt
from keras_tricks.cli import _augmentations, _calls, _pictures, _previewing, main
from tests.running import to_numpy

BACKEND = keras.backend.backend()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Coloured images of 12x10, of two classes."""
    images = np.random.default_rng(0).integers(0, 256, (12, 12, 10, 3), "uint8")
    path = tmp_path_factory.mktemp("data") / "colours.npz"
    labels = np.arange(12) % 2
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels, class_names=["even", "odd"])
    return path


@pytest.fixture
def drawn(monkeypatch):
    """The rows that were drawn."""
    rows = {}
    save = _pictures.save_rows

    def keep(path, named):
        rows.update(named)
        save(path, named)

    monkeypatch.setattr(_previewing._pictures, "save_rows", keep)
    return rows


def build(text, shape=(12, 10, 3)):
    return _augmentations.build([call.text for call in _calls.parse(text)], shape, 10, seed=3)


class TestPreview:
    def test_draws_originals_and_several_draws_of_each(self, dataset, tmp_path, drawn, capsys):
        out = tmp_path / "grid.png"
        options = ["--dataset", str(dataset), "--backend", BACKEND, "--out", str(out), "--columns", "4", "--draws", "2"]
        assert (
            main(["preview", "--augment", "flip(rate=1), RandomErasing(rate=1, fill='color'), cutmix", *options]) == 0
        )
        assert str(out) in capsys.readouterr().out
        with Image.open(out) as picture:
            picture.verify()
        assert list(drawn) == ["originals", "flip(rate=1)", "RandomErasing(rate=1, fill='color')", "cutmix"]
        originals = drawn.pop("originals")
        assert [picture is None for picture in originals] == [False, True, False, True]
        assert {originals[0].title, originals[2].title} == {"even", "odd"}
        for name, pictures in drawn.items():
            assert len(pictures) == 4
            for column, picture in enumerate(pictures):
                original = originals[column - column % 2].image
                assert picture.image.shape == original.shape
                assert ("flip" in name) == np.array_equal(picture.image, original[:, ::-1])
            assert ("flip" in name) == np.array_equal(pictures[0].image, pictures[1].image)
        assert any("even: " in picture.title and "odd: " in picture.title for picture in drawn["cutmix"])

    def test_repeated_images_are_drawn_below_their_originals(self, dataset, tmp_path, drawn):
        options = ["--dataset", str(dataset), "--backend", BACKEND, "--out", str(tmp_path / "grid.png")]
        assert main(["preview", "--augment", "repeatedaugmentation", "--columns", "3", "--draws", "1", *options]) == 0
        originals, repeated = drawn.values()
        assert len(originals) == 3
        for original, picture in zip(originals, repeated, strict=True):
            np.testing.assert_array_equal(picture.image, original.image)
            assert picture.title == original.title

    def test_boxes_and_masks_move_with_their_images(self, dataset, tmp_path, drawn):
        options = ["--dataset", str(dataset), "--backend", BACKEND, "--out", str(tmp_path / "grid.png"), "--boxes"]
        assert (
            main(["preview", "--augment", "RandomAffine(translation=((0.2, 0.2), 0.0))", "--columns", "1", *options])
            == 0
        )
        (original,), (moved,) = drawn.values()
        np.testing.assert_array_equal(original.boxes, [[2, 3, 8, 9]])
        np.testing.assert_allclose(moved.boxes, [[4, 3, 10, 9]], atol=1e-4)
        np.testing.assert_array_equal(moved.mask[:, 2:], original.mask[:, :-2])
        assert original.mask.any()

    def test_boxes_and_masks_are_left_out_of_the_rows_that_cannot_have_them(self, dataset, tmp_path, drawn):
        options = ["--dataset", str(dataset), "--backend", BACKEND, "--out", str(tmp_path / "grid.png"), "--boxes"]
        assert main(["preview", "--augment", "cutmix, mixup(rate=1), augmix", "--columns", "1", *options]) == 0
        has = {name: (picture.mask is not None, picture.boxes is not None) for name, (picture,) in drawn.items()}
        assert has == {
            "originals": (True, True),
            "cutmix": (True, True),
            "mixup(rate=1)": (False, True),
            "augmix": (False, False),
        }

    @pytest.mark.parametrize(
        ("augment", "message"),
        [
            ("swirl", "unknown: swirl. Choose from "),
            ("none", "names no augmentation"),
            ("flip(", "cannot be read: flip("),
            ("flip.rate", "cannot be read: flip.rate"),
            ("flip(rate=__import__('os'))", "unknown: __import__"),
            ("flip(rate=1 + x)", "not a plain value: 1 + x"),
            ("flip(**{})", "cannot be read"),
            ("flip for x in y", "cannot be read: flip for x in y"),
            ("flip]+[crop", "cannot be read"),
            ("RandomErasing({[1]})", "not a plain value: {[1]}"),
        ],
    )
    def test_what_is_no_list_of_augmentations_is_refused(self, augment, message, capsys):
        with pytest.raises(SystemExit) as exited:
            main(["preview", "--augment", augment])
        assert exited.value.code == 2
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--augment", "flip(rate=2)"], "flip(rate=2): `rate` must be in [0, 1]. Received: rate=2"),
            (["--augment", "flip(ratio=2)"], "ratio"),
            (["--augment", "pcalighting"], "PCALighting takes images of 3 channels"),
            (["--dataset", "nowhere"], "There is no data set"),
            (["--out", "missing/grid.png"], "--out is a file in a folder that exists"),
            (["--out", "grid.xyz"], "Cannot write to grid.xyz: the name of --out ends in one of ."),
            (["--out", "grid"], ".png, "),
        ],
    )
    def test_what_cannot_be_drawn_is_told_in_a_line(self, options, message, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert main(["preview", "--backend", BACKEND, *options]) == 2
        error = capsys.readouterr().err
        assert error.startswith("keras-tricks: error: ")
        assert message in error
        assert "Arguments received" not in error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("augment", ["augmix(splits=3)", "repeatedaugmentation(3)", "augmix"])
    def test_what_is_drawn_of_many_views_is_one_of_each_image(self, augment, dataset, tmp_path, drawn):
        options = ["--dataset", str(dataset), "--backend", BACKEND, "--out", str(tmp_path / "grid.png")]
        assert main(["preview", "--augment", augment, *options, "--columns", "6", "--draws", "3"]) == 0
        originals, row = drawn.values()
        assert len(row) == 2 * 3
        for place, picture in enumerate(row):
            is_original = np.array_equal(picture.image, originals[3 * (place // 3)].image)
            assert is_original == (augment == "repeatedaugmentation(3)")

    def test_all_of_them_can_be_made_for_small_and_oblong_images(self):
        for text in _previewing._texts("all"):
            assert build(text), text
            assert build(text, (16, 24, 3)), text


class TestCalls:
    def test_classes_and_short_names_in_any_case_mean_the_same(self):
        for text in ("RandomErasing", "erasing", "random_erasing", "RANDOMERASING"):
            (layer,) = build(text)
            assert type(layer) is kt.augment.RandomErasing

    def test_every_trick_has_a_short_name_of_its_own(self):
        names = _calls.class_names()
        assert set(names) == set(kt.augment.__all__) - set(_calls.NO_TRICKS)
        assert len({_calls.short_name(name) for name in names}) == len(names)
        for name in names:
            assert _calls.known()[_calls.short_name(name)] == name

    def test_arguments_are_given_on_and_the_others_suit_the_images(self):
        erasing, cutout, crop, mixup = build("erasing(1, count=2), cutout, RandomCrop(padding=5), mixup(seed=4)")
        assert (erasing.rate, erasing.count, erasing.seed) == (1.0, 2, 3)
        assert cutout.size == (5, 5)
        assert (crop.padding, crop.size) == (5, None)
        assert (mixup.num_classes, mixup.seed) == (10, 4)

    def test_who_says_what_is_done_gets_nothing_else(self):
        turned, sheared, crop, jitter, plain = build(
            "affine(rotation=5), affine(shear=(20, 20)), crop(48), jitter(hue=0.1), affine"
        )
        assert (turned.rotation, turned.translation, turned.scale) == (5, (0.0, 0.0), 1.0)
        assert (sheared.shear, sheared.rotation, sheared.translation, sheared.scale) == ((20, 20), 0.0, (0.0, 0.0), 1.0)
        assert (crop.size, crop.padding) == ((48, 48), 0)
        assert (jitter.hue, jitter.brightness) == (0.1, 0.0)
        assert plain.rotation == 15

    def test_augmentations_can_be_arguments(self):
        choice, apply = build(
            "RandomChoice([mixup, cutmix(alpha=2.0)], probabilities=(0.2, 0.8)), RandomApply(invert, rate=0.3)"
        )
        assert [type(layer).__name__ for layer in choice.layers] == ["MixUp", "CutMix"]
        assert choice.layers[1].alpha == 2.0
        assert isinstance(apply.layer, kt.augment.Invert)

    def test_mixup_and_cutmix_together_share_the_images_unless_told_otherwise(self):
        assert [layer.rate for layer in build("mixup, cutmix(rate=1.0)")] == [0.5, 1.0]


def test_pixels_in_units_of_their_own_are_spread_from_black_to_white():
    normalised = np.linspace(-2, 2, 12).reshape(2, 2, 3)
    shown = _pictures._shown(normalised)
    assert (shown.min(), shown.max()) == (0, 255)
    np.testing.assert_array_equal(_pictures._shown(np.full((2, 2, 1), 300.0)), np.full((2, 2), 255))


def test_masks_and_boxes_are_drawn_over_the_image():
    axes = _pictures.Figure().subplots()
    boxes, labels = np.array([[1, 2, 4, 6], [0, 0, 0, 0]]), np.array([0, -1])
    _pictures.draw(axes, np.zeros((8, 8, 3), "uint8"), "a title", np.eye(8)[..., None], boxes, labels)
    (box,) = axes.patches
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (0.5, 1.5, 3, 4)
    assert len(axes.images) == 2
    assert axes.images[1].get_array().mask.sum() == 8 * 8 - 8
    assert axes.get_title() == "a title"


def test_preview_leaves_its_images_as_they_are():
    data = kt.data.load("digits")
    batch = _previewing._batch(data, 8, seed=0, with_places=True)
    kept = to_numpy(batch["images"]).copy()
    _previewing._draws("invert", batch, data, draws=1, seed=0)
    np.testing.assert_array_equal(batch["images"], kept)
    assert len(set(batch["labels"])) == 8
