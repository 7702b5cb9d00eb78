"""Accuracy."""

import keras
import numpy as np
import pytest

from keras_tricks.losses import Crossentropy
from keras_tricks.metrics import Accuracy
from tests.running import to_numpy

IDS = np.array([0, 1, 2, 2])
PREDICTED = np.array([[0.9, 0.1, 0], [0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]], "float32")
SOFT = np.array([[0.6, 0.4, 0], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0, 0.4, 0.6]], "float32")


def accuracy(y_true, y_pred, sample_weight=None, **arguments) -> float:
    metric = Accuracy(**arguments)
    metric.update_state(y_true, y_pred, sample_weight)
    return float(metric.result())


@pytest.mark.parametrize(
    "y_true", [IDS, IDS[:, None], IDS.astype("uint8"), IDS.astype("int64"), IDS.tolist(), SOFT, np.eye(3)[IDS]]
)
def test_is_the_share_of_predictions_whose_largest_entry_is_the_targets(y_true):
    assert accuracy(y_true, PREDICTED) == 0.75
    assert accuracy(y_true, np.log(PREDICTED + 1e-3)) == 0.75


@pytest.mark.parametrize("y_true", [IDS, SOFT])
def test_weights_its_samples(y_true):
    assert accuracy(y_true, PREDICTED, np.array([1.0, 0.0, 2.0, 1.0])) == 0.5
    assert accuracy(y_true, PREDICTED, np.array([[1.0], [0.0], [2.0], [1.0]])) == 0.5


def test_accumulates_over_batches_of_both_kinds_until_it_is_reset():
    metric = Accuracy()
    metric.update_state(IDS, PREDICTED)
    metric.update_state(SOFT[:1], PREDICTED[:1])
    assert float(metric.result()) == pytest.approx(0.8)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_takes_leading_axes_as_in_segmentation():
    pixels = np.broadcast_to(PREDICTED[:, None], (4, 5, 3))
    assert accuracy(np.broadcast_to(IDS[:, None], (4, 5)), pixels) == 0.75
    assert accuracy(np.broadcast_to(IDS[:, None, None], (4, 5, 1)), pixels) == 0.75
    assert accuracy(np.broadcast_to(SOFT[:, None], (4, 5, 3)), pixels) == 0.75


def test_equals_keras_own_on_masked_sequences():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Embedding(5, 3, mask_zero=True)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", Crossentropy(), weighted_metrics=[Accuracy(), keras.metrics.SparseCategoricalAccuracy()])
    ids = np.array([[1, 2, 0, 0], [3, 4, 0, 0], [2, 0, 0, 0]])
    targets = np.array([[0, 1, 2, 0], [1, 2, 1, 0], [2, 2, 2, 2]])
    logs = model.evaluate(ids, targets, verbose=0, return_dict=True)
    assert logs["accuracy"] == pytest.approx(logs["sparse_categorical_accuracy"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_bfloat16"])
def test_short_floats_change_neither_class_ids_nor_counts(dtype):
    ids = np.concatenate([np.full(3000, 2048), np.full(2000, 2049)])
    y_pred = np.zeros((5000, 2050), "float32")
    y_pred[:, 2049] = 1
    assert accuracy(ids, y_pred, dtype=dtype) == pytest.approx(0.4)


def test_an_id_out_of_range_and_a_row_of_zeros_are_never_met():
    certain = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], "float32")
    assert accuracy(np.array([-1, 2, 0]), certain) == pytest.approx(1 / 3)
    assert accuracy(np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), certain) == pytest.approx(1 / 3)


@pytest.mark.parametrize("y_true", [np.zeros(4), np.zeros((4, 1)), np.zeros((4, 2)), np.zeros(3, "int32")])
def test_targets_that_do_not_fit_are_refused_with_both_shapes(y_true):
    with pytest.raises(ValueError, match=r"Received: y_true of shape .*y_pred of shape \(4, 3\)") as caught:
        accuracy(y_true, PREDICTED)
    assert str(y_true.shape) in str(caught.value)


def test_follows_soft_training_and_integer_validation_in_one_compiled_model(tmp_path):
    x = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
    ids = x[:, :3].argmax(-1)
    soft = 0.7 * np.eye(3, dtype="float32")[ids] + 0.1
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    jit = keras.backend.backend() != "torch"
    model.compile(
        "adam", Crossentropy(), metrics=[Accuracy()], weighted_metrics=[Accuracy("weighted")], jit_compile=jit
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=5)
    history = model.fit(
        x, soft, validation_data=(x, ids, np.arange(24.0)), epochs=2, batch_size=8, verbose=0, callbacks=[stop]
    ).history
    right = model.predict(x, verbose=0).argmax(-1) == ids
    assert history["val_accuracy"][-1] == pytest.approx(right.mean())
    assert history["val_weighted"][-1] == pytest.approx((right * np.arange(24)).sum() / np.arange(24).sum())
    assert model.evaluate(x, ids[:, None], verbose=0, return_dict=True)["accuracy"] == pytest.approx(right.mean())
    assert model.evaluate(x, soft, verbose=0, return_dict=True)["accuracy"] == pytest.approx(right.mean())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, ids, verbose=0, return_dict=True)["accuracy"] == pytest.approx(right.mean())


def test_early_stopping_knows_that_more_is_better():
    x, y = np.eye(3, dtype="float32"), np.array([0, 1, 2])
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, kernel_initializer="identity")])
    model.compile(keras.optimizers.SGD(0.0), Crossentropy(from_logits=True), metrics=[Accuracy()])
    stop = keras.callbacks.EarlyStopping(monitor="accuracy", patience=1, baseline=0.5)
    model.fit(x, y, epochs=1, verbose=0, callbacks=[stop])
    assert stop.wait == 0


def test_survives_a_round_trip_through_its_config():
    metric = Accuracy("mine", dtype="float32")
    copy = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(copy) is Accuracy
    assert copy.get_config() == metric.get_config()
    assert copy.name == "mine"


def test_updates_without_state_of_its_own():
    metric = Accuracy()
    state = metric.stateless_update_state([v.value for v in metric.variables], IDS, PREDICTED)
    assert float(to_numpy(metric.stateless_result(state))) == 0.75
    assert float(metric.result()) == 0
