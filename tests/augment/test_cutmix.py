import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from tests.augment.boxes import numbered
from tests.augment.draws import DRAWS, draws, one_law_for_all
from tests.contracts.augmentation import CLASSES, MixingContract, make_images, make_labels
from tests.running import to_numpy


def boxes(layer, count=512, height=32, width=24):
    """Which pixels are pasted in each of a batch of `count` numbered images, and the partner's label share."""
    images = np.broadcast_to(np.arange(count, dtype="float32")[:, None, None, None], (count, height, width, 1))
    mixed, labels = layer((images, np.eye(count, dtype="float32")))
    own = np.diag(to_numpy(labels))
    return to_numpy(mixed)[..., 0] != np.arange(count)[:, None, None], 1 - own


class TestCutMix(MixingContract):
    cls = kt.augment.CutMix
    arguments = {"alpha": 1.0, "num_classes": CLASSES}
    bad_arguments = [
        ({"alpha": 0}, "`alpha` must be a number above 0. Received: alpha=0"),
        ({"num_classes": 1}, "`num_classes`"),
    ]

    def test_the_label_weight_is_the_share_of_pixels_pasted(self):
        images = np.broadcast_to(np.arange(512, dtype="float32")[:, None, None, None], (512, 32, 24, 1))
        mixed, labels = (to_numpy(part) for part in self.make(num_classes=512)((images, np.arange(512))))
        pasted = (mixed[..., 0] != np.arange(512)[:, None, None]).sum((1, 2))
        partner = np.argmax(labels - 2 * np.eye(512), axis=1)
        share = np.float32(pasted) / np.float32(32 * 24)
        # one unit in the last place: XLA divides by multiplying with the reciprocal
        np.testing.assert_allclose(labels[np.arange(512), partner], share, rtol=1.3e-7)
        np.testing.assert_allclose(labels.diagonal(), 1 - share, rtol=1.3e-7, atol=6e-8)

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_label_weights_are_exact_in_reduced_precision_too(self, policy):
        """65,536 pixels are more than float16 can count."""
        images = np.repeat(np.arange(4, dtype="uint8"), 256 * 256).reshape(4, 256, 256, 1)
        mixed, labels = self.make(num_classes=4, dtype=policy)((images, np.arange(4)))
        own = (to_numpy(mixed)[..., 0] == np.arange(4)[:, None, None]).mean((1, 2))
        np.testing.assert_allclose(np.diag(to_numpy(labels)), own, rtol=2e-7)

    def test_what_is_pasted_is_one_box_of_one_partner(self):
        pasted, _ = boxes(self.make(num_classes=None))
        rows, columns = pasted.any(2), pasted.any(1)
        np.testing.assert_array_equal(pasted, rows[:, :, None] & columns[:, None, :])
        for lines in (rows, columns):
            assert (np.abs(np.diff(lines.astype(int), prepend=0, append=0)).sum(1) <= 2).all()

    @one_law_for_all
    @pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
    def test_boxes_follow_the_law(self, alpha):
        """Against a simulation of the paper's rule; a pixel is pasted if its centre is in the box."""
        side = 400
        found = [
            [to_numpy(params[name]).sum(1) for name in ("rows", "columns")]
            for params in draws(kt.augment.CutMix(alpha, seed=1), side, side)
        ]
        sides = np.concatenate(found, axis=1)
        generator = np.random.default_rng(0)
        half = np.sqrt(1 - generator.beta(alpha, alpha, 20 * DRAWS)) * side / 2
        centre = generator.random((2, 20 * DRAWS)) * side
        ends = [np.clip(np.ceil(centre + sign * half - 0.5), 0, side) for sign in (-1, 1)]
        expected = ends[1] - ends[0]
        assert stats.ks_2samp(sides.prod(0), expected.prod(0)).statistic < 1.63 / np.sqrt(DRAWS)
        for lengths in sides:
            assert abs(lengths.mean() - expected[0].mean()) < 4 * expected[0].std() / np.sqrt(DRAWS)

    def test_the_centre_is_uniform_over_the_image_whatever_the_size_of_the_box(self):
        pasted, _ = boxes(kt.augment.CutMix(20.0, seed=1), 4000, 32, 32)  # sides near sqrt(1/2): 22 or 23 of 32 pixels
        covered = pasted.any(2).mean(0)
        distance = np.abs(np.arange(32) + 0.5 - 16)
        # A line is covered if the centre is within half a side of it: all the time in the middle, half at the border.
        half = np.sqrt(0.5) * 16
        expected = (np.minimum(16, half - distance) + np.minimum(16, half + distance)) / 32
        np.testing.assert_allclose(covered, np.minimum(expected, 1), atol=0.04)

    def test_masks_are_pasted_with_their_pixels(self):
        images = make_images()
        batch = self.make()({"images": images, "segmentation_masks": images[..., :1], "labels": make_labels()})
        np.testing.assert_array_equal(to_numpy(batch["segmentation_masks"]), to_numpy(batch["images"])[..., :1])

    @pytest.mark.parametrize("min_visible", [0.0, 0.1, 0.6])
    def test_boxes_are_those_of_which_enough_is_to_be_seen(self, min_visible):
        """Pixel by pixel: where the paint of each rectangle is, after its image was pasted or pasted over."""
        count = 64
        batch = numbered(count)
        given = batch["bounding_boxes"]["boxes"][:, 0]
        area = (given[:, 2] - given[:, 0]) * (given[:, 3] - given[:, 1])
        mixed = self.make(num_classes=None, min_visible=min_visible)(batch)
        pixels = to_numpy(mixed["segmentation_masks"])[..., 0]
        boxes, labels = (to_numpy(mixed["bounding_boxes"][name]) for name in ("boxes", "labels"))
        assert boxes.shape == (count, 2, 4)
        for own in range(count):
            seen = (pixels[own] == own).sum()
            assert labels[own, 0] == (own if seen > 0 and seen >= min_visible * area[own] else -1)
            np.testing.assert_array_equal(boxes[own, 0], given[own] if labels[own, 0] >= 0 else 0)
            for other in set(np.unique(pixels[own])) - {own, 255}:
                rows, columns = np.nonzero(pixels[own] == other)
                kept = len(rows) >= min_visible * area[other]
                edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert labels[own, 1] == (other if kept else -1)
                np.testing.assert_array_equal(boxes[own, 1], edges if kept else 0)
            if len(np.unique(pixels[own])) <= 1 + (seen > 0):
                assert labels[own, 1] == -1
        assert (labels[:, 1] >= 0).sum() > 5
        assert (labels[:, 0] < 0).sum() > 2

    def test_an_image_that_is_not_mixed_keeps_its_boxes_and_gets_none(self):
        for batch, rate in ((numbered(8), 0.0), (numbered(1), 1.0)):
            boxes = self.make(rate=rate)(batch)["bounding_boxes"]
            np.testing.assert_array_equal(to_numpy(boxes["boxes"])[:, 0], batch["bounding_boxes"]["boxes"][:, 0])
            np.testing.assert_array_equal(to_numpy(boxes["labels"])[:, 0], batch["bounding_boxes"]["labels"][:, 0])
            np.testing.assert_array_equal(to_numpy(boxes["boxes"])[:, 1], 0)
            np.testing.assert_array_equal(to_numpy(boxes["labels"])[:, 1], -1)

    def test_boxes_under_any_format_and_as_kerascv_names_them(self):
        batch = numbered(8)
        expected = self.make()(batch)["bounding_boxes"]
        corners = batch["bounding_boxes"]["boxes"]
        given = {"boxes": np.concatenate([corners[..., :2], corners[..., 2:] - corners[..., :2]], -1)}
        given["classes"] = batch["bounding_boxes"]["labels"].astype("float32")
        boxes = self.make(bounding_box_format="xywh")(batch | {"bounding_boxes": given})["bounding_boxes"]
        assert sorted(boxes) == ["boxes", "classes"]
        np.testing.assert_array_equal(to_numpy(boxes["classes"]), to_numpy(expected["labels"]))
        found = to_numpy(boxes["boxes"])
        found[..., 2:] += found[..., :2]
        np.testing.assert_allclose(found, to_numpy(expected["boxes"]))

    def test_boxes_are_joined_inside_a_pipeline_as_eagerly(self):
        tf = pytest.importorskip("tensorflow")
        batch = numbered(8)
        piped = next(iter(tf.data.Dataset.from_tensors(batch).map(self.make())))["bounding_boxes"]
        eager = self.make()(batch)["bounding_boxes"]
        for name in ("boxes", "labels"):
            np.testing.assert_array_equal(piped[name].numpy(), to_numpy(eager[name]))
