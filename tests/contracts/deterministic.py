"""What an augmentation must do that draws nothing: the contract of all, less its draws."""

import importlib
from typing import Any

import keras
import numpy as np
import pytest

import keras_tricks as kt
from tests.contracts.augmentation import HEIGHT, WIDTH, AugmentationContract, make_images, make_labels
from tests.running import to_numpy


class DeterministicContract(AugmentationContract):
    """As the base; every test of a draw becomes one that nothing is drawn."""

    def test_the_next_call_draws_anew(self):
        """Here it gives the same again."""
        layer, images = self.make(), make_images()
        np.testing.assert_array_equal(to_numpy(layer(images)), to_numpy(layer(images)))

    def test_no_call_is_counted(self):
        layer = self.make()
        before = to_numpy(layer.stream.state)
        layer(make_images())
        np.testing.assert_array_equal(to_numpy(layer.stream.state), before)

    def test_another_seed_or_an_explicit_name_draws_other_numbers(self):
        """Here neither matters."""
        images = make_images()
        for change in ({"seed": 4}, {"name": "left"}):
            np.testing.assert_array_equal(to_numpy(self.make(**change)(images)), to_numpy(self.make()(images)))

    def test_without_a_seed_every_layer_is_a_stream_of_its_own(self):
        """Here no seed is needed."""
        images = make_images()
        np.testing.assert_array_equal(to_numpy(self.make(seed=None)(images)), to_numpy(self.make()(images)))

    def test_equal_images_are_changed_independently(self):
        """Here equal images come out equal."""
        changed = to_numpy(self.make()(np.repeat(make_images(count=1), 4, axis=0)))
        np.testing.assert_allclose(changed, np.repeat(changed[:1], 4, axis=0), atol=1e-3)

    def test_the_rate_is_the_share_of_images_touched(self):
        """Here all images are."""
        with pytest.raises(ValueError, match=r"`rate`.*Received: rate=0\.5"):
            self.make(rate=0.5)

    def test_switched_off_it_changes_nothing(self):
        """Here it cannot be switched off: training and inference are alike."""
        images = make_images()
        self.assert_same(self.make()(images), self.make()(images, training=False))

    def test_at_inference_it_is_the_identity_with_the_size_and_the_type_of_training(self):
        """Here it is the same as in training."""
        changed, labels = self.make()((make_images(), make_labels()), training=False)
        self.assert_same(changed, self.make()(make_images()))
        np.testing.assert_array_equal(to_numpy(labels), make_labels())

    def test_its_config_makes_the_same_layer(self):
        config = self.make().get_config()
        again = self.cls.from_config(config)
        assert again.get_config() == config
        self.assert_same(again(make_images()), self.make()(make_images()))

    def test_a_numbered_pipeline_in_parallel_gives_the_eager_batches_and_never_repeats_an_epoch(self):
        """Here every epoch is the same."""
        tf = importlib.import_module("tensorflow")
        images = make_images(count=8)
        dataset = kt.data.augment(tf.data.Dataset.from_tensor_slices(images).batch(4), self.make(), 2)
        for _ in range(2):
            for start, batch in zip((0, 4), dataset, strict=True):
                self.assert_same(batch.numpy(), self.make()(images[start : start + 4]))

    def test_a_data_loader_with_two_workers_repeats_no_batch(self):
        """Here the order alone tells batches apart, which is the loader's."""
        collated = np.stack(list(make_images()))
        self.assert_same(self.make()(collated), self.make()(make_images()))

    def test_a_py_dataset_gets_new_numbers_with_every_batch(self):
        """Here it gets the same numbers."""
        layer = self.make()

        class Batches(keras.utils.PyDataset):
            def __len__(self) -> int:
                return 2

            def __getitem__(self, index: int) -> Any:
                return layer((make_images(), make_labels()))

        self.assert_same(Batches()[0][0], Batches()[1][0])

    def test_the_size_is_told_before_anything_runs(self):
        layer = self.make()
        assert layer.output_size(HEIGHT, WIDTH) == tuple(to_numpy(layer(make_images())).shape[1:3])
