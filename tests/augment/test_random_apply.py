import keras
import numpy as np
import pytest
from keras import ops

import keras_tricks as kt
from tests.augment.boxes import assert_boxes_fit_the_paint, painted
from tests.contracts.augmentation import CLASSES, AugmentationContract, make_images, make_labels
from tests.running import to_numpy


class TestRandomApply(AugmentationContract):
    cls = kt.augment.RandomApply
    arguments = {}
    bad_arguments = [
        ({"layer": keras.layers.Dense(1)}, "`layer` must be"),
        ({"layer": kt.augment.RandomFlip(bounding_box_format="xywh")}, "bounding_box_format='xyxy'"),
    ]

    def make(self, data_format="channels_last", bounding_box_format="xyxy", **changes):
        common = {"data_format": data_format, "bounding_box_format": bounding_box_format}
        layers = [
            kt.augment.RandomFlip(vertical=True, **common),
            kt.augment.RandomCrop(padding=2, fill="reflect", **common),
        ]
        layer = kt.augment.Sequence(layers, **common)
        return kt.augment.RandomApply(**({"layer": layer, "rate": 1.0, "seed": 3} | common | changes))

    def test_hooks_are_pure_given_their_params(self):
        """It has no hooks of its own: the same call gives the same batch."""
        layer, images = self.make(), ops.convert_to_tensor(make_images("float32"))
        self.assert_same(layer.numbered(images, 5), layer.numbered(images, 5))

    def test_masks_and_boxes_go_where_the_pixels_go(self):
        layer = kt.augment.RandomApply(kt.augment.RandomFlip(vertical=True, rate=0.7), 0.5, seed=1)
        assert_boxes_fit_the_paint(layer(painted(16)), tolerance=0)

    def test_one_draw_decides_about_all_members(self):
        images = np.repeat(make_images(count=1), 2000, axis=0)
        flips = kt.augment.Sequence([kt.augment.RandomFlip(rate=1.0), kt.augment.RandomFlip(False, True, rate=1.0)])
        flipped = to_numpy(kt.augment.RandomApply(flips, 0.3, seed=1)(images))
        turned = (flipped == images[:, ::-1, ::-1]).all((1, 2, 3))
        np.testing.assert_array_equal(flipped[~turned], images[~turned])
        assert abs(turned.mean() - 0.3) < 4 * np.sqrt(0.21 / 2000)

    def test_the_default_is_half_of_the_images(self):
        assert kt.augment.RandomApply(kt.augment.RandomFlip()).rate == 0.5

    def test_a_member_that_moves_pixels_keeps_the_dtype(self):
        changed = kt.augment.RandomApply(kt.augment.RandomFlip(), seed=1)(make_images())
        assert keras.backend.standardize_dtype(changed.dtype) == "uint8"

    def test_a_member_that_changes_the_size_cuts_the_middle_of_the_others(self):
        images = make_images()
        layer = kt.augment.RandomApply(kt.augment.RandomCrop((6, 4)), rate=0.0, seed=1)
        np.testing.assert_array_equal(to_numpy(layer(images)), images[:, 3:9, 3:7])
        np.testing.assert_array_equal(to_numpy(layer(images, training=False)), images[:, 3:9, 3:7])
        assert layer.output_size(12, 10) == (6, 4)

    def test_a_member_that_mixes_makes_rows_of_all_labels(self):
        images, labels = make_images(count=64), make_labels(64)
        mixed, rows = kt.augment.RandomApply(kt.augment.MixUp(1.0, num_classes=CLASSES), 0.5, seed=1)((images, labels))
        left = to_numpy(rows).max(1) == 1
        np.testing.assert_array_equal(to_numpy(mixed)[left], images[left])
        np.testing.assert_array_equal(to_numpy(rows)[left].argmax(1), labels[left])
        assert 10 < left.sum() < 60
        with pytest.raises(ValueError, match=r"keras_tricks\.Trainer"):
            kt.augment.RandomApply(kt.augment.MixUp(1.0))(keras.Input((4, 4, 3)))
