"""What every loss for class ids and soft rows must do."""

import importlib
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from tests.running import compiled, to_numpy

RANDOM = np.random.default_rng(0)
IDS = np.array([2, 0, 1, 2, 2, 1])
ROWS = RANDOM.dirichlet(np.ones(3), 6).astype("float32")
LOGITS = RANDOM.normal(size=(6, 3)).astype("float32")
PROBABILITIES = RANDOM.dirichlet(np.ones(3), 6).astype("float32")
WEIGHTS = np.array([1.0, 2.0, 0.0, 0.5, 1.0, 3.0], "float32")


def value_and_gradient(function, at: np.ndarray) -> tuple[float, np.ndarray]:
    """The value of a scalar function of a tensor, and its gradient, by the active backend."""
    backend = importlib.import_module(keras.backend.backend())
    if keras.backend.backend() == "jax":
        value, gradient = backend.value_and_grad(function)(backend.numpy.asarray(at))
    elif keras.backend.backend() == "tensorflow":
        x = backend.constant(at)
        with backend.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        gradient = tape.gradient(value, x)
    else:
        x = backend.tensor(at, requires_grad=True)
        value = function(x)
        value.backward()
        value, gradient = value.detach(), x.grad
    return float(value), to_numpy(gradient)


class LossContract:
    loss: ClassVar[type]
    arguments: ClassVar[dict[str, Any]]
    bad_arguments: ClassVar[list[tuple[str, Any]]]
    from_logits: ClassVar[bool]

    @staticmethod
    def formula(rows: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        """The loss of each prediction in NumPy, float64."""
        raise NotImplementedError

    @property
    def y_pred(self) -> np.ndarray:
        return LOGITS if self.from_logits else PROBABILITIES

    def make(self, **arguments) -> keras.losses.Loss:
        return self.loss(**(self.arguments | arguments))

    def expected(self, rows: np.ndarray) -> np.ndarray:
        return self.formula(rows.astype("float64"), self.y_pred.astype("float64"))

    @pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
    @pytest.mark.parametrize("shape", [(6,), (6, 1)])
    def test_equals_its_formula_for_class_ids(self, shape, dtype):
        losses = self.make(reduction="none")(IDS.reshape(shape).astype(dtype), self.y_pred)
        np.testing.assert_allclose(to_numpy(losses), self.expected(np.eye(3)[IDS]), rtol=1e-5)

    def test_equals_its_formula_for_soft_rows(self):
        losses = self.make(reduction="none")(ROWS, self.y_pred)
        np.testing.assert_allclose(to_numpy(losses), self.expected(ROWS), rtol=1e-5)

    def test_class_ids_and_their_one_hot_rows_give_the_same_loss(self):
        loss = self.make()
        for rows in (np.eye(3)[IDS], np.eye(3, dtype="int32")[IDS], np.eye(3, dtype="bool")[IDS]):
            assert float(loss(IDS, self.y_pred)) == float(loss(rows, self.y_pred))

    def test_takes_leading_axes_as_in_segmentation(self):
        pixels = np.broadcast_to(self.y_pred[:, None, None], (6, 2, 4, 3))
        ids = np.broadcast_to(IDS[:, None, None], (6, 2, 4))
        expected = np.broadcast_to(self.expected(np.eye(3)[IDS])[:, None, None], (6, 2, 4))
        for y_true in (ids, ids[..., None], np.eye(3)[ids]):
            np.testing.assert_allclose(to_numpy(self.make(reduction="none")(y_true, pixels)), expected, rtol=1e-5)

    @pytest.mark.parametrize("weights", [None, WEIGHTS, WEIGHTS[:, None]])
    @pytest.mark.parametrize("y_true", [IDS, ROWS])
    def test_weights_and_reduces_as_keras_does(self, y_true, weights):
        rows = np.eye(3)[y_true] if y_true.ndim == 1 else y_true
        losses = self.expected(rows) * (1 if weights is None else WEIGHTS)
        expected = {
            "none": losses,
            None: losses,
            "sum": losses.sum(),
            "mean": losses.mean(),
            "sum_over_batch_size": losses.mean(),
            "mean_with_sample_weight": losses.sum() / (6 if weights is None else WEIGHTS.sum()),
        }
        for reduction, value in expected.items():
            result = np.squeeze(to_numpy(self.make(reduction=reduction)(y_true, self.y_pred, weights)))
            np.testing.assert_allclose(result, value, rtol=1e-5, err_msg=str(reduction))

    @pytest.mark.parametrize("y_true", [np.array([0, 1]), np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], "float32")])
    def test_value_and_gradient_are_finite_at_0_and_1(self, y_true):
        extreme = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], "float32")
        for y_pred in [extreme, extreme * 1e4, -1e4 * extreme] if self.from_logits else [extreme, 0 * extreme]:
            value, gradient = value_and_gradient(lambda x: self.make()(y_true, x), y_pred)
            assert np.isfinite(value)
            assert value >= 0
            assert np.isfinite(gradient).all()

    def test_has_the_gradient_of_its_formula(self):
        _, gradient = value_and_gradient(lambda x: self.make(reduction="sum")(ROWS, x), self.y_pred)
        numeric = np.zeros((6, 3))
        for column in range(3):
            step = 1e-6 * np.eye(3)[column]
            ends = [self.formula(ROWS.astype("float64"), self.y_pred.astype("float64") + s) for s in (step, -step)]
            numeric[:, column] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
    def test_short_floats_change_neither_class_ids_nor_the_precision(self, dtype):
        ids = np.array([2049, 257, 4001])
        y_pred = np.random.default_rng(1).dirichlet(np.ones(5000), 3).astype("float32")
        exact = to_numpy(self.make(reduction="none")(ids, y_pred))
        short = self.make(reduction="none", dtype=dtype)(ids, y_pred)
        np.testing.assert_array_equal(to_numpy(short), exact)
        keras.config.set_floatx("bfloat16")
        try:
            np.testing.assert_array_equal(to_numpy(self.make(reduction="none")(ids, y_pred)), exact)
        finally:
            keras.config.set_floatx("float32")

    def test_a_short_float_prediction_is_computed_in_float32(self):
        y_pred = keras.ops.cast(self.y_pred, "float16")
        result = self.make(reduction="none")(IDS, y_pred)
        assert keras.backend.standardize_dtype(result.dtype) == "float32"
        expected = self.formula(np.eye(3)[IDS], to_numpy(y_pred).astype("float64"))
        np.testing.assert_allclose(to_numpy(result), expected, rtol=1e-5)

    def test_a_mask_of_the_predictions_counts_as_in_keras(self):
        inputs = keras.Input((4,))
        outputs = keras.layers.Dense(3, activation=None if self.from_logits else "softmax")(
            keras.layers.Embedding(5, 3, mask_zero=True)(inputs)
        )
        model = keras.Model(inputs, outputs)
        reference = keras.losses.SparseCategoricalCrossentropy(from_logits=self.from_logits)
        model.compile("sgd", reference)
        ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
        targets = np.array([[0, 1, 2, 0], [1, 2, 1, 0]])
        expected = model.evaluate(ids, targets, verbose=0)
        model.compile("sgd", self.make(label_smoothing=0.0))
        assert model.evaluate(ids, targets, verbose=0) == pytest.approx(expected, rel=1e-5)

    def test_an_id_out_of_range_is_refused_on_the_host(self):
        for ids in (np.array([0, 3]), np.array([[-1], [0]]), keras.ops.convert_to_tensor([0, 7])):
            with pytest.raises(ValueError, match=r"Class ids must be in \[0, 3\).*Received: ids \["):
                self.make()(ids, self.y_pred[:2])

    def test_an_id_out_of_range_is_a_row_of_zeros_in_compiled_code(self, backend):
        if backend == "torch":
            pytest.skip("torch's tensors have values at every step: the id is refused, as the test above shows")
        losses = compiled(lambda ids: self.make(reduction="none")(ids, self.y_pred), np.array([2, -1, 3, 2, 259, 1]))
        rows = np.eye(3)[IDS] * np.array([1, 0, 0, 1, 0, 1])[:, None]
        np.testing.assert_allclose(to_numpy(losses), self.expected(rows), rtol=1e-5, atol=1e-7)

    @pytest.mark.parametrize(
        ("y_true", "y_pred_shape"),
        [
            (np.zeros(6, "float32"), (6, 3)),
            (np.zeros((6, 1), "float32"), (6, 3)),
            (np.zeros((6, 4), "float32"), (6, 3)),
            (np.zeros((6, 2), "int32"), (6, 3)),
            (np.zeros(5, "int32"), (6, 3)),
            (np.zeros((6, 5), "int32"), (6, 4, 3)),
            (np.zeros((6, 1), "int32"), (6, 1)),
            (np.zeros((6,), "int32"), (6, 1)),
        ],
    )
    def test_targets_that_do_not_fit_are_refused_with_both_shapes(self, y_true, y_pred_shape):
        with pytest.raises(ValueError, match="Received:") as caught:
            self.make()(y_true, np.full(y_pred_shape, 0.5, "float32"))
        assert str(y_pred_shape) in str(caught.value)
        assert y_pred_shape[-1] == 1 or str(y_true.shape) in str(caught.value)

    def test_survives_a_round_trip_through_its_config_and_a_saved_compiled_model(self, tmp_path):
        loss = self.make(reduction="sum", name="mine")
        assert type(loss).from_config(loss.get_config()).get_config() == loss.get_config()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", loss, jit_compile=keras.backend.backend() != "torch")
        model.fit(LOGITS, ROWS, validation_data=(LOGITS, IDS), batch_size=3, epochs=1, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert loaded.loss.get_config() == loss.get_config()
        assert loaded.evaluate(LOGITS, IDS, verbose=0) == pytest.approx(model.evaluate(LOGITS, IDS, verbose=0))

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in self.bad_arguments:
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                self.make(**{name: value})
            assert repr(value) in str(caught.value)
