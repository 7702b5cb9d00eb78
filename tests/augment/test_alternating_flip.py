import keras
import numpy as np
import pytest
from keras import ops

import keras_tricks as kt
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


def photographs(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 12, 10, 3)).astype("uint8")


def flipped(layer, images):
    """Which images come back mirrored."""
    changed = to_numpy(layer(images))
    mirrored = (changed == images[:, :, ::-1]).all((1, 2, 3))
    np.testing.assert_array_equal(changed[~mirrored], images[~mirrored])
    return mirrored


class TestAlternatingFlip(AugmentationContract):
    cls = kt.augment.AlternatingFlip
    arguments = {"steps_per_epoch": 1}
    bad_arguments = [
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be an integer not below 1. Received: steps_per_epoch=0"),
        ({"steps_per_epoch": 1.5}, "`steps_per_epoch`"),
    ]
    box_tolerance = 0

    # It alternates: where others draw anew, it comes back after two epochs, and equal images are flipped alike.

    def test_equal_images_are_changed_independently(self):
        """Equal images are one image: flipped alike. Different ones are decided about independently."""
        assert len(np.unique(flipped(self.make(), np.repeat(photographs(1), 64, axis=0)))) == 1
        pairs = flipped(self.make(), photographs(4000)).reshape(-1, 2)
        assert abs(pairs.all(1).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 2000)

    def test_the_rate_is_the_share_of_images_touched(self):
        layer, images = self.make(rate=0.3), photographs(2000)
        first, second = flipped(layer, images), flipped(layer, images)
        assert not (first & second).any()
        for share, expected in ((first, 0.15), (first | second, 0.3)):
            assert abs(share.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 2000)

    def test_a_py_dataset_gets_new_numbers_with_every_batch(self):
        """With every epoch."""
        layer, images = self.make(steps_per_epoch=3), make_images()
        drawn = [flipped(layer, images) for _ in range(9)]
        for step in range(9):
            np.testing.assert_array_equal(drawn[step], drawn[0] ^ (step // 3 % 2 == 1))

    def test_in_a_worker_process_which_has_calls_of_its_own_it_refuses_to_guess_the_epoch(self, monkeypatch):
        chain = kt.augment.Sequence([self.make(), kt.augment.RandomCrop(padding=1)])
        for layer in (self.make(), chain, kt.augment.RandomApply(self.make())):
            monkeypatch.setattr(layer.stream, "worker_place", lambda: (1, 2))
            with pytest.raises(ValueError, match=r"each worker process counts its own.*Trainer"):
                layer(make_images())
            np.testing.assert_array_equal(to_numpy(layer(make_images(), training=False)), make_images())

    def test_a_numbered_pipeline_in_parallel_gives_the_eager_batches_and_never_repeats_an_epoch(self):
        """It does not count calls, and says so; a plain pipeline does."""
        tf = pytest.importorskip("tensorflow")
        images = photographs(32)
        dataset = tf.data.Dataset.from_tensor_slices(images).batch(4)
        for layer in (self.make(), kt.augment.RandomApply(kt.augment.Sequence([self.make()]))):
            with pytest.raises(ValueError, match="tells the epoch from the number of the call"):
                kt.data.augment(dataset, layer)
        piped = dataset.map(self.make(steps_per_epoch=8))
        first, second, third = (np.concatenate([batch.numpy() for batch in piped]) for _ in range(3))
        eager = self.make(steps_per_epoch=8)
        np.testing.assert_array_equal(first, np.concatenate([to_numpy(eager(part)) for part in np.split(images, 8)]))
        np.testing.assert_array_equal(second, first[:, :, ::-1])
        np.testing.assert_array_equal(third, first)

    # Worker processes have call numbers of their own, and so no common epoch: the class says where it works.
    test_a_data_loader_with_two_workers_repeats_no_batch = None

    # The law

    def test_over_two_epochs_each_image_is_seen_once_each_way_whatever_the_order(self):
        images, layer = photographs(60), self.make(steps_per_epoch=6)
        generator, epochs = np.random.default_rng(1), []
        for _ in range(4):
            order = generator.permutation(60)
            epochs.append(np.zeros(60, bool))
            for part in np.split(order, 6):
                epochs[-1][part] = flipped(layer, images[part])
        np.testing.assert_array_equal(epochs[0], ~epochs[1])
        np.testing.assert_array_equal(epochs[0], epochs[2])
        np.testing.assert_array_equal(epochs[1], epochs[3])
        assert 15 < epochs[0].sum() < 45

    def test_half_of_the_images_are_flipped_in_an_epoch(self):
        assert abs(flipped(self.make(), photographs(4000)).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)

    def test_in_a_trainer_that_shuffles_each_image_is_seen_once_each_way(self):
        """Target `2**i` of image `i`, prediction 1 if it is mirrored: the metric writes the flips as bits."""
        count = 12
        images = photographs(count)
        brighter = images.astype("float32").mean((1, 3))
        images[brighter[:, 0] < brighter[:, -1]] = images[brighter[:, 0] < brighter[:, -1]][:, :, ::-1]
        inputs = keras.Input((12, 10, 3))
        columns = keras.layers.Lambda(
            lambda pixels: ops.cast(ops.mean(pixels[:, :, 0], (1, 2)) < ops.mean(pixels[:, :, -1], (1, 2)), "float32"),
            output_shape=(),
        )(inputs)
        outputs = keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.Reshape((1,))(columns))
        layer = kt.augment.AlternatingFlip(steps_per_epoch=3, seed=1)
        trainer = kt.Trainer(keras.Model(inputs, outputs), [layer])

        def bits(targets, predictions):
            return ops.reshape(targets, (-1,)) * ops.reshape(predictions, (-1,))

        trainer.compile(keras.optimizers.SGD(0.0), "mse", metrics=[bits])
        history = trainer.fit(images, 2.0 ** np.arange(count)[:, None], batch_size=4, epochs=4, verbose=0).history
        seen = np.rint(np.array(history["bits"]) * count).astype(int)
        assert (seen[:2] + seen[1:3] == 2**count - 1).all()
        assert seen[0] == seen[2] != seen[1] == seen[3]

    # Who an image is

    @pytest.mark.parametrize("dtype", ["uint8", "float32", "bfloat16", "float16"])
    @pytest.mark.parametrize("value_range", [(0, 255), (0, 1), (-1, 1)])
    def test_the_type_and_the_range_of_an_image_do_not_matter(self, value_range, dtype):
        if dtype != "float32" and value_range != (0, 255):
            dtype = "float32"
        images = photographs(200)
        low, high = value_range
        scaled = ops.cast(ops.convert_to_tensor(images.astype("float32") / 255 * (high - low) + low), dtype)
        changed = to_numpy(self.make(value_range=value_range)(scaled)).astype("float32")
        original = to_numpy(scaled).astype("float32")
        expected = flipped(self.make(), images)
        np.testing.assert_array_equal(changed[expected], original[expected][:, :, ::-1])
        np.testing.assert_array_equal(changed[~expected], original[~expected])

    def test_images_that_differ_in_one_seen_pixel_by_one_level_are_different_images(self):
        images = np.repeat(np.full((1, 8, 8, 1), 100, "uint8"), 65, axis=0)
        images.reshape(65, 64)[np.arange(64), np.arange(64)] += 1
        identities = to_numpy(self.make()._identities(ops.convert_to_tensor(images)))
        assert len(np.unique(identities)) == 65

    def test_an_index_says_who_an_image_is(self):
        layer, images = self.make(), np.repeat(photographs(1), 64, axis=0)
        changed = [to_numpy(layer({"images": images, "index": np.arange(64)})["images"]) for _ in range(2)]
        np.testing.assert_array_equal(changed[0], changed[1][:, :, ::-1])
        assert len({image.tobytes() for image in changed[0]}) == 2
