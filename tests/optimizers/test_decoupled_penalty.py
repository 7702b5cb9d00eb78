import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import SGD, DecoupledPenalty, Freeze, LayerwiseRates
from keras_tricks.schedules import Linear
from tests.contracts.optimizer import OptimizerContract, apply, assert_equal, fit, numbers, small_model


def moved(optimizer, value: np.ndarray, name: str = "kernel", updates: int = 1) -> np.ndarray:
    """Where a variable is after updates without gradient."""
    variable = keras.Variable(value.astype("float32"), name=name)
    for _ in range(updates):
        optimizer.apply([ops.zeros(value.shape)], [variable])
    return numbers([variable])[0]


VALUE = np.array([[1.0, -2.0], [0.5, 3.0]])


class TestDecoupledPenalty(OptimizerContract):
    cls = DecoupledPenalty
    arguments = {"penalty": "orthogonal", "strength": 0.01, "pattern": ["w1", "kernel"]}
    switched_off = {"penalty": "orthogonal", "strength": 0.0}
    bad_arguments = [("penalty", "l1"), ("penalty", None), ("strength", -1.0), ("pattern", 3), ("pattern", "(")]

    @pytest.mark.parametrize(
        ("penalty", "slope"),
        [
            (keras.regularizers.L1(1.0), np.sign(VALUE)),
            (keras.regularizers.L2(0.5), VALUE),
            (keras.regularizers.L1L2(0.5, 0.25), 0.5 * np.sign(VALUE) + 0.5 * VALUE),
            ("orthogonal", VALUE @ (VALUE.T @ VALUE * (1 - np.eye(2)))),
        ],
    )
    @pytest.mark.parametrize("inner", [keras.optimizers.SGD(0.5), keras.optimizers.Adam(0.5), SGD(0.5)])
    def test_the_weights_move_along_the_penalty_s_gradient(self, penalty, slope, inner):
        optimizer = DecoupledPenalty(type(inner).from_config(inner.get_config()), penalty, strength=0.1)
        assert_equal([moved(optimizer, VALUE)], [VALUE - 0.5 * 0.1 * slope], rtol=1e-6)

    def test_l2_equals_the_decay_of_adamw(self):
        one = small_model(DecoupledPenalty(keras.optimizers.Adam(0.1), keras.regularizers.L2(0.5), 0.2, pattern=""))
        other = small_model(keras.optimizers.AdamW(0.1, weight_decay=0.2))
        before = one.get_weights()
        # Keras decays before the update and this after it: the same to first order in rate * strength.
        fit(one), fit(other)
        change = [np.abs(a - b).max() for a, b in zip(one.get_weights(), before, strict=True)]
        for a, b, size in zip(one.get_weights(), other.get_weights(), change, strict=True):
            assert np.abs(a - b).max() <= 0.06 * size

    def test_a_schedule_and_the_rate_are_those_of_the_update(self):
        inner = keras.optimizers.SGD(Linear(1.0, 2, final=0.5))
        optimizer = DecoupledPenalty(inner, keras.regularizers.L1(1.0), strength=Linear(0.1, 2, final=0.2))
        seen = moved(optimizer, np.full((1, 1), 10.0), updates=3)
        assert_equal([seen], [[[10 - 1.0 * 0.1 - 0.75 * 0.15 - 0.5 * 0.2]]], rtol=1e-6)

    def test_units_of_a_convolution_are_pushed_apart(self):
        value = np.random.default_rng(0).normal(size=(3, 3, 2, 4))
        optimizer = DecoupledPenalty(keras.optimizers.SGD(1.0), "orthogonal", strength=0.01)
        after = moved(optimizer, value, updates=50)

        def correlations(kernel):
            matrix = kernel.reshape(-1, 4)
            return np.abs(matrix.T @ matrix * (1 - np.eye(4))).max()

        assert correlations(after) < 0.05 * correlations(value)
        assert np.linalg.norm(after) > 0.8 * np.linalg.norm(value)

    def test_biases_are_spared_unless_they_are_named(self):
        for pattern, expected in ((None, 1.0), ("bias", 0.5)):
            optimizer = DecoupledPenalty(keras.optimizers.SGD(0.5), keras.regularizers.L1(1.0), 1.0, pattern)
            assert_equal([moved(optimizer, np.ones(2), name="bias")], [np.full(2, expected)])

    def test_a_regularizer_survives_saving(self, tmp_path):
        model = small_model(DecoupledPenalty("adam", keras.regularizers.L1(0.5), 0.1))
        fit(model)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        assert float(again.optimizer.penalty.l1) == 0.5
        fit(model), fit(again)
        assert_equal(again.get_weights(), model.get_weights())


@pytest.mark.parametrize("inner", [lambda: Freeze("sgd", "w0"), lambda: LayerwiseRates("sgd", {"w0": 0.0})])
def test_what_is_frozen_inside_is_not_shrunk(inner):
    optimizer = DecoupledPenalty(inner(), keras.regularizers.L1(1.0), strength=1.0, pattern="w")
    variables = [keras.Variable(1.0, name=name) for name in ("w0", "w1")]
    apply(optimizer, [ops.convert_to_tensor(np.float32(0.0))] * 2, variables)
    assert_equal(numbers(variables), [1.0, 0.99], rtol=1e-6)


def test_a_pattern_that_is_misspelled_is_an_error():
    with pytest.raises(ValueError, match=r"`pattern` must be found in the path of a variable.*kernle"):
        small_model(DecoupledPenalty("sgd", "orthogonal", pattern="kernle"))
