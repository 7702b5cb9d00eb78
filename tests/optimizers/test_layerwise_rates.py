import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import SGD, AdamW, LayerwiseRates
from keras_tricks.schedules import Join, Linear
from tests.contracts.optimizer import (
    INNER,
    OptimizerContract,
    assert_equal,
    bowl_gradients,
    bowl_variables,
    numbers,
)

OURS = {"our sgd": lambda: SGD(0.1, momentum=0.5, weight_decay=0.1), "our adamw": lambda: AdamW(0.1)}


def network() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(3, name="body"),
            layers.Dense(1, name="head"),
        ]
    )


class TestLayerwiseRates(OptimizerContract):
    cls = LayerwiseRates
    arguments = {"rates": {"w0|kernel": 0.5}, "default": 0.75}
    switched_off = {"rates": {"w0": 1.0}}
    bad_arguments = [
        ("rates", 3),
        ("rates", {"(": 1.0}),
        ("rates", {"w0": -1.0}),
        ("rates", None),
        ("default", -1.0),
        ("layer_decay", 0.0),
        ("groups", ["w0"]),
    ]

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in [("inner_optimizer", 7), *self.bad_arguments]:
            arguments = {"inner_optimizer": keras.optimizers.SGD()} | self.arguments | {name: value}
            if name == "layer_decay":
                arguments |= {"rates": None, "default": 1.0}
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                LayerwiseRates(**arguments)
            assert any(
                repr(part) in str(caught.value)
                for part in (value, *(sum(value.items(), ()) if isinstance(value, dict) else ()))
            )

    def test_a_default_means_nothing_beside_a_layer_decay(self):
        with pytest.raises(ValueError, match=r"`default` must be left out where there is `layer_decay`.*0\.1"):
            LayerwiseRates("sgd", layer_decay=0.5, default=0.1)

    @pytest.mark.parametrize("inner", INNER | OURS)
    def test_is_the_same_as_another_learning_rate(self, inner):
        make = (INNER | OURS)[inner]
        variables, optimizer = bowl_variables(), LayerwiseRates(make(), {"w0": 0.25, "w1": 2.0})
        for index, factor in enumerate((0.25, 2.0)):
            alone, reference = bowl_variables(), make()
            reference.learning_rate = 0.1 * factor
            if index == 0:
                ours = [numbers(variables)]
                for _ in range(5):
                    optimizer.apply(bowl_gradients(variables), variables)
                    ours.append(numbers(variables))
            for step in range(5):
                reference.apply(bowl_gradients(alone), alone)
                assert_equal([ours[step + 1][index]], [numbers(alone)[index]], rtol=1e-5, atol=1e-7)

    def test_follows_a_schedule_and_freezes_where_it_is_0(self):
        schedule = Join([(0.0, 2), (0.5, 2)])
        variables, optimizer = bowl_variables(), LayerwiseRates(keras.optimizers.SGD(1.0), {"w0": schedule})
        seen = []
        for _ in range(4):
            optimizer.apply([ops.ones(v.shape) for v in variables], variables)
            seen.append([value.ravel()[0] for value in numbers(variables)])
        np.testing.assert_allclose(seen, [(0, -1), (0, -2), (-0.5, -3), (-1, -4)])

    def test_schedules_and_patterns_survive_saving(self):
        optimizer = LayerwiseRates("sgd", {"w1": Linear(1.0, 4), "w": 0.5})
        again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
        assert list(again.rates) == ["w1", "w"]
        one, other = bowl_variables(), bowl_variables()
        for _ in range(3):
            optimizer.apply(bowl_gradients(one), one)
            again.apply(bowl_gradients(other), other)
        assert_equal(numbers(one), numbers(other))

    def test_the_first_pattern_that_matches_counts_and_no_decay_is_multiplied_twice(self):
        variables = bowl_variables()
        for variable in variables:
            variable.assign(ops.ones(variable.shape))
        inner = keras.optimizers.SGD(0.1, weight_decay=0.5)
        LayerwiseRates(inner, {"w0": 0.5, "w": 0.0}).apply([ops.zeros(v.shape) for v in variables], variables)
        assert_equal(numbers(variables), [np.full(3, 1 - 0.5 * 0.1 * 0.5), np.ones((2, 1))], rtol=1e-6)

    def test_by_depth_each_layer_moves_less_than_the_one_after_it(self):
        model = network()
        optimizer = LayerwiseRates(keras.optimizers.SGD(1.0), layer_decay=0.5)
        variables = model.trainable_variables
        before = numbers(variables)
        optimizer.apply([ops.ones(v.shape) for v in variables], variables)
        steps = {v.path.split("/", 1)[-1] if v.path.count("/") > 1 else v.path: (b - a).ravel()[0]
                 for v, b, a in zip(variables, before, numbers(variables), strict=True)}  # fmt: skip
        expected = {"stem": 0.25, "norm": 0.25, "body": 0.5, "head": 1.0}
        assert len(steps) == 8
        for path, step in steps.items():
            assert step == pytest.approx(next(rate for name, rate in expected.items() if name in path), rel=1e-5), path

    def test_groups_say_what_a_layer_is(self):
        model = network()
        optimizer = LayerwiseRates(keras.optimizers.SGD(1.0), layer_decay=0.5, groups=["stem|norm", "body"])
        variables = model.trainable_variables
        before = numbers(variables)
        optimizer.apply([ops.ones(v.shape) for v in variables], variables)
        steps = [round(float((b - a).ravel()[0]), 5) for b, a in zip(before, numbers(variables), strict=True)]
        assert steps == [0.25] * 4 + [0.5] * 2 + [1.0] * 2

    def test_a_pattern_that_is_misspelled_is_an_error(self):
        with pytest.raises(ValueError, match=r"`rates` must be found in the path .*'stem'"):
            LayerwiseRates("sgd", {"stem": 0.1}).build(bowl_variables())
