import pytest

from keras_tricks.optimizers import normalized_decay


def test_equals_the_formula():
    assert normalized_decay(0.05, 128, 50_000, 100) == pytest.approx(0.05 * (128 / 5_000_000) ** 0.5, rel=1e-12)
    assert normalized_decay(0.0, 1, 1, 0.5) == 0.0


@pytest.mark.parametrize(
    ("name", "value"), [("value", -1.0), ("batch_size", 0), ("samples", 1.5), ("epochs", 0), ("epochs", "many")]
)
def test_rejects_bad_arguments_by_name_and_value(name, value):
    arguments = {"value": 0.05, "batch_size": 128, "samples": 50_000, "epochs": 100} | {name: value}
    with pytest.raises(ValueError, match=f"`{name}`.*{value!r}"):
        normalized_decay(**arguments)
