import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from tests.contracts.augmentation import CLASSES, MixingContract, make_images, make_labels, rows
from tests.running import to_numpy


class TestMixUp(MixingContract):
    cls = kt.augment.MixUp
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

    @pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 5.0])
    def test_the_weight_follows_beta_alpha_alpha_per_sample(self, alpha):
        count = 20_000
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

    def test_masks_are_refused_by_name(self):
        with pytest.raises(ValueError, match="MixUp does not handle `segmentation_masks`"):
            self.make()({"images": make_images(), "segmentation_masks": make_images()})

    def test_soft_rows_need_no_number_of_classes(self):
        _, labels = self.make(num_classes=None)((make_images(), rows(make_labels())))
        assert to_numpy(labels).shape == (len(make_images()), CLASSES)
