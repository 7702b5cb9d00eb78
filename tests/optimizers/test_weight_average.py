import importlib

import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import OptimizerWrapper, WeightAverage
from tests.contracts.optimizer import (
    OptimizerContract,
    assert_equal,
    bowl_gradients,
    bowl_variables,
    fit,
    numbers,
    small_model,
)


def averages(optimizer) -> list[np.ndarray]:
    return numbers([average for _, average in optimizer.average])


def exponential_average(
    series: list[float], decay: float, gamma: float = 1.0, power: float = 2 / 3, every: int = 1, start: int = 0
) -> list[float]:
    """In float64, by the formula; timm's `get_decay` counts the same s."""
    results = list(series[: start + 1])
    for s, value in enumerate(series[start + 1 :], 1):
        d = max(0.0, min(decay, 1 - (1 + s / gamma) ** -power)) ** every
        results.append(results[-1] if s % every else d * results[-1] + (1 - d) * value)
    return results


def followed(optimizer, steps: int) -> tuple[list[float], list[float]]:
    """A weight that moves at random, and its average, after each update."""
    variable, weights, seen = keras.Variable(np.zeros((), "float32")), [], []
    for step in np.random.default_rng(1).normal(size=steps).astype("float32"):
        optimizer.apply([ops.convert_to_tensor(step)], [variable])
        weights.append(float(numbers([variable])[0]))
        seen.append(float(averages(optimizer)[0]))
    return weights, seen


class TestWeightAverage(OptimizerContract):
    cls = WeightAverage
    arguments = {
        "decay": 0.75,
        "every": 2,
        "start": 1,
        "warmup": False,
        "warmup_gamma": 2.0,
        "warmup_power": 0.75,
    }
    bad_arguments = [
        ("kind", "median"),
        ("every", 0),
        ("every", 2.0),
        ("start", -1),
        ("decay", 1.5),
        ("decay", -0.1),
        ("warmup", 2),
        ("warmup_gamma", 0),
        ("warmup_power", -1.0),
    ]

    def test_counts_updates_under_accumulation_where_keras_counts_batches(self):
        variable = keras.Variable(np.zeros(1, "float32"))
        inner = keras.optimizers.SGD(1.0, gradient_accumulation_steps=4)
        optimizer, seen = WeightAverage(inner, decay=0.9, warmup=False), []
        for _ in range(3):
            for _ in range(4):
                optimizer.apply([ops.convert_to_tensor(np.array([-1.0], "float32"))], [variable])
            seen.append(averages(optimizer)[0][0])
        np.testing.assert_allclose(seen, [1.0, 1.1, 1.29], rtol=1e-6)

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"decay": 0.5},
            {"warmup_gamma": 5.0, "warmup_power": 0.75},
            {"decay": 1.0, "warmup_power": 1.0},
            {"every": 3},
            {"decay": 0.5, "every": 4, "start": 5},
            {"decay": 0.0, "every": 2},
            {"start": 7},
        ],
    )
    def test_equals_its_formula_with_the_growing_decay(self, arguments):
        weights, seen = followed(WeightAverage(keras.optimizers.SGD(1.0), **arguments), 40)
        names = {"warmup_gamma": "gamma", "warmup_power": "power"}
        expected = exponential_average(weights, **{"decay": 0.999} | {names.get(k, k): v for k, v in arguments.items()})
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize(("every", "start"), [(1, 0), (1, 4), (3, 2)])
    def test_the_mean_is_that_of_the_updates_it_takes(self, every, start):
        optimizer = WeightAverage(keras.optimizers.SGD(1.0), kind="mean", every=every, start=start)
        weights, seen = followed(optimizer, 20)
        expected = [np.mean(weights[start : last + 1 : every]) for last in range(start, 20)]
        np.testing.assert_allclose(seen, weights[:start] + expected, rtol=1e-5, atol=1e-6)

    def test_without_warmup_the_decay_is_to_the_power_of_every(self):
        arguments = {"decay": 0.9, "warmup": False, "every": 3}
        weights, seen = followed(WeightAverage(keras.optimizers.SGD(1.0), **arguments), 10)
        expected = exponential_average(weights, 0.9, gamma=1e-9, every=3)
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)

    def test_a_rescaled_share_keeps_its_digits(self):
        for arguments in ({"warmup": False}, {}):
            optimizer = WeightAverage("sgd", decay=1 - 1e-7, every=10, **arguments)
            share = optimizer.share(ops.convert_to_tensor(np.int32(2**31 - 1)))
            limit = max((2.0**31) ** (-2 / 3), 1e-7) if not arguments else 1e-7
            np.testing.assert_allclose(ops.convert_to_numpy(share), 10 * limit, rtol=1e-5)

    def test_a_decay_means_nothing_for_a_mean(self):
        with pytest.raises(ValueError, match=r'`decay` must be left out for kind="mean".*decay=0.9'):
            WeightAverage("sgd", decay=0.9, kind="mean")

    def test_a_mean_counts_updates_under_accumulation(self):
        variable, seen = keras.Variable(np.zeros(1, "float32")), []
        inner = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
        optimizer = WeightAverage(inner, kind="mean", every=2, start=1)
        for _ in range(12):
            optimizer.apply([ops.convert_to_tensor(np.array([-1.0], "float32"))], [variable])
            seen.append(averages(optimizer)[0][0])
        assert_equal([seen], [[0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4]])

    @pytest.mark.filterwarnings("ignore")  # torch's compiler looks at gradients that warn of being looked at
    def test_a_mean_resumes_bit_for_bit_and_compiles(self, tmp_path, backend):
        def made():
            inner = keras.optimizers.Adam(0.1)
            return small_model(WeightAverage(inner, kind="mean", every=3, start=2), jit_compile=backend != "torch")

        straight, stopped = made(), made()
        fit(straight, 6)
        fit(stopped, 2)
        stopped.save(tmp_path / "model.keras")
        resumed = keras.models.load_model(tmp_path / "model.keras")
        assert resumed.optimizer.get_config() == stopped.optimizer.get_config()
        fit(resumed, 4)
        assert_equal(averages(resumed.optimizer), averages(straight.optimizer))
        assert np.abs(averages(resumed.optimizer)[0] - straight.get_weights()[0]).max() > 1e-3

    def test_on_several_replicas_where_no_branch_may_assign_it_takes_the_same(self, monkeypatch, backend):
        if backend != "tensorflow":
            pytest.skip("replicas are TensorFlow's")
        module = importlib.import_module("keras_tricks.optimizers._tensorflow")
        seen = []
        for replicas in (1, 2):
            monkeypatch.setattr(module, "replicas", lambda replicas=replicas: replicas)
            model = small_model(WeightAverage(keras.optimizers.SGD(0.1), kind="mean", every=2, start=1))
            fit(model, 3)
            seen.append(averages(model.optimizer))
        assert_equal(*seen, rtol=1e-6)

    def test_a_power_of_one_and_no_limit_is_the_mean_of_all_weights(self):
        variable = keras.Variable(np.zeros((), "float32"))
        optimizer = WeightAverage(keras.optimizers.SGD(1.0), decay=1.0, warmup_power=1.0)
        for _ in range(9):
            optimizer.apply([ops.convert_to_tensor(np.float32(-1.0))], [variable])
        np.testing.assert_allclose(averages(optimizer)[0], np.mean(range(1, 10)), rtol=1e-6)

    def test_the_decay_reaches_its_limit_to_the_last_digit(self):
        share = WeightAverage("sgd", decay=0.9999).share(ops.convert_to_tensor(np.float32(1e9)))
        assert float(ops.convert_to_numpy(share)) == np.float32(1 - 0.9999)

    def test_the_first_update_copies_weights_that_were_loaded_after_building(self):
        variables, optimizer = bowl_variables(), WeightAverage(keras.optimizers.SGD(0.0))
        optimizer.build(variables)
        for variable in variables:
            variable.assign(np.full(variable.shape, 1 / 3, "float32"))
        optimizer.apply(bowl_gradients(variables), variables)
        assert_equal(averages(optimizer), numbers(variables))

    def test_before_the_first_update_the_average_is_the_weights(self):
        variables, optimizer = bowl_variables(), WeightAverage("sgd")
        assert optimizer.average == []
        optimizer.build(variables)
        for variable in variables:
            variable.assign(np.full(variable.shape, 5.0, "float32"))
        assert_equal(averages(optimizer), numbers(variables))

    def test_starts_with_a_copy_around_an_optimizer_that_has_trained_before(self):
        variables, inner = bowl_variables(), keras.optimizers.SGD(0.1)
        for _ in range(3):
            inner.apply(bowl_gradients(variables), variables)
        optimizer = WeightAverage(inner)
        optimizer.apply(bowl_gradients(variables), variables)
        assert_equal(averages(optimizer), numbers(variables))

    def test_averages_16_bit_weights_in_float32(self):
        variable = keras.Variable(np.ones(2), dtype="bfloat16")
        optimizer = WeightAverage(keras.optimizers.SGD(1.0), decay=0.999, warmup=False)
        optimizer.apply([ops.zeros((2,), "bfloat16")], [variable])
        optimizer.apply([ops.ones((2,), "bfloat16")], [variable])
        assert optimizer.average[0][1].dtype == "float32"
        np.testing.assert_allclose(averages(optimizer)[0], [0.999, 0.999], rtol=1e-6)

    def test_inside_another_wrapper_it_averages_the_same(self):
        outer, plain = bowl_variables(), bowl_variables()
        inside, alone = WeightAverage(keras.optimizers.Adam(0.1)), WeightAverage(keras.optimizers.Adam(0.1))
        wrapper = OptimizerWrapper(inside)
        for _ in range(3):
            wrapper.apply(bowl_gradients(outer), outer)
            alone.apply(bowl_gradients(plain), plain)
        assert_equal(averages(inside), averages(alone))

    def test_refuses_the_statistics_of_another_model(self):
        optimizer = WeightAverage("sgd", statistics_shapes=[[3], [3]])
        with pytest.raises(ValueError, match=r"statistics of another model.*\[\[3\], \[3\]\].*\[\[2\]\]"):
            optimizer.follow([keras.Variable(np.zeros(2))])


@pytest.mark.filterwarnings("ignore:Skipping variable loading", "ignore:Nothing was loaded into optimizer")
@pytest.mark.parametrize("trained", [lambda: WeightAverage("adam"), lambda: "adam"], ids=["averaged", "plain"])
def test_weights_alone_are_loaded_into_a_compiled_model(trained, tmp_path):
    model, other = small_model(trained()), small_model(WeightAverage("adam"), build=False)
    fit(model, 1)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_equal(other.get_weights(), model.get_weights())
    assert not other.optimizer.swapped
    fit(other, 1)
