import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from tests.augment.boxes import numbered
from tests.contracts.augmentation import CLASSES, MixingContract, make_images, make_labels, rows
from tests.running import to_numpy


class TestMixUp(MixingContract):
    cls = kt.augment.MixUp
    takes_masks = False
    arguments = {"alpha": 1.0, "num_classes": CLASSES}
    bad_arguments = [
        ({"alpha": 0}, "`alpha` must be a number above 0. Received: alpha=0"),
        ({"alpha": -1.0}, "`alpha`"),
        ({"alpha": float("nan")}, "`alpha`"),
        ({"num_classes": 1}, "`num_classes`.*Received: num_classes=1"),
        ({"num_classes": 2.5}, "`num_classes`"),
    ]

    def test_images_and_labels_are_blended_by_the_same_weights(self):
        images, labels = make_images("float32"), make_labels()
        mixed, mixed_labels = (to_numpy(part) for part in self.make()((images, labels)))
        for image, row in zip(mixed, mixed_labels, strict=True):
            # every image has a class of its own: the row says which two were blended, and how
            np.testing.assert_allclose(image, np.tensordot(row, images[:CLASSES], 1), atol=1e-3)
            assert 1 <= (row > 0).sum() <= 2

    def test_a_sample_that_is_not_touched_is_itself_beside_a_partner_that_is_no_number(self):
        images = make_images("float32")
        images[0] = np.nan
        mixed = to_numpy(self.make(rate=0.0)((images, make_labels()))[0])
        np.testing.assert_array_equal(mixed, images)

    @pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 5.0])
    def test_the_weight_follows_beta_alpha_alpha_per_sample(self, alpha):
        count = 100_000
        labels = np.zeros((count, 2), "float32")
        labels[:, 0] = 1
        images = np.zeros((count, 1, 1, 1), "float32")
        layer = kt.augment.MixUp(alpha, seed=2)
        # rows (1, 0) with partners of (1, 0) would show nothing: read the weights where they are drawn
        from keras_tricks._core import random

        params = layer.sample(images.shape, random.key((2, 0), layer.stream.salt))
        weight, rest = (to_numpy(params[name]).astype("float64") for name in ("weight", "rest"))
        law = stats.beta(alpha, alpha)
        probability = np.where(weight <= rest, law.cdf(weight), law.sf(rest))
        assert stats.kstest(probability, "uniform").pvalue > 0.01
        np.testing.assert_allclose(to_numpy(layer((images, labels))[1]), labels, atol=1e-6)

    def test_masks_of_shares_are_blended_as_the_labels_are(self):
        masks = np.broadcast_to(rows(make_labels())[:, None, None, :], (*make_images().shape[:3], CLASSES))
        batch = {"images": make_images(), "labels": make_labels(), "segmentation_masks": masks}
        mixed = self.make()(batch)
        expected = np.broadcast_to(to_numpy(mixed["labels"])[:, None, None, :], masks.shape)
        np.testing.assert_allclose(to_numpy(mixed["segmentation_masks"]), expected, atol=1e-6)
        batch |= {"images": make_images().transpose(0, 3, 1, 2), "segmentation_masks": masks.transpose(0, 3, 1, 2)}
        first = self.make(data_format="channels_first")(batch)["segmentation_masks"]
        np.testing.assert_allclose(to_numpy(first), expected.transpose(0, 3, 1, 2), atol=1e-6)

    @pytest.mark.parametrize(("channels", "dtype"), [(3, "uint8"), (1, "uint8"), (1, "float32")])
    def test_masks_of_class_ids_are_refused(self, channels, dtype):
        with pytest.raises(
            ValueError, match=r"a blend of class ids means nothing.*Received: masks of shape \(8, 12, 10"
        ):
            self.make()({"images": make_images(), "segmentation_masks": make_images(dtype, channels)})

    def test_boxes_are_each_samples_own_and_its_partners(self):
        batch = numbered(16) | {"labels": np.arange(16)}
        mixed = self.make(num_classes=16, rate=0.7)(
            {name: batch[name] for name in ("images", "labels", "bounding_boxes")}
        )
        boxes, labels = (to_numpy(mixed["bounding_boxes"][name]) for name in ("boxes", "labels"))
        given = batch["bounding_boxes"]["boxes"][:, 0]
        np.testing.assert_array_equal(labels[:, 0], np.arange(16))
        np.testing.assert_array_equal(boxes[:, 0], given)
        for row, own, partner, box in zip(to_numpy(mixed["labels"]), range(16), labels[:, 1], boxes[:, 1], strict=True):
            assert set(np.flatnonzero(row)) == {own, partner} - {-1}
            np.testing.assert_array_equal(box, given[partner] if partner >= 0 else 0)
        assert 0 < (labels[:, 1] < 0).sum() < 16

    def test_a_batch_of_one_has_no_boxes_of_a_partner(self):
        batch = numbered(1)
        del batch["segmentation_masks"]
        np.testing.assert_array_equal(to_numpy(self.make()(batch)["bounding_boxes"]["labels"]), [[0, -1]])

    def test_soft_rows_need_no_number_of_classes(self):
        _, labels = self.make(num_classes=None)((make_images(), rows(make_labels())))
        assert to_numpy(labels).shape == (len(make_images()), CLASSES)
