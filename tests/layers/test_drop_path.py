"""DropPath."""

import numpy as np
import pytest
from scipy import stats

from keras_tricks.layers import DropPath
from tests.contracts.layer import LayerContract
from tests.golden_values import check_golden
from tests.running import to_numpy


class TestDropPath(LayerContract):
    layer = DropPath
    arguments = {"rate": 0.25}
    switched_off = {"rate": 0.0}
    bad_arguments = [("rate", -0.1), ("rate", 1.2), ("rate", "0.5"), ("rate", float("nan"))]


def test_each_sample_is_wholly_dropped_or_scaled_by_the_inverse_of_what_is_kept():
    x = np.random.default_rng(0).normal(size=(200, 3, 5)).astype("float32")
    result = to_numpy(DropPath(0.3, seed=1)(x, training=True))
    dropped = (result == 0).all((1, 2))
    np.testing.assert_allclose(result[~dropped], x[~dropped] / 0.7, rtol=1e-6)
    assert 0 < dropped.sum() < 200


def test_the_share_of_dropped_samples_is_the_rate_and_samples_are_independent():
    layer = DropPath(0.3, seed=1)
    ones = np.ones((20_000, 1), "float32")
    dropped = (to_numpy(layer(ones, training=True)) == 0).ravel()
    assert stats.binomtest(int(dropped.sum()), len(dropped), 0.3).pvalue > 0.001
    assert stats.binomtest(int((dropped[1:] & dropped[:-1]).sum()), len(dropped) - 1, 0.09).pvalue > 0.001


def test_the_same_samples_are_dropped_on_every_backend():
    layer = DropPath(0.5, seed=5)
    kept = np.stack([to_numpy(layer(np.ones((16, 2), "float32"), training=True))[:, 0] > 0 for _ in range(3)])
    check_golden("drop_path", {"kept": kept.astype("int32")})


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_at_a_rate_of_1_everything_is_zero_and_nothing_nan(dtype):
    result = to_numpy(DropPath(1.0, dtype=dtype)(np.ones((4, 2), "float32"), training=True))
    np.testing.assert_array_equal(result, np.zeros((4, 2)))


def test_a_dropped_sample_that_overflowed_is_zero():
    x = np.full((64, 2), np.inf, "float32")
    result = to_numpy(DropPath(0.5, seed=1)(x, training=True))
    assert set(np.unique(result)) == {0.0, np.inf}
