"""scale_learning_rate."""

import pytest

from keras_tricks.schedules import scale_learning_rate


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"base": 0.1, "batch_size": 256}, 0.1),
        ({"base": 0.1, "batch_size": 8192}, 3.2),
        ({"base": 0.1, "batch_size": 64, "reference": 128}, 0.05),
        ({"base": 0.1, "batch_size": 64, "accumulation_steps": 8}, 0.2),
        ({"base": 0.1, "batch_size": 64, "accumulation_steps": 16, "rule": "sqrt"}, 0.2),
    ],
)
def test_follows_its_rule(arguments, expected):
    assert scale_learning_rate(**arguments) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [("base", -1), ("batch_size", 0), ("reference", 2.5), ("rule", "cube"), ("accumulation_steps", 0)],
)
def test_a_bad_argument_is_named_with_its_value(name, value):
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}={value!r}"):
        scale_learning_rate(**({"base": 0.1, "batch_size": 256} | {name: value}))
