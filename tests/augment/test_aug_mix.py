import numpy as np
import pytest
from scipy import stats

import keras_tricks as kt
from keras_tricks._core import random
from keras_tricks.augment._operations import NAMES
from tests.augment.draws import one_law_for_all
from tests.augment.photographs import photographs
from tests.augment.policies import transformed
from tests.contracts.augmentation import AugmentationContract, make_images, make_labels
from tests.running import first_call, to_numpy


class TestAugMix(AugmentationContract):
    cls = kt.augment.AugMix
    arguments = {"severity": 8, "width": 2, "depth": 1}
    takes_places = False
    test_masks_and_boxes_of_channels_first_images_go_where_those_of_channels_last_go = None
    channels = (1, 3)
    bad_arguments = [
        ({"severity": 0}, "`severity`.*Received: severity=0"),
        ({"severity": 11}, "`severity` must be above 0, up to 10. Received: severity=11"),
        ({"width": 0}, "`width`"),
        ({"depth": 4}, "`depth` must be None, or from 1 to 3. Received: depth=4"),
        ({"alpha": 0}, "`alpha`"),
        ({"splits": 0}, "`splits`"),
    ]

    def test_masks_and_boxes_go_where_the_pixels_go(self):
        """Here they cannot: a blend of places has none."""
        images = make_images()
        for name in ("segmentation_masks", "bounding_boxes"):
            with pytest.raises(ValueError, match=f"AugMix does not handle `{name}`"):
                self.make()({"images": images, name: {"boxes": images, "labels": images}})

    def test_boxes_in_every_format_and_under_kerascvs_name_for_labels_are_the_same_boxes(self):
        """Here none are taken."""
        with pytest.raises(ValueError, match="does not handle `bounding_boxes`"):
            self.make()(
                {"images": make_images(), "bounding_boxes": {"boxes": np.zeros((8, 1, 4)), "classes": np.zeros((8, 1))}}
            )

    def test_the_blend_is_the_papers_of_the_chains_drawn(self):
        images = np.repeat(photographs(48, 64), 4, axis=0)
        layer = kt.augment.AugMix(seed=3)
        params = layer.sample(images.shape, layer.stream_key(0))
        mixture = 0.0
        for chain in range(3):
            own = {
                name: [part[chain * 8 : chain * 8 + 8] for part in params[name]] for name in ("operations", "amounts")
            }
            single = kt.augment.RandAugment(3, operation_rate=1.0)
            version = transformed(single, images, params | own)
            mixture = mixture + to_numpy(params["weights"])[0, chain, :, None, None, None] * to_numpy(version)
        keep = to_numpy(params["keep"])[0, :, None, None, None]
        expected = (1 - keep) * images + keep * mixture
        np.testing.assert_allclose(to_numpy(first_call(layer, images)), expected, atol=0.51)

    @one_law_for_all
    def test_the_weights_follow_dirichlets_law_and_the_share_betas(self):
        layer = kt.augment.AugMix(alpha=0.7)
        params = layer.sample((100_000, 8, 8, 3), random.key((1, 0), (1, 2)))
        weights = to_numpy(params["weights"])[0].T.astype("float64")
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
        for weight in weights.T:
            assert stats.kstest(weight, stats.beta(0.7, 1.4).cdf).pvalue > 1e-3
        assert stats.kstest(to_numpy(params["keep"])[0], stats.beta(0.7, 0.7).cdf).pvalue > 1e-3
        # Parts of a Dirichlet draw are correlated by -1 / (width - 1).
        np.testing.assert_allclose(np.corrcoef(weights.T)[np.triu_indices(3, 1)], -0.5, atol=0.02)

    def test_chains_have_one_to_three_operations_of_uniform_strength(self):
        layer = kt.augment.AugMix(severity=4)
        params = layer.sample((100_000, 8, 8, 3), random.key((1, 0), (1, 2)))
        operations = np.stack([to_numpy(part) for part in params["operations"]], -1)
        amounts = np.stack([to_numpy(part) for part in params["amounts"]], -1)
        lengths = (operations > 0).sum(1)
        assert stats.chisquare(np.bincount(lengths, minlength=4)[1:]).pvalue > 1e-3
        assert ((operations > 0) == (np.arange(3) < lengths[:, None])).all()
        assert {NAMES[number] for number in np.unique(operations)} == {
            "Identity", "AutoContrast", "Equalize", "Posterize", "Rotate", "Solarize",
            "ShearX", "ShearY", "TranslateX", "TranslateY",
        }  # fmt: skip
        rotation = np.abs(amounts[operations == NAMES.index("Rotate")]) / 3
        assert stats.kstest(rotation, stats.uniform(0.1, 3.9).cdf).pvalue > 1e-3

    def test_the_amounts_grow_with_the_severity_as_in_the_paper(self):
        layer = kt.augment.AugMix(severity=3, all_operations=True)
        params = layer.sample((100_000, 8, 8, 3), random.key((1, 0), (1, 2)))
        operations = np.stack([to_numpy(part) for part in params["operations"]], -1)
        amounts = np.stack([to_numpy(part) for part in params["amounts"]], -1)
        # The level is uniform in 0.1 to 3 of 10: a share of the strongest.
        low, high = 0.01, 0.3
        spans = {"Rotate": 30, "ShearX": 0.3, "ShearY": 0.3, "TranslateX": 1 / 3, "TranslateY": 1 / 3}
        for name, strongest in spans.items():
            found = amounts[operations == NAMES.index(name)]
            assert stats.kstest(np.abs(found) / strongest, stats.uniform(low, high - low).cdf).pvalue > 1e-3
            assert abs((found > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(len(found))
        for name in ("Color", "Contrast", "Brightness", "Sharpness"):
            found = (amounts[operations == NAMES.index(name)] - 0.1) / 1.8
            assert stats.kstest(found, stats.uniform(low, high - low).cdf).pvalue > 1e-3
        posterize = amounts[operations == NAMES.index("Posterize")]
        assert set(np.unique(posterize)) == {3, 4}
        solarize = amounts[operations == NAMES.index("Solarize")]
        assert set(np.unique(np.ceil(solarize))) == set(range(256 - 76, 256 - 1))

    def test_a_fixed_depth_and_all_operations_are_options(self):
        layer = kt.augment.AugMix(depth=2, width=1, all_operations=True)
        params = layer.sample((5000, 8, 8, 3), random.key((1, 0), (1, 2)))
        operations = np.stack([to_numpy(part) for part in params["operations"]], -1)
        assert operations.shape == (5000, 2)
        assert len(np.unique(operations)) == 13

    def test_splits_are_the_images_as_they_were_and_two_versions(self):
        images, labels = make_images(), make_labels()
        layer = self.make(splits=3, width=3, depth=None)
        views, repeated = first_call(layer, (images, labels))
        views = to_numpy(views)
        np.testing.assert_array_equal(views[:8], images)
        assert (views[8:16] != views[16:]).any((1, 2, 3)).sum() >= 6
        np.testing.assert_array_equal(to_numpy(repeated), np.tile(labels, 3))
        plain, same = layer((images, labels), training=False)
        assert plain.shape == images.shape
        assert same.shape == labels.shape
