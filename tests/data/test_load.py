import warnings

import numpy as np
import pytest
from PIL import Image

from keras_tricks.data import _named, load


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (6, 4, 5, 3), "uint8"),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": random.integers(0, 256, (3, 4, 5, 3), "uint8"),
        "y_test": np.array([2, 1, 0]),
    }


def save(path, arrays, **changes):
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
    return path


def draw(path, color, size=(6, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two classes of five images each: reds and blues, 6 wide and 4 high."""
    for index in range(5):
        draw(tmp_path / "pets" / "cat" / f"{index}.png", (200 + index, 0, 0))
        draw(tmp_path / "pets" / "dog" / f"{index}.png", (0, 0, 200 + index))
    return tmp_path / "pets"


class TestDigits:
    def test_are_1437_and_360_grey_images_of_8x8(self):
        digits = load("digits")
        assert digits.x_train.shape == (1437, 8, 8, 1)
        assert digits.x_test.shape == (360, 8, 8, 1)
        assert digits.x_train.dtype == "uint8"
        assert (digits.x_train.min(), digits.x_train.max()) == (0, 255)
        assert (digits.name, digits.num_classes, digits.class_names) == ("digits", 10, tuple("0123456789"))

    def test_hold_out_a_fifth_of_every_class(self):
        digits = load("digits")
        held_out, kept = np.bincount(digits.y_test), np.bincount(digits.y_train)
        assert abs(held_out - 0.2 * (held_out + kept)).max() < 1

    def test_hold_out_the_same_images_every_time(self):
        np.random.seed(1)
        first = load("digits")
        np.random.seed(2)
        second = load("digits")
        np.testing.assert_array_equal(first.x_test, second.x_test)
        assert first.y_test[:12].tolist() == second.y_test[:12].tolist() == FIRST_HELD_OUT_DIGITS

    def test_lose_and_repeat_no_image(self):
        datasets = pytest.importorskip("sklearn.datasets")
        digits = load("digits")
        stored = np.rint(datasets.load_digits().images * 255 / 16).astype("uint8")
        together = np.concatenate([digits.x_train, digits.x_test])[..., 0]
        assert sorted(image.tobytes() for image in together) == sorted(image.tobytes() for image in stored)


FIRST_HELD_OUT_DIGITS = [3, 7, 3, 9, 0, 8, 7, 0, 8, 0, 3, 3]


class TestDownloads:
    @pytest.mark.parametrize(("name", "classes"), [("mnist", 10), ("fashion_mnist", 10), ("cifar10", 10)])
    def test_have_a_name_for_every_class(self, name, classes):
        assert len(set(_named.CLASS_NAMES[name])) == classes

    def test_cifar100_has_100_sorted_names(self):
        names = _named.CLASS_NAMES["cifar100"]
        assert len(set(names)) == 100
        assert list(names) == sorted(names)

    def test_labels_lose_their_second_axis_and_grey_images_gain_a_channel(self, monkeypatch):
        images, labels = np.zeros((2, 28, 28), "uint8"), np.array([[3], [9]])
        monkeypatch.setattr("keras.datasets.mnist.load_data", lambda: ((images, labels), (images, labels)))
        mnist = load("mnist")
        assert mnist.x_train.shape == (2, 28, 28, 1)
        assert mnist.y_test.tolist() == [3, 9]

    def test_without_a_connection_say_what_to_do(self, monkeypatch):
        def fail():
            raise Exception("URL fetch failure on https://example.org: unreachable")

        monkeypatch.setattr("keras.datasets.cifar10.load_data", fail)
        with pytest.raises(ConnectionError, match=r"'cifar10' could not be downloaded .*URL fetch failure.*'digits'"):
            load("cifar10")


class TestFolder:
    def test_without_a_test_folder_holds_out_a_fifth_of_each_class(self, folder):
        pets = load(folder)
        assert (pets.name, pets.class_names) == ("pets", ("cat", "dog"))
        assert pets.x_train.shape == (8, 4, 6, 3)
        assert sorted(pets.y_test.tolist()) == [0, 1]
        assert (pets.x_train[pets.y_train == 0][..., 0] >= 200).all()
        assert (pets.x_train[pets.y_train == 1][..., 2] >= 200).all()

    @pytest.mark.parametrize("test_name", ["test", "val"])
    def test_takes_the_split_that_is_there(self, tmp_path, test_name):
        for split, shade in (("train", 10), (test_name, 20)):
            for name in ("a", "b"):
                draw(tmp_path / split / name / "0.png", (shade,) * 3)
        data = load(tmp_path)
        assert (data.x_train == 10).all()
        assert (data.x_test == 20).all()
        assert data.y_train.tolist() == data.y_test.tolist() == [0, 1]

    def test_resizes_to_the_first_image_or_to_the_size_asked_for(self, folder):
        draw(folder / "cat" / "9.png", (200, 0, 0), size=(13, 17))
        assert load(folder).x_train.shape[1:] == (4, 6, 3)
        assert load(folder, image_size=8).x_train.shape[1:] == (8, 8, 3)
        assert load(folder, image_size=(3, 7)).x_test.shape[1:] == (3, 7, 3)

    def test_is_grey_only_if_every_image_is(self, tmp_path):
        for name in ("a", "b"):
            for index in range(2):
                draw(tmp_path / name / f"{index}.png", 90, mode="L")
        assert load(tmp_path).x_train.shape == (3, 4, 6, 1)
        draw(tmp_path / "b" / "2.png", (1, 2, 3))
        mixed = load(tmp_path)
        assert mixed.x_train.shape[-1] == 3
        assert (mixed.x_train[mixed.y_train == 0] == 90).all()

    def test_reads_sixteen_bits_palettes_and_transparency(self, tmp_path):
        (tmp_path / "a").mkdir()
        Image.fromarray(np.full((4, 6), 0x8000, "uint16")).save(tmp_path / "a" / "0.png")
        draw(tmp_path / "a" / "1.png", 128, mode="LA")
        draw(tmp_path / "b" / "0.png", 128, mode="L")
        draw(tmp_path / "b" / "1.gif", 128, mode="L")
        data = load(tmp_path)
        assert (np.concatenate([data.x_train, data.x_test]) == 128).all()

    def test_ignores_what_is_no_image(self, folder):
        (folder / "cat" / "Thumbs.db").write_bytes(b"x")
        (folder / "cat" / ".hidden.png").write_bytes(b"x")
        (folder / ".git").mkdir()
        (folder / "README.txt").write_text("x")
        pets = load(folder)
        assert (len(pets.x_train) + len(pets.x_test), pets.skipped) == (10, ())

    def test_names_and_counts_the_images_it_skips(self, folder):
        whole = (folder / "cat" / "0.png").read_bytes()
        (folder / "cat" / "0.png").write_bytes(b"not an image")
        (folder / "dog" / "1.png").write_bytes(whole[: len(whole) // 2])
        with pytest.warns(UserWarning, match=r"Skipped 2 unreadable image\(s\): .*cat/0\.png .*dog/1\.png"):
            pets = load(folder)
        assert len(pets.x_train) + len(pets.x_test) == 8
        assert [entry.split(" (")[0] for entry in pets.skipped] == [
            str(folder / "cat" / "0.png"),
            str(folder / "dog" / "1.png"),
        ]

    def test_strictly_an_unreadable_image_is_an_error(self, folder):
        (folder / "dog" / "2.png").write_bytes(b"not an image")
        with pytest.raises(ValueError, match=r"dog/2\.png cannot be read"):
            load(folder, strict=True)

    def test_an_empty_folder_is_an_error(self, tmp_path):
        with pytest.raises(ValueError, match="holds no class folders"):
            load(tmp_path)

    def test_a_class_without_images_is_an_error(self, folder):
        (folder / "eel").mkdir()
        with pytest.raises(ValueError, match="No image of the class 'eel'"):
            load(folder)

    def test_a_single_class_is_an_error(self, tmp_path):
        draw(tmp_path / "cat" / "0.png", (0, 0, 0))
        with pytest.raises(ValueError, match="only one class folder, 'cat'"):
            load(tmp_path)

    def test_a_class_of_one_image_cannot_be_split(self, folder):
        draw(folder / "eel" / "0.png", (0, 0, 0))
        with pytest.raises(ValueError, match=r"'eel'.* has one image only"):
            load(folder)

    def test_a_test_folder_alone_is_an_error(self, folder):
        (folder / "test").mkdir()
        with pytest.raises(ValueError, match="no folder 'train'"):
            load(folder)

    def test_a_test_class_unknown_in_training_is_an_error(self, tmp_path):
        for name in ("a", "b"):
            draw(tmp_path / "train" / name / "0.png", (0, 0, 0))
            draw(tmp_path / "test" / f"{name}x" / "0.png", (0, 0, 0))
        with pytest.raises(ValueError, match="has the class 'ax'"):
            load(tmp_path)

    def test_a_missing_folder_is_an_error_that_lists_the_names(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"nowhere.*'digits', 'mnist'"):
            load(tmp_path / "nowhere")


class TestNpz:
    def test_returns_what_it_holds(self, tmp_path, arrays):
        data = load(save(tmp_path / "mine.npz", arrays, class_names=np.array(["a", "b", "c", "d"])))
        np.testing.assert_array_equal(data.x_test, arrays["x_test"])
        assert data.y_train.tolist() == [0, 1, 2, 0, 1, 2]
        assert (data.name, data.class_names, data.num_classes) == ("mine", ("a", "b", "c", "d"), 4)

    def test_numbers_the_classes_that_have_no_names(self, tmp_path, arrays):
        assert load(save(tmp_path / "mine.npz", arrays)).class_names == ("0", "1", "2")

    def test_takes_grey_images_and_columns_of_labels(self, tmp_path, arrays):
        grey = {key: value[..., 0] if key[0] == "x" else value[:, None] for key, value in arrays.items()}
        data = load(save(tmp_path / "mine.npz", grey))
        assert data.x_train.shape == (6, 4, 5, 1)
        assert data.y_train.shape == (6,)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"y_test": None, "x_train": None}, r"lacks x_train, y_test\. It has: y_train, x_test"),
            ({"y_test": np.array([0.0, 1.0, 2.0])}, "y_test .* integer class ids.*float64"),
            ({"y_test": np.array([0, 1, -1])}, "y_test .* Received: -1"),
            ({"y_train": np.eye(6, dtype=int)}, r"y_train .*\(6, 6\)"),
            ({"y_train": np.array([0, 1])}, "6 images in x_train but 2 labels"),
            ({"class_names": np.array(["a", "b"])}, "label 2, but only 2 class_names"),
            ({"x_train": np.zeros((6, 20), "uint8")}, r"x_train .*\(6, 20\)"),
            ({"x_train": np.ones((6, 4, 5, 2), "uint8") * 9}, "1 or 3 channels"),
            ({"x_train": np.random.rand(6, 4, 5, 3)}, "x_train .* pixels from 0 to 255"),
            ({"x_train": np.full((6, 4, 5, 3), np.nan)}, "x_train .* pixels from 0 to 255"),
            ({"x_test": np.ones((3, 8, 8, 3), "uint8") * 9}, r"\(4, 5, 3\) in x_train but of shape \(8, 8, 3\)"),
            ({"y_train": np.array([{}] * 6)}, r"not a readable \.npz"),
        ],
    )
    def test_a_fault_is_named(self, tmp_path, arrays, changes, message):
        with pytest.raises(ValueError, match=message):
            load(save(tmp_path / "mine.npz", arrays, **changes))

    def test_a_broken_file_is_an_error(self, tmp_path, arrays):
        path = save(tmp_path / "mine.npz", arrays)
        path.write_bytes(path.read_bytes()[:400])
        with pytest.raises(ValueError, match=r"not a readable \.npz"):
            load(path)

    def test_a_single_array_under_that_name_is_an_error(self, tmp_path):
        with (tmp_path / "mine.npz").open("wb") as file:
            np.save(file, np.zeros(3))
        with pytest.raises(ValueError, match=r"not a readable \.npz"):
            load(tmp_path / "mine.npz")

    def test_another_file_is_an_error(self, tmp_path):
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(ValueError, match=r"`source` must be one of .*notes\.txt"):
            load(tmp_path / "notes.txt")


def test_image_size_is_refused_where_nothing_is_resized():
    with pytest.raises(ValueError, match=r"image_size.*'digits' is not a folder"):
        load("digits", image_size=16)


def test_nothing_warns_where_nothing_is_skipped(folder):
    with warnings.catch_warnings(record=True) as caught:
        load(folder)
    assert not caught
