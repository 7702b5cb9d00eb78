import json

import keras
import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

import keras_tricks as kt
from keras_tricks._core import random
from tests.augment.photographs import photographs
from tests.contracts.augmentation import AugmentationContract, make_images
from tests.running import to_numpy


class TestPCALighting(AugmentationContract):
    cls = kt.augment.PCALighting
    arguments = {"std": 0.3}
    bad_arguments = [
        ({"std": -1}, "`std` must be a number not below 0. Received: std=-1"),
        ({"eigenvalues": (1, 2)}, "`eigenvalues` must be three numbers"),
        ({"eigenvectors": (1, 2, 3)}, "`eigenvectors` must be three rows of three numbers"),
        ({"eigenvectors": "red"}, "`eigenvectors`"),
    ]
    channels = (3,)

    def test_shifts_follow_the_law(self):
        """Along the eigenvectors they are independent, normal, and spread as the eigenvalues."""
        layer = kt.augment.PCALighting(0.1)
        shifts = to_numpy(layer.sample((100_000, 1, 1, 3), random.key((5, 0), (1, 2)))["shift"]).reshape(-1, 3)
        along = np.linalg.solve(np.array(layer.eigenvectors), shifts.T.astype("float64"))
        for values, eigenvalue in zip(along, (55.46, 4.794, 1.148), strict=True):
            assert stats.kstest(values / (0.1 * eigenvalue), "norm").pvalue > 1e-3
        assert np.abs(np.corrcoef(along) - np.eye(3)).max() < 4 / np.sqrt(100_000)

    def test_the_default_is_imagenets_light_which_is_gray_first(self):
        vectors = np.array(kt.augment.PCALighting().eigenvectors)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-3)
        assert (np.sign(vectors[:, 0]) == -1).all()

    def test_every_pixel_of_an_image_is_shifted_alike(self):
        images = np.full((4, 5, 6, 3), 128, "uint8")
        changed = to_numpy(kt.augment.PCALighting(0.1, seed=1)(images))
        np.testing.assert_allclose(changed, np.broadcast_to(changed[:, :1, :1], changed.shape))
        assert len(np.unique(changed[:, 0, 0, 0])) == 4

    @pytest.mark.parametrize("value_range", [(0, 255), (0, 1)])
    def test_its_own_components_are_those_of_scikit_learn(self, value_range):
        images = photographs() if value_range == (0, 255) else photographs().astype("float32") / 255
        layer = kt.augment.PCALighting(value_range=value_range)
        layer.adapt(images)
        oracle = PCA().fit(photographs().reshape(-1, 3) / 255)
        np.testing.assert_allclose(np.array(layer.eigenvalues) / 255, oracle.explained_variance_, rtol=1e-4)
        np.testing.assert_allclose(
            np.abs(np.sum(np.array(layer.eigenvectors) * oracle.components_.T, axis=0)), 1, rtol=1e-4
        )

    def test_its_own_components_survive_config_and_saving(self, tmp_path):
        layer = self.make()
        layer.adapt(photographs())
        again = kt.augment.PCALighting.from_config(json.loads(json.dumps(layer.get_config())))
        model = keras.Sequential([keras.Input((12, 10, 3)), layer])
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras").layers[0]
        for other in (again, loaded):
            assert other.eigenvalues == layer.eigenvalues != kt.augment.PCALighting().eigenvalues
            assert other.eigenvectors == layer.eigenvectors
            self.assert_same(other(make_images()), layer(make_images()))
            layer = self.make()
            layer.adapt(photographs())

    def test_channels_first_adapts_alike_and_other_channels_are_refused(self):
        last, first = self.make(), self.make(data_format="channels_first")
        last.adapt(photographs())
        first.adapt(photographs().transpose(0, 3, 1, 2))
        assert first.eigenvalues == pytest.approx(last.eigenvalues)
        with pytest.raises(ValueError, match="3 channels"):
            last.adapt(photographs()[..., :1])
