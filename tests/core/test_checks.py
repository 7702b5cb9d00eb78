import re

import numpy as np
import pytest

from keras_tricks._core import checks


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (checks.flag, [True, False, np.bool_(True)], ["vertical", "", 1, 0, None]),
        (checks.rate, [0, 0.5, 1, np.float32(0.25)], [-0.1, 1.2, "0.5", None, True, float("nan")]),
        (checks.positive, [1, 0.1, 1e9], [0, -1, float("inf"), "1", False]),
        (checks.non_negative, [0, 0.1], [-1e-9, None]),
        (checks.number, [-3, 0.5], ["x", True, float("nan")]),
        (checks.count, [1, 7, np.int64(3)], [0, 1.0, True, None]),
        (checks.optional_count, [None, 1], [0, 2.5]),
        (checks.interval, [(0, 1), [-1.0, 1.0]], [(1, 0), (1, 1), (0, 1, 2), 3, ("a", "b")]),
        (checks.size, [3, (3, 4), [5, 6]], [0, (1, 0), (1, 2, 3), 2.5, "8"]),
        (checks.seed, [None, 0, 2**31 - 1], [-1, 2**31, 1.5, True]),
    ],
)
def test_good_values_pass_and_bad_ones_are_named(check, good, bad):
    for value in good:
        assert check("argument", value) == (tuple(value) if isinstance(value, list) else _as_pair(check, value))
    for value in bad:
        with pytest.raises(ValueError, match=re.escape(f"Received: argument={value!r}")):
            check("argument", value)


def _as_pair(check, value):
    return (value, value) if check is checks.size and isinstance(value, int) else value


def test_a_count_names_its_minimum():
    with pytest.raises(ValueError, match=re.escape("`steps` must be an integer not below 3. Received: steps=2")):
        checks.count("steps", 2, minimum=3)


def test_a_closed_list_of_values_is_shown():
    assert checks.one_of("shape", "linear", ("linear", "cosine")) == "linear"
    with pytest.raises(
        ValueError, match=re.escape("`shape` must be one of 'linear', 'cosine'. Received: shape='square'")
    ):
        checks.one_of("shape", "square", ("linear", "cosine"))
