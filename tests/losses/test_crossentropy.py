"""Crossentropy."""

import keras
import numpy as np
import pytest

from keras_tricks.losses import Crossentropy
from tests.contracts.loss import IDS, LOGITS, PROBABILITIES, ROWS, LossContract
from tests.running import to_numpy


class TestOfProbabilities(LossContract):
    loss = Crossentropy
    arguments = {}
    from_logits = False
    bad_arguments = [("label_smoothing", -0.1), ("label_smoothing", 1.1), ("from_logits", "yes")]

    @staticmethod
    def formula(rows, y_pred):
        return -(rows * np.log(y_pred / y_pred.sum(-1, keepdims=True))).sum(-1)


class TestOfLogitsSmoothed(LossContract):
    loss = Crossentropy
    arguments = {"from_logits": True, "label_smoothing": 0.1}
    from_logits = True
    bad_arguments = [("label_smoothing", None)]

    @staticmethod
    def formula(rows, y_pred):
        smooth = 0.9 * rows + 0.1 / 3
        return -(smooth * (y_pred - np.log(np.exp(y_pred).sum(-1, keepdims=True)))).sum(-1)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_keras_own_where_that_exists(from_logits, smoothing):
    y_pred = LOGITS if from_logits else PROBABILITIES
    loss = Crossentropy(from_logits=from_logits, label_smoothing=smoothing)
    dense = keras.losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing)
    assert float(loss(ROWS, y_pred)) == pytest.approx(float(dense(ROWS, y_pred)), rel=1e-6)
    if not smoothing:
        sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        assert float(loss(IDS, y_pred)) == pytest.approx(float(sparse(IDS, y_pred)), rel=1e-6)


def test_certain_and_wrong_costs_what_it_costs_in_keras():
    y_pred = np.array([[0.0, 1.0], [1.0, 0.0]], "float32")
    losses = to_numpy(Crossentropy(reduction="none")(np.array([0, 0]), y_pred))
    np.testing.assert_allclose(losses, [-np.log(1e-7), 1e-7], rtol=0.2)


def test_smoothing_spreads_its_share_over_all_classes():
    y_pred = np.array([[0.7, 0.2, 0.05, 0.05]], "float32")
    target = np.array([0.9 + 0.1 / 4, 0.1 / 4, 0.1 / 4, 0.1 / 4])
    expected = -(target * np.log(y_pred[0])).sum()
    assert float(Crossentropy(label_smoothing=0.1)(np.array([0]), y_pred)) == pytest.approx(expected, rel=1e-5)


def test_call_alone_takes_both_kinds_of_targets():
    loss = Crossentropy()
    np.testing.assert_array_equal(
        to_numpy(loss.call(IDS, PROBABILITIES)), to_numpy(loss.call(np.eye(3)[IDS], PROBABILITIES))
    )


def test_the_small_integers_do_not_wrap_around():
    y_pred = np.full((1, 300), 1 / 300, "float32")
    y_pred[0, 44] = 0.5
    loss = float(Crossentropy()(np.array([44], "uint8"), y_pred))
    assert loss == pytest.approx(-np.log(0.5 / y_pred.sum()), rel=1e-4)


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="reduction=average"):
        Crossentropy(reduction="average")
