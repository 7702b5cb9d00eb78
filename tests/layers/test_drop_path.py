"""DropPath."""

import keras
import numpy as np
import pytest
from scipy import stats

from keras_tricks.layers import DropPath
from keras_tricks.schedules import Linear
from tests.contracts.layer import LayerContract
from tests.golden_values import check_golden
from tests.running import to_numpy


class TestDropPath(LayerContract):
    layer = DropPath
    arguments = {"rate": 0.25}
    switched_off = {"rate": 0.0}
    bad_arguments = [
        ("rate", -0.1),
        ("rate", 1.2),
        ("rate", "0.5"),
        ("rate", float("nan")),
        ("rate", Linear(0.5, 2, final=1.5)),
    ]


class TestDropPathWithASchedule(LayerContract):
    layer = DropPath
    arguments = {"rate": Linear(0.25, 4, final=0.25)}
    switched_off = {"rate": Linear(0.0, 1)}
    bad_arguments = []


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


def test_a_scheduled_rate_moves_inside_a_compiled_fit_and_goes_on_after_loading(tmp_path):
    layer = DropPath(Linear(0.0, 4, final=1.0), seed=1)
    model = keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=keras.backend.backend() != "torch")
    model.layers[-1].set_weights([np.ones((2, 1), "float32")])
    x = np.ones((2000, 2), "float32")
    # The targets are what the output is where nothing is dropped; the loss is then 4 * rate + 4 * rate**2 / (1 - rate).
    losses = [model.fit(x, 2 * x[:, :1], batch_size=2000, verbose=0).history["loss"][0] for _ in range(3)]
    expected = [4 * rate + 4 * rate**2 / (1 - rate) for rate in (0.0, 0.25, 0.5)]
    np.testing.assert_allclose(losses, expected, rtol=0.15)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    last = [again.fit(x, 2 * x[:, :1], batch_size=2000, verbose=0).history["loss"][0] for _ in range(3)]
    np.testing.assert_allclose(last, [4 * 0.75 + 4 * 0.75**2 / 0.25, 4.0, 4.0], rtol=0.15)
    assert losses[0] == 0
    assert last[1] == last[2] == 4


@pytest.mark.parametrize("rate", [1.0, Linear(1.0, 4, final=1.0), 0.99999])
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_where_everything_is_dropped_the_gradient_is_zero(rate, dtype):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), DropPath(rate, seed=1, dtype=dtype)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = model.get_weights()
    model.fit(np.ones((8, 3)), np.ones((8, 4)), verbose=0)
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
