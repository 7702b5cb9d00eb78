import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_tricks as kt
from tests.augment.boxes import numbered
from tests.contracts.augmentation import CLASSES, COUNT, make_images, make_labels
from tests.running import compiled, to_numpy

# It draws nothing and changes the size of the batch, so that little of the contract applies: what does is below.


def views(count=3, **changes):
    """Repeated, then flipped."""
    layers = [kt.augment.RepeatedAugmentation(count), kt.augment.RandomFlip(vertical=True)]
    return kt.augment.Sequence(layers, **({"seed": 1} | changes))


def test_every_part_of_a_batch_is_repeated_one_entry_after_another():
    batch = numbered(4) | {"labels": np.arange(4), "sample_weight": np.arange(4.0), "file": np.arange(4) + 7}
    repeated = kt.augment.RepeatedAugmentation(3)(batch)
    for name in ("images", "segmentation_masks", "labels", "sample_weight"):
        np.testing.assert_array_equal(to_numpy(repeated[name]), np.repeat(batch[name], 3, axis=0))
    for name, part in batch["bounding_boxes"].items():
        np.testing.assert_array_equal(to_numpy(repeated["bounding_boxes"][name]), np.repeat(part, 3, axis=0))
    np.testing.assert_array_equal(to_numpy(repeated["file"]), np.repeat([7, 8, 9, 10], 3))
    assert batch["images"].shape[0] == 4


def test_the_default_is_three():
    assert kt.augment.RepeatedAugmentation()(make_images()).shape[0] == 3 * COUNT


@pytest.mark.parametrize("dtype", ["uint8", "float16", "bfloat16", "float32"])
def test_the_dtype_is_kept(dtype):
    images = ops.cast(ops.convert_to_tensor(make_images()), dtype)
    assert keras.backend.standardize_dtype(kt.augment.RepeatedAugmentation(2)(images).dtype) == dtype


def test_images_alone_pairs_triples_and_other_layouts_are_repeated():
    images, labels, weights = make_images(), make_labels(), np.ones(COUNT, "float32")
    layer = kt.augment.RepeatedAugmentation(2)
    for batch in ((images, labels), (images, labels, weights)):
        repeated = layer(batch)
        assert len(repeated) == len(batch)
        assert all(part.shape[0] == 2 * COUNT for part in repeated)
    first = kt.augment.RepeatedAugmentation(2, data_format="channels_first")(images.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(to_numpy(first), np.repeat(images.transpose(0, 3, 1, 2), 2, axis=0))


def test_one_image_without_a_batch_stays_one():
    image, label = kt.augment.RepeatedAugmentation(2)((make_images()[0], make_labels()[0]))
    np.testing.assert_array_equal(to_numpy(image), make_images()[0])
    assert to_numpy(label) == make_labels()[0]


def test_at_inference_nothing_is_repeated():
    images, labels = views()((make_images(), make_labels()), training=False)
    np.testing.assert_array_equal(to_numpy(images), make_images())
    np.testing.assert_array_equal(to_numpy(labels), make_labels())


def test_the_members_after_it_change_each_copy_on_its_own():
    images = make_images()
    changed, labels = views(6)((images, make_labels()))
    changed = to_numpy(changed).reshape(COUNT, 6, *images.shape[1:])
    np.testing.assert_array_equal(to_numpy(labels), np.repeat(make_labels(), 6))
    for original, versions in zip(images, changed, strict=True):
        mirrors = {image.astype("float32").tobytes() for image in (
            original, original[::-1], original[:, ::-1], original[::-1, ::-1]
        )}  # fmt: skip
        found = {version.tobytes() for version in versions}
        assert found <= mirrors
        assert len(found) > 1


def test_copies_are_mixed_with_copies_of_other_images_too():
    layers = [kt.augment.RepeatedAugmentation(2), kt.augment.CutMix(num_classes=CLASSES)]
    images, labels, weights = kt.augment.Sequence(layers, seed=1)((make_images(), make_labels(), np.ones(COUNT)))
    assert images.shape[0] == weights.shape[0] == 2 * COUNT
    np.testing.assert_allclose(to_numpy(labels).sum(1), 1, atol=1e-6)


def test_it_runs_compiled_and_in_a_pipeline_with_unknown_sizes():
    tf = pytest.importorskip("tensorflow")
    layer, expected = views(), to_numpy(views()(make_images()))
    found = compiled(lambda images: layer.run({"images": images}, 0)["images"], make_images())
    np.testing.assert_array_equal(to_numpy(found), expected)
    spec = (tf.TensorSpec((None, None, None, 3), "uint8"), tf.TensorSpec((None,), "int64"))
    batches = tf.data.Dataset.from_generator(lambda: iter([(make_images(), make_labels())]), output_signature=spec)
    images, labels = next(iter(batches.map(views())))
    np.testing.assert_array_equal(images.numpy(), expected)
    np.testing.assert_array_equal(labels.numpy(), np.repeat(make_labels(), 3))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_trainer_trains_on_all_copies(weighted):
    """A model that predicts 0, targets and weights that show in the loss how many there were."""
    model = keras.Sequential(
        [keras.Input((12, 10, 3)), keras.layers.Flatten(), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    trainer = kt.Trainer(model, [kt.augment.RepeatedAugmentation(3), kt.augment.RandomFlip()])
    trainer.compile(keras.optimizers.SGD(0.0), keras.losses.MeanSquaredError(reduction="sum"))
    weights = {"sample_weight": np.full(COUNT, 2.0)} if weighted else {}
    history = trainer.fit(make_images(), np.ones((COUNT, 1)), batch_size=COUNT, verbose=0, **weights)
    loss = history.history["loss"][0]
    np.testing.assert_allclose(loss, 3 * COUNT * (2 if weighted else 1))
    assert trainer.evaluate(make_images(), np.ones((COUNT, 1)), batch_size=COUNT, verbose=0) == COUNT


def test_at_the_head_of_a_model_it_says_what_to_use_instead():
    for layer in (kt.augment.RepeatedAugmentation(2), views()):
        with pytest.raises(ValueError, match=r"repeats labels too.*keras_tricks\.Trainer"):
            layer(keras.Input((12, 10, 3)))


def test_it_is_no_member_to_choose_from():
    with pytest.raises(ValueError, match="keep the size of the batch"):
        kt.augment.RandomChoice([kt.augment.RepeatedAugmentation(2), kt.augment.RandomFlip()])
    with pytest.raises(ValueError, match="keep the size of the batch"):
        kt.augment.RandomApply(views())


def test_its_config_makes_the_same_layer():
    again = kt.augment.Sequence.from_config(json.loads(json.dumps(views(5).get_config())))
    np.testing.assert_array_equal(to_numpy(again(make_images())), to_numpy(views(5)(make_images())))
    assert keras.saving.get_registered_name(kt.augment.RepeatedAugmentation) == "keras_tricks>RepeatedAugmentation"


@pytest.mark.parametrize(
    ("change", "message"), [({"count": 0}, "`count`.*Received: count=0"), ({"rate": 0.5}, "`rate`")]
)
def test_a_bad_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        kt.augment.RepeatedAugmentation(**change)
