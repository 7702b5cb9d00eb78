import functools
import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_tricks as kt
from tests.augment.boxes import assert_boxes_fit_the_paint, assert_masks_fit_the_paint, numbered, painted
from tests.contracts.augmentation import CLASSES, COUNT, MixingContract, make_images, make_labels
from tests.running import compiled, to_numpy


class Add(kt.augment.BatchAugmentation):
    """Adds a number: shows which member was applied."""

    def __init__(self, number=0, **kwargs):
        super().__init__(**kwargs)
        self.number = number

    keeps_places = True

    def sample(self, shape, seed):
        return {}

    def transform_images(self, images, params):
        return images + self.number


def added(layer, count=4000):
    """Which number was added to each of a batch of black images."""
    return to_numpy(layer(np.zeros((count, 1, 1, 1), "float32"))).ravel()


class TestRandomChoice(MixingContract):
    takes_masks = False
    cls = kt.augment.RandomChoice
    arguments = {}
    bad_arguments = [
        ({"layers": []}, "`layers` must be a list of at least one augmentation"),
        ({"layers": [keras.layers.Dense(1)]}, "`layers` must be made of keras_tricks.augment layers"),
        ({"probabilities": [0.5]}, r"`probabilities` must be 2 numbers.*Received: probabilities=\[0.5\]"),
        ({"probabilities": [1, -1]}, "`probabilities`"),
        ({"probabilities": [0, 0]}, "`probabilities`"),
        ({"per": "pixel"}, "`per` must be one of 'image', 'batch'"),
    ]

    def make(self, num_classes=CLASSES, data_format="channels_last", value_range=(0, 255), **changes):
        common = {"data_format": data_format, "value_range": value_range}
        layers = [kt.augment.MixUp(1.0, num_classes=num_classes, **common), kt.augment.CutMix(1.0, **common)]
        return kt.augment.RandomChoice(**({"layers": layers, "seed": 3} | common | changes))

    # What the contract asks of hooks and partners, a choice leaves to its members.

    def test_hooks_are_pure_given_their_params(self):
        """A choice has no hooks of its own: the same call gives the same batch."""
        layer, images = self.make(), ops.convert_to_tensor(make_images("float32"))
        self.assert_same(layer.numbered(images, 5), layer.numbered(images, 5))

    def test_a_label_out_of_range_is_a_row_of_zeros_in_compiled_code(self):
        layer = self.make()
        marked = compiled(
            lambda labels: layer.run({"images": make_images(count=1), "labels": labels}, 0)["labels"],
            np.array([CLASSES]),
        )
        np.testing.assert_array_equal(to_numpy(marked), np.zeros((1, CLASSES)))

    def test_class_ids_of_a_short_type_are_not_wrapped_around(self):
        _, labels = self.make(num_classes=300)((np.zeros((2, 4, 4, 1), "uint8"), np.array([10, 255], "uint8")))
        assert set(np.nonzero(to_numpy(labels))[1]) <= {10, 255}

    def test_no_sample_is_its_own_partner(self):
        for count in (2, COUNT):
            _, labels = self.make(num_classes=COUNT)((make_images(count=count), np.arange(count)))
            assert (to_numpy(labels).max(1) < 1).any()

    def test_integer_labels_need_the_number_of_classes(self):
        with pytest.raises(ValueError, match="MixUp needs `num_classes`"):
            self.make(num_classes=None)((make_images(), make_labels()))

    # Which member

    def test_each_member_gets_its_share_of_the_images(self):
        layers = [Add(number) for number in (1, 2, 3)]
        for probabilities, shares in ((None, [1 / 3] * 3), ([3, 0, 1], [0.75, 0, 0.25])):
            numbers = added(kt.augment.RandomChoice(layers, probabilities, seed=1))
            for number, share in zip((1, 2, 3), shares, strict=True):
                assert abs((numbers == number).mean() - share) < 4 * np.sqrt(share * (1 - share) / 4000) + 1e-9

    def test_the_rate_leaves_images_untouched(self):
        numbers = added(kt.augment.RandomChoice([Add(1), Add(2)], rate=0.4, seed=1))
        assert set(numbers) == {0, 1, 2}
        assert abs((numbers > 0).mean() - 0.4) < 4 * np.sqrt(0.24 / 4000)

    def test_per_batch_all_images_get_the_same_member_and_batches_differ(self):
        layer = kt.augment.RandomChoice([Add(1), Add(2), Add(3)], [1, 2, 1], per="batch", seed=1)
        drawn = [set(added(layer, 4)) for _ in range(200)]
        assert all(len(numbers) == 1 for numbers in drawn)
        shares = [sum(numbers == {number} for numbers in drawn) / 200 for number in (1, 2, 3)]
        np.testing.assert_allclose(shares, [0.25, 0.5, 0.25], atol=4 * np.sqrt(0.25 / 200))

    @pytest.mark.parametrize("per", ["image", "batch"])
    def test_compiled_and_in_a_pipeline_the_same_members_are_drawn(self, per):
        tf = pytest.importorskip("tensorflow")
        layers = [kt.augment.MixUp(1.0), kt.augment.CutMix(1.0), kt.augment.RandomFlip(rate=1.0)]
        layer, piped = (kt.augment.RandomChoice(layers, per=per, rate=0.8, seed=1) for _ in range(2))
        batch = numbered(8) | {"labels": np.eye(8, dtype="float32")}
        del batch["segmentation_masks"]

        def parts(changed):
            return changed["images"], changed["labels"], changed["bounding_boxes"]["boxes"]

        dataset = tf.data.Dataset.from_tensors(batch).repeat(4).map(piped)
        tensors = keras.tree.map_structure(ops.convert_to_tensor, batch)
        compiled_step = functools.partial(compiled, lambda call: parts(layer.run(tensors, call)))
        for call, from_pipeline in enumerate(dataset):
            expected = parts(layer(batch))
            for found in [parts(from_pipeline)] + ([compiled_step(np.int32(call))] if call % 2 else []):
                for part, wanted in zip(found, expected, strict=True):
                    np.testing.assert_allclose(to_numpy(part), to_numpy(wanted), atol=1e-3)

    def test_per_batch_only_the_member_drawn_is_computed(self):
        computed = []

        class Recorded(Add):
            def transform_images(self, images, params):
                computed.append(self.number)
                return super().transform_images(images, params)

        layer = kt.augment.RandomChoice([Recorded(1), Recorded(2)], per="batch", seed=1)
        for _ in range(6):
            layer(np.zeros((2, 1, 1, 1), "float32"))
        assert len(computed) == 6
        assert set(computed) == {1, 2}

    # What belongs to an image follows its member

    def test_no_image_is_mixed_twice_and_labels_follow_the_member_that_mixed_it(self):
        """One-hot images: each pixel shows whose it is, a blend shows by its values, a paste by its pixels."""
        count = 256
        images = np.broadcast_to(np.eye(count, dtype="float32")[:, None, None, :], (count, 8, 8, count))
        layers = [kt.augment.MixUp(1.0, num_classes=count), kt.augment.CutMix(1.0), kt.augment.RandomFlip()]
        mixed, labels = kt.augment.RandomChoice(layers, seed=1)((images, np.arange(count)))
        mixed, labels = to_numpy(mixed), to_numpy(labels)
        np.testing.assert_allclose(mixed.mean((1, 2)), labels, atol=1e-5)
        blended = (mixed.max(-1) < 0.999).any((1, 2))
        pasted = ~blended & (labels.max(1) < 0.999)
        left = labels.max(1) >= 0.999
        assert min(blended.sum(), pasted.sum(), left.sum()) > 40
        # A blend of one weight all over the image, of two images as they came in: nothing was mixed twice.
        assert np.ptp(mixed[blended], axis=(1, 2)).max() < 1e-6
        assert ((labels > 0).sum(1) <= 2).all()

    def test_weights_follow_too(self):
        weights = np.linspace(0.5, 3, 64).astype("float32")
        labels = np.eye(64, dtype="float32")
        images = np.broadcast_to(labels[:, None, None, :] * weights[:, None, None, None], (64, 8, 8, 64))
        layers = [kt.augment.MixUp(1.0), kt.augment.CutMix(1.0), Add()]
        mixed, mixed_rows, mixed_weights = kt.augment.RandomChoice(layers, seed=1)((images, labels, weights))
        expected = to_numpy(mixed).mean((1, 2))
        np.testing.assert_allclose(to_numpy(mixed_rows) * to_numpy(mixed_weights)[:, None], expected, atol=1e-5)

    def test_masks_and_boxes_of_members_that_move_pixels_follow(self):
        layers = [kt.augment.RandomFlip(rate=1.0), kt.augment.RandomCrop(padding=4), kt.augment.RandomFlip(False, True)]
        layer = kt.augment.RandomChoice(layers, seed=1)
        batch = layer(painted(32))
        assert_masks_fit_the_paint(batch)
        assert_boxes_fit_the_paint(batch, tolerance=0)
        assert layer.keeps_dtype

    def test_boxes_of_members_that_mix_follow_and_the_others_get_none(self):
        batch = numbered(32) | {"labels": np.eye(32, dtype="float32")}
        del batch["segmentation_masks"]
        layers = [kt.augment.MixUp(1.0), kt.augment.CutMix(1.0, min_visible=0.0), kt.augment.RandomFlip(rate=1.0)]
        changed = kt.augment.RandomChoice(layers, rate=0.8, seed=1)(batch)
        labels = to_numpy(changed["bounding_boxes"]["labels"])
        shares = to_numpy(changed["labels"])
        assert labels.shape == (32, 2)
        for own, (_, partner) in enumerate(labels):
            assert partner in {-1} | set(np.flatnonzero(shares[own])) - {own}
        assert (labels[:, 1] >= 0).sum() > 5
        assert (shares.max(1) == 1).sum() > 5

    # Forms

    def test_members_must_make_images_of_one_size(self):
        layer = kt.augment.RandomChoice([kt.augment.RandomCrop(6), kt.augment.RandomCrop((6, 4))])
        with pytest.raises(ValueError, match=r"must make images of one size. Received: \[\(6, 6\), \(6, 4\)\]"):
            layer(make_images())
        with pytest.raises(ValueError, match="must make images of one size"):
            layer(keras.Input((12, 10, 3)))

    def test_members_may_change_the_size_together_at_inference_too(self):
        layer = kt.augment.RandomChoice([kt.augment.RandomCrop(6), kt.augment.RandomCrop(6, padding=2)], rate=0.5)
        for training in (True, False):
            changed = layer(make_images(), training=training)
            assert tuple(changed.shape) == (COUNT, 6, 6, 3)
            assert keras.backend.standardize_dtype(changed.dtype) == "uint8"
        assert layer.output_size(12, 10) == (6, 6)

    def test_at_the_head_of_a_model_members_that_do_not_mix_will_do(self):
        layer = kt.augment.RandomChoice([kt.augment.RandomFlip(), kt.augment.CutOut(4)], seed=1)
        model = keras.Sequential([keras.Input((12, 10, 3)), layer, keras.layers.Flatten()])
        images = make_images("float32")
        np.testing.assert_array_equal(model.predict(images, verbose=0), images.reshape(COUNT, -1))
        assert (to_numpy(model(images, training=True)) != images.reshape(COUNT, -1)).any()

    def test_it_nests_and_saves(self):
        inner = kt.augment.Sequence([kt.augment.RandomFlip(), kt.augment.MixUp(1.0)])
        layer = kt.augment.RandomChoice([inner, kt.augment.CutMix(1.0, num_classes=CLASSES)], [1, 3], "batch", seed=1)
        nested = kt.augment.Sequence([kt.augment.RandomCrop(padding=1), layer], seed=1)
        again = kt.augment.Sequence.from_config(json.loads(json.dumps(nested.get_config())))
        for _ in range(4):
            for one, two in zip(
                nested((make_images(), make_labels())), again((make_images(), make_labels())), strict=True
            ):
                np.testing.assert_allclose(to_numpy(one), to_numpy(two), atol=1e-3)

    def test_a_trainer_takes_class_ids(self):
        model = keras.Sequential([keras.Input((12, 10, 3)), keras.layers.Flatten(), keras.layers.Dense(CLASSES)])
        for per in ("image", "batch"):
            trainer = kt.Trainer(model, [self.make(per=per)])
            trainer.compile("sgd", kt.losses.Crossentropy(from_logits=True))
            weights = np.ones(COUNT, "float32")
            history = trainer.fit(make_images(), make_labels(), sample_weight=weights, epochs=2, verbose=0)
            assert np.isfinite(history.history["loss"]).all()
