"""One stream of random numbers on every backend."""

import importlib

import numpy as np
import pytest
from scipy import stats

from keras_tricks._core import random
from tests.golden_values import check_golden
from tests.running import BACKEND, compiled, eagerly, in_pipeline, to_numpy

WEIGHTS = (0.1, 0.0, 0.4, 0.5)
DRAWS = 100_000


def key_of(seed: int, call: int, salt: str = "test"):
    return eagerly(lambda state: random.key(state, random.words(salt)), np.array([seed, call], "int32"))


def all_draws(state):
    first, second = random.split(random.key(state, random.words("test")), 2)
    symmetric, complement = random.beta(first, (6,), 0.2, 0.2)
    skewed, _ = random.beta(second, (6,), 2.0, 7.0)
    return {
        "bits": random.bits(first, (2, 3)),
        "uniform": random.uniform(first, (2, 3)),
        "integers": random.integers(second, (8,), -3, 1000),
        "bernoulli": random.bernoulli(second, (8,), 0.3),
        "permutation": random.permutation(first, 12),
        "choice": random.choice(second, (8,), WEIGHTS),
        "normal": random.normal(first, (6,)),
        "beta": symmetric,
        "beta_complement": complement,
        "beta_skewed": skewed,
    }


@pytest.mark.parametrize("run", [eagerly, compiled, in_pipeline])
def test_the_same_numbers_come_out_eagerly_compiled_and_in_a_pipeline_on_every_backend(run):
    draws = {name: to_numpy(value) for name, value in run(all_draws, np.array([7, 3], "int32")).items()}
    check_golden("random", draws)


@pytest.mark.skipif(BACKEND != "torch", reason="elsewhere the numbers of tensors are not read")
def test_what_torch_computes_on_an_accelerator_is_what_the_host_reads_off(monkeypatch):
    state = np.array([7, 3], "int32")
    read = {name: to_numpy(value) for name, value in eagerly(all_draws, state).items()}
    monkeypatch.setattr(importlib.import_module("keras_tricks._core._torch_ops"), "host_array", lambda tensor: None)
    for name, value in eagerly(all_draws, state).items():
        np.testing.assert_array_equal(to_numpy(value), read[name])


@pytest.mark.skipif(BACKEND != "torch", reason="elsewhere the numbers of tensors are not read")
def test_many_numbers_are_those_that_few_begin_with():
    key, side = key_of(5, 2), int(random.FEW**0.5)
    few, many = (to_numpy(random.uniform(key, (rows, side))) for rows in (side, side + 1))
    np.testing.assert_array_equal(many[:side], few)


def all_noise(state):
    key = random.key(state, random.words("test"))
    return {"bytes": random.noise_bytes(key, 3, 10), "normal": random.noise_normal(key, 2, 7)}


@pytest.mark.parametrize("run", [eagerly, compiled, in_pipeline])
def test_noise_is_the_same_eagerly_compiled_and_in_a_pipeline_on_every_backend(run):
    noise = {name: to_numpy(value) for name, value in run(all_noise, np.array([7, 3], "int32")).items()}
    assert noise["bytes"].dtype == np.uint8
    check_golden("random_noise", noise)


def test_bytes_of_noise_are_uniform_and_independent_along_rows_and_uncorrelated_across_them():
    noise = to_numpy(random.noise_bytes(key_of(1, 0), 50, 8000))
    assert stats.chisquare(np.bincount(noise.ravel(), minlength=256)).pvalue > 0.01
    for lag in (1, 2, 3, 4, 8):
        pairs = noise[:, lag:] // 16 * 16 + noise[:, :-lag] // 16
        assert stats.chisquare(np.bincount(pairs.ravel().astype(int), minlength=256)).pvalue > 0.001
    correlations = np.corrcoef(noise.astype("float64"))[np.triu_indices(50, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(8000)


def test_normal_noise_follows_the_normal_law():
    noise = to_numpy(random.noise_normal(key_of(1, 0), 10, DRAWS // 10))
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01


def test_bits_of_an_identity_are_the_same_wherever_it_stands():
    key = key_of(1, 0)
    expected = to_numpy(random.bits(key, (10,)))
    identities = np.array([5, 3, 5, 9, 0], "int32")
    np.testing.assert_array_equal(
        to_numpy(eagerly(lambda value: random.bits_of(key, value), identities)), expected[identities]
    )


def test_uniforms_are_on_file_to_the_last_bit():
    uniform = to_numpy(random.uniform(key_of(7, 3), (1000,)))
    check_golden(
        "random_uniform_bits", {"bits": uniform.view("int32")[:64], "sum": uniform.view("int32").sum(keepdims=True)}
    )


def test_uniforms_are_uniform_in_their_half_open_interval():
    uniform = to_numpy(random.uniform(key_of(0, 0), (DRAWS,)))
    assert uniform.dtype == np.float32
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert stats.kstest(uniform, "uniform").pvalue > 0.01


def test_each_of_the_32_bits_is_a_fair_coin_and_independent_of_its_neighbours():
    words = to_numpy(random.bits(key_of(1, 0), (DRAWS,))).view("uint32")
    bits = (words[:, None] >> np.arange(32, dtype="uint32") & 1).astype("float64") - 0.5
    limit = 4.5 * 0.5 / np.sqrt(DRAWS)
    assert np.abs(bits.mean(0)).max() < limit
    correlation = np.corrcoef(bits.T) - np.eye(32)
    assert np.abs(correlation).max() < 4.8 / np.sqrt(DRAWS)
    serial = (bits[1:] * bits[:-1]).mean(0) * 4
    assert np.abs(serial).max() < 4.5 / np.sqrt(DRAWS)


def test_normals_follow_the_normal_law_into_the_tails():
    normal = to_numpy(random.normal(key_of(2, 0), (DRAWS,))).astype("float64")
    assert stats.kstest(normal, "norm").pvalue > 0.01
    assert abs((np.abs(normal) > 3).mean() / (2 * stats.norm.sf(3)) - 1) < 0.25
    assert np.abs(normal).max() < 5.5


@pytest.mark.parametrize("parameters", [(0.1, 0.1), (0.2, 0.2), (1, 1), (5, 5), (0.5, 3), (40, 2), (0.01, 0.02)])
def test_betas_follow_the_exact_law_at_both_ends(parameters):
    draws, complements = (to_numpy(part).astype("float64") for part in random.beta(key_of(3, 0), (DRAWS,), *parameters))
    # float32 cannot tell 1 - 1e-9 from 1: each draw is judged by its part below 1/2.
    law, mirrored = stats.beta(*parameters), stats.beta(*parameters[::-1])
    probability = np.where(draws <= complements, law.cdf(draws), mirrored.sf(complements))
    lost = (np.minimum(draws, complements) < np.finfo("float32").tiny).mean()
    assert stats.kstest(probability, "uniform").statistic < 1.63 / np.sqrt(DRAWS) + lost
    np.testing.assert_allclose(draws + complements, 1, atol=2e-7)


@pytest.mark.parametrize("parameters", [(1e-3, 1e-3), (0.1, 0.1), (0.05, 30), (1, 1), (40, 2), (1000, 0.1), (1e6, 1e6)])
def test_the_table_of_beta_holds_the_exact_quantiles_for_any_parameters(parameters):
    log_odds = random._beta_table(*map(float, parameters)).astype("float64")
    grid = np.linspace(-random.BETA_TABLE_EDGE, random.BETA_TABLE_EDGE, random.BETA_TABLE_SIZE)
    draws, complements = np.exp(-np.logaddexp(0, -log_odds)), np.exp(-np.logaddexp(0, log_odds))
    law, mirrored = stats.beta(*parameters), stats.beta(*parameters[::-1])
    probability = np.where(draws < complements, law.cdf(draws), mirrored.sf(complements))
    resolved = np.minimum(draws, complements) > 1e-290  # below, SciPy's own function underflows
    np.testing.assert_allclose(probability[resolved], (1 / (1 + np.exp(-grid)))[resolved], atol=1e-7)
    assert (np.diff(log_odds) >= 0).all()


def test_integers_are_uniform_and_stay_in_range():
    integers = to_numpy(random.integers(key_of(4, 0), (DRAWS,), -2, 5))
    values, counts = np.unique(integers, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(-2, 5))
    assert stats.chisquare(counts).pvalue > 0.01


def test_the_largest_uniform_never_rounds_up_to_the_end_of_a_range():
    largest = np.float32(1 - 2.0**-24)
    spans = np.concatenate([np.arange(1, 70_000), 2 ** np.arange(17, 25), 2 ** np.arange(17, 25) - 1]).astype("float32")
    assert (np.floor(largest * spans) < spans).all()


@pytest.mark.parametrize("high", [0, -1, 2**24 + 1])
def test_integers_refuse_an_empty_or_too_long_range(high):
    with pytest.raises(ValueError, match=r"`high`.*Received: high="):
        random.integers(key_of(0, 0), (3,), 0, high)


def test_permutations_hold_every_number_once_and_every_place_is_equally_likely():
    permutations = np.stack([to_numpy(random.permutation(key_of(5, call), 5)) for call in range(200)])
    np.testing.assert_array_equal(np.sort(permutations, axis=1), np.broadcast_to(np.arange(5), (200, 5)))
    table = np.stack([np.bincount(column, minlength=5) for column in permutations.T])
    assert stats.chisquare(table.ravel()).pvalue > 0.01


def test_choices_come_with_their_weights_and_never_with_weight_zero():
    counts = np.bincount(to_numpy(random.choice(key_of(6, 0), (DRAWS,), WEIGHTS)), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], DRAWS * np.array([0.1, 0.4, 0.5])).pvalue > 0.01


@pytest.mark.parametrize("weights", [(), (0.0, 0.0), (1.0, -1.0), (1.0, float("nan"))])
def test_choices_refuse_weights_that_are_no_shares(weights):
    with pytest.raises(ValueError, match="`weights`"):
        random.choice(key_of(0, 0), (3,), weights)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 0, "a"), (2, 0, "a")),  # seeds s and s + 1
        ((1, 0, "a"), (1, 1, "a")),  # neighbouring calls
        ((1, 0, "MixUp"), (1, 0, "CutMix")),  # two classes
        ((1, 0, "MixUp/left"), (1, 0, "MixUp/right")),  # two names
        ((1, 0, "a"), (0, 1, "a")),  # seed and call exchanged
        ((1, 1, "a"), (2, 0, "a")),  # the overlap of torch's generators in Keras
        ((0, 0, "a"), (0, 0, "b")),
    ],
)
def test_neighbouring_streams_are_independent(first, second):
    count = 20_000
    one, other = (to_numpy(random.uniform(key_of(*stream), (count,))).astype("float64") for stream in (first, second))
    limit = 4 / np.sqrt(count)
    for lag in (0, 1, 2, 7):
        assert abs(np.corrcoef(one[: count - lag], other[lag:])[0, 1]) < limit
        assert abs(np.corrcoef(other[: count - lag], one[lag:])[0, 1]) < limit
    assert stats.kstest((one + other) % 1, "uniform").pvalue > 0.001
    assert stats.kstest((one - other) % 1, "uniform").pvalue > 0.001
    table = np.histogram2d(one, other, bins=16)[0]
    assert stats.chisquare(table.ravel()).pvalue > 0.001
    assert len(np.intersect1d(one, other)) < 60  # of 2**24 values: 24 by chance


def test_the_first_numbers_of_many_streams_are_themselves_uniform_and_independent():
    seeds = np.array([[to_numpy(random.uniform(key_of(seed, call), (2,))) for call in range(2)] for seed in range(120)])
    numbers = seeds.reshape(120, 4).astype("float64")
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 0.01
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 4 / np.sqrt(120)


def test_split_keys_are_independent_of_each_other_and_of_the_whole():
    key = key_of(9, 0)
    streams = [key, *random.split(key, 3)]
    numbers = np.stack([to_numpy(random.uniform(stream, (20_000,))) for stream in streams]).astype("float64")
    assert np.abs(np.corrcoef(numbers) - np.eye(4)).max() < 4 / np.sqrt(20_000)


def test_a_draw_has_the_narrow_types_of_jax_on_every_backend():
    draws = {name: str(to_numpy(value).dtype) for name, value in eagerly(all_draws, np.array([7, 3], "int32")).items()}
    assert set(draws.values()) == {"int32", "float32", "bool"}
