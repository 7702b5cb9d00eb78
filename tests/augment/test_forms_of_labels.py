"""Forms of labels and weights that users have beside images: lists of numbers, several targets, floats, none."""

import collections
import importlib

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.contracts.augmentation import HEIGHT, WIDTH, make_images
from tests.running import to_numpy

CLASSES, COUNT = 10, 8
LABELS, WEIGHTS = np.arange(COUNT), np.linspace(0.1, 0.8, COUNT)
REPEATING = {
    "repeated": (lambda: kt.augment.RepeatedAugmentation(3), lambda part: np.repeat(part, 3, axis=0)),
    "augmix": (lambda: kt.augment.AugMix(splits=3, seed=1), lambda part: np.concatenate([part] * 3)),
    "chain": (
        lambda: kt.augment.Sequence([kt.augment.RandomFlip(), kt.augment.RepeatedAugmentation(3)], seed=1),
        lambda part: np.repeat(part, 3, axis=0),
    ),
    "flip": (lambda: kt.augment.RandomFlip(seed=1), lambda part: part),
    "choice": (
        lambda: kt.augment.RandomChoice([kt.augment.RandomFlip(), kt.augment.Invert()], seed=1),
        lambda part: part,
    ),
}
FORMS = {
    "list": lambda ids, shares: [ids, shares],
    "tuple": lambda ids, shares: (ids, shares),
    "dict": lambda ids, shares: {"ids": ids, "more": [shares, ids]},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", REPEATING)
def test_several_targets_stay_several_each_of_its_own_type(kind, form):
    make, expected = REPEATING[kind]
    given = FORMS[form](LABELS, WEIGHTS.astype("float32"))
    _, targets = make()((make_images("uint8", count=COUNT), given))
    assert type(targets) is type(given)
    wanted = keras.tree.map_structure(expected, given)
    for own, want in zip(keras.tree.flatten(targets), keras.tree.flatten(wanted), strict=True):
        np.testing.assert_array_equal(to_numpy(own), want)
        assert ("int" in str(own.dtype)) == ("int" in str(want.dtype))


ROWS = np.eye(CLASSES, dtype="float32")[LABELS]


@pytest.mark.parametrize("kind", REPEATING)
@pytest.mark.parametrize(
    "each",
    [lambda row: row, lambda row: np.array(row.argmax()), lambda row: row[:1], keras.ops.convert_to_tensor],
    ids=["rows", "numbers", "columns", "tensors"],
)
def test_a_list_of_something_for_each_image_is_one_array(kind, each):
    make, expected = REPEATING[kind]
    for form in (list, tuple):
        _, labels = make()((make_images("uint8", count=COUNT), form(map(each, ROWS))))
        np.testing.assert_array_equal(to_numpy(labels), expected(np.stack([to_numpy(each(row)) for row in ROWS])))


def test_several_targets_of_one_image_stay_several():
    _, targets = kt.augment.RandomFlip()((make_images("uint8", count=1)[0], (np.array(3), np.array(0.5))))
    assert [to_numpy(part).tolist() for part in targets] == [3, 0.5]


def test_several_targets_go_through_a_data_pipeline():
    tf = importlib.import_module("tensorflow")
    batch = make_images("uint8", count=COUNT), (LABELS, WEIGHTS)
    (repeated,) = tf.data.Dataset.from_tensors(batch).map(kt.augment.RepeatedAugmentation(2))
    np.testing.assert_array_equal(repeated[1][0], np.repeat(LABELS, 2))
    np.testing.assert_array_equal(repeated[1][1], np.repeat(WEIGHTS, 2))


@pytest.mark.parametrize("kind", ["repeated", "augmix", "flip"])
def test_a_model_of_two_outputs_trains_on_repeated_images(kind):
    inputs = keras.Input((HEIGHT, WIDTH, 3))
    features = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(CLASSES)(features), keras.layers.Dense(1)(features)])
    trainer = kt.Trainer(model, augment=[REPEATING[kind][0]()])
    trainer.compile("sgd", loss=[keras.losses.SparseCategoricalCrossentropy(from_logits=True), "mse"])
    images = make_images("float32", count=COUNT)
    history = trainer.fit(images / 255, [LABELS, WEIGHTS.astype("float32")], batch_size=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("mixing", [kt.augment.MixUp, kt.augment.CutMix])
class TestMixing:
    def test_class_ids_may_be_a_list_or_floats(self, mixing):
        images = make_images("uint8", count=COUNT)
        rows = [
            to_numpy(mixing(num_classes=CLASSES, seed=1)((images, labels))[1])
            for labels in (LABELS, LABELS.tolist(), LABELS.astype("float32"), list(map(np.array, LABELS)))
        ]
        assert rows[0].shape == (COUNT, CLASSES)
        for other in rows[1:]:
            np.testing.assert_array_equal(other, rows[0])

    def test_floats_that_are_no_class_are_refused(self, mixing):
        images = make_images("uint8", count=COUNT)
        with pytest.raises(ValueError, match=r"integers in \[0, num_classes=10\). Received: labels 0.5"):
            mixing(num_classes=CLASSES)((images, LABELS + np.r_[0.5, np.zeros(COUNT - 1)]))

    def test_several_weights_are_refused(self, mixing):
        images = make_images("uint8", count=COUNT)
        layer = mixing(num_classes=CLASSES)
        for mixes in (layer, kt.augment.RandomChoice([kt.augment.RandomFlip(), layer])):
            with pytest.raises(ValueError, match=r"one `sample_weight` for each. Received: [a-z_]+ as a list of 2"):
                mixes((images, LABELS, [WEIGHTS, WEIGHTS]))

    @pytest.mark.parametrize("form", FORMS)
    def test_several_targets_are_refused(self, mixing, form):
        images = make_images("uint8", count=COUNT)
        with pytest.raises(ValueError, match=f"not the several targets of a model. Received: labels as a {form} of 2"):
            mixing(num_classes=CLASSES)((images, FORMS[form](LABELS, WEIGHTS)))


def test_an_image_alone_may_have_a_number_as_its_label():
    image = make_images("uint8", count=1)[0]
    for given in [((image, 3),), (image, 3)]:
        flipped, label = kt.augment.RandomFlip(rate=1.0)(*given)
        np.testing.assert_array_equal(to_numpy(flipped), image[:, ::-1])
        assert to_numpy(label) == 3


def test_images_in_a_dict_may_be_lists():
    images = make_images("uint8", count=2)
    flipped = kt.augment.RandomFlip(rate=1.0)({"images": images.tolist()})["images"]
    np.testing.assert_array_equal(to_numpy(flipped), images[:, :, ::-1])


def test_weights_without_labels_stay():
    images = make_images("uint8", count=COUNT)
    for given in [(images, None, WEIGHTS), ((images, None, WEIGHTS),)]:
        _, labels, weights = kt.augment.RandomFlip(rate=1.0)(*given)
        assert labels is None
        np.testing.assert_allclose(to_numpy(weights), WEIGHTS, rtol=1e-6)


def test_parts_beside_a_tuple_or_a_dict_are_refused():
    images = make_images("uint8", count=COUNT)
    for batch in [(images, LABELS), {"images": images, "labels": LABELS}]:
        for beside in [(LABELS,), (None, WEIGHTS)]:
            with pytest.raises(ValueError, match="and `labels` or `sample_weight` beside it"):
                kt.augment.RandomFlip()(batch, *beside)


NAMES = np.array([f"{place}.jpg" for place in range(COUNT)])


def _text(part):
    """Names as they come back: from TensorFlow bytes in a tensor."""
    names = np.asarray(keras.ops.convert_to_numpy(part) if keras.ops.is_tensor(part) else part)
    return np.array([name.decode() if isinstance(name, bytes) else str(name) for name in names.reshape(-1)])


@pytest.mark.parametrize("kind", REPEATING)
@pytest.mark.parametrize("form", [np.array, list, np.ndarray.tolist], ids=["array", "list", "strings"])
def test_names_beside_images_stay_with_them(kind, form):
    make, expected = REPEATING[kind]
    batch = {"file": form(NAMES), "images": make_images("uint8", count=COUNT), "labels": LABELS, "split": "train"}
    changed = make()(batch)
    assert list(changed) == list(batch)
    np.testing.assert_array_equal(_text(changed["file"]), expected(NAMES))
    np.testing.assert_array_equal(to_numpy(changed["labels"]), expected(LABELS))
    assert changed["split"] == "train"


def test_several_texts_for_an_image_stay_with_it():
    captions = [["a"] * (1 + place % 3) for place in range(COUNT)]
    batch = {"images": make_images("uint8", count=COUNT), "captions": captions}
    assert kt.augment.RandomFlip(seed=1)(batch)["captions"] == captions
    repeated = kt.augment.RepeatedAugmentation(2)(batch)["captions"]
    assert repeated == [own for own in captions for _ in range(2)]
    with pytest.raises(ValueError, match=r"`captions` must hold a text for each of the 8 images, or one\. Received: 7"):
        kt.augment.RepeatedAugmentation(2)(batch | {"captions": captions[:7]})


def test_an_image_alone_may_have_a_name():
    changed = kt.augment.RandomFlip(seed=1)({"images": make_images("uint8")[0], "file": "0.jpg"})
    assert _text(changed["file"]).tolist() == ["0.jpg"]
    assert changed["images"].shape == (HEIGHT, WIDTH, 3)


BOXES_OF_ONE = {"boxes": np.zeros((1, 2, 4)), "labels": np.zeros((1, 2))}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": LABELS[:1]}, r"`labels` must hold something for each of the 8 images. .*labels of shape \(1,\)"),
        ({"labels": ROWS[:3]}, r"`labels`.*Received: labels of shape \(3, 10\)"),
        ({"sample_weight": WEIGHTS[:7]}, r"`sample_weight`.*Received: sample_weight of shape \(7,\)"),
        ({"sample_weight": np.array(1.0)}, r"`sample_weight`.*Received: sample_weight of shape \(\)"),
        ({"bounding_boxes": BOXES_OF_ONE}, r"`bounding_boxes\[\"boxes\"\]`.*of shape \(1, 2, 4\)"),
    ],
)
@pytest.mark.parametrize("several", [False, True])
def test_parts_of_another_number_than_the_images_are_not_mixed(several, changes, message):
    layer = kt.augment.CutMix(num_classes=CLASSES)
    if several:
        layer = kt.augment.Sequence([kt.augment.RandomChoice([layer, kt.augment.RandomErasing()])])
    with pytest.raises(ValueError, match=message):
        layer({"images": make_images("uint8", count=COUNT)} | changes)


def test_boxes_of_another_number_than_the_images_are_not_moved():
    with pytest.raises(ValueError, match=r"of shape \(1, 2, 4\)"):
        kt.augment.RandomFlip()({"images": make_images("uint8", count=COUNT), "bounding_boxes": BOXES_OF_ONE})


def test_labels_that_nothing_is_done_to_may_be_anything():
    for labels in ([{"boxes": np.zeros((place, 4))} for place in range(COUNT)], np.float32(1), np.zeros((1, COUNT))):
        _, kept = kt.augment.RandomErasing(seed=1)((make_images("uint8", count=COUNT), labels))
        keras.tree.map_structure(lambda own, want: np.testing.assert_array_equal(to_numpy(own), want), kept, labels)


def test_each_form_of_targets_comes_back_when_others_were_compiled_before():
    layer, images = kt.augment.RandomErasing(seed=1), make_images("uint8", count=COUNT)
    pair = collections.namedtuple("Pair", ["x", "y"])
    for labels in ([LABELS, LABELS], (LABELS, LABELS), pair(LABELS, LABELS)):
        for _ in range(5):  # TensorFlow compiles after three
            _, kept = kt.augment.Sequence([layer, kt.augment.RepeatedAugmentation(2)])((images, labels))
            assert type(kept) is type(labels)


@pytest.mark.parametrize("axes", ["images", "labels"])
def test_a_pipeline_of_unknown_shapes_is_told_what_to_name(axes):
    tf = importlib.import_module("tensorflow")
    images, labels = make_images("uint8", count=COUNT), LABELS
    known = tf.TensorSpec((None, None, None, 3), tf.uint8), tf.TensorSpec((None,), tf.int64)
    unknown = {"images": (tf.TensorSpec(None, tf.uint8), known[1]), "labels": (known[0], tf.TensorSpec(None, tf.int64))}
    dataset = tf.data.Dataset.from_generator(lambda: iter([(images, labels)]), output_signature=unknown[axes])
    with pytest.raises(ValueError, match=rf"MixUp has to know how many axes {axes} have.*tf.ensure_shape"):
        dataset.map(kt.augment.MixUp(num_classes=CLASSES))
