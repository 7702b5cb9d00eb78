import dataclasses
import sys

import keras
import numpy as np
import pytest
import scipy.optimize
from keras import layers, ops

import keras_tricks as kt
from tests.running import to_numpy

fit_lbfgs = kt.training.fit_lbfgs
GENERATOR = np.random.default_rng(0)
COUNT, FEATURES, PENALTY = 240, 5, 0.01
X = GENERATOR.normal(size=(COUNT, FEATURES))
LABELS = (X @ GENERATOR.normal(size=FEATURES) + GENERATOR.normal(size=COUNT) > 0).astype("int32")
WEIGHTS = GENERATOR.uniform(0, 2, COUNT)
ROWS = GENERATOR.dirichlet(np.ones(3), COUNT)


def binary(weights: np.ndarray):
    """The penalised logistic loss of weights and bias, and its gradient, in float64."""

    def objective(vector):
        weight, bias = vector[:-1], vector[-1]
        signs = np.where(LABELS == 1, 1, -1)
        margins = signs * (X @ weight + bias)
        slopes = -weights * signs / (1 + np.exp(margins)) / COUNT
        gradient = np.append(X.T @ slopes + 2 * PENALTY * weight, slopes.sum())
        return (weights * np.logaddexp(0, -margins)).mean() + PENALTY * weight @ weight, gradient

    return objective, FEATURES + 1


def softmax(rows: np.ndarray):
    """The penalised crossentropy with `rows` of a matrix without a bias, and its gradient, in float64."""

    def objective(vector):
        matrix = vector.reshape(FEATURES, rows.shape[1])
        logits = X @ matrix
        logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        gradient = X.T @ (np.exp(logs) - rows) / COUNT + 2 * PENALTY * matrix
        return -(rows * logs).sum(1).mean() + PENALTY * (matrix**2).sum(), gradient.ravel()

    return objective, FEATURES * rows.shape[1]


def optimum(problem) -> float:
    objective, size = problem
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000}
    return scipy.optimize.minimize(objective, np.zeros(size), jac=True, method="L-BFGS-B", options=options).fun


def linear(outputs=1, bias=True, extra=()) -> keras.Model:
    keras.utils.set_random_seed(1)
    dense = layers.Dense(outputs, use_bias=bias, kernel_regularizer=keras.regularizers.L2(PENALTY))
    return keras.Sequential([keras.Input((FEATURES,)), *extra, dense])


def logistic(**arguments) -> keras.Model:
    model = linear(**arguments)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    return model


def vector_of(model) -> np.ndarray:
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()]).astype("float64")


def fit_logistic(model, **arguments):
    return fit_lbfgs(model, X, LABELS[:, None], **({"verbose": 0} | arguments))


# The optimum


@pytest.mark.parametrize(
    ("arguments", "weights"),
    [
        ({}, np.ones(COUNT)),
        ({"batch_size": 100}, np.ones(COUNT)),  # 100, 100 and 40
        ({"sample_weight": WEIGHTS, "batch_size": 100}, WEIGHTS),
    ],
    ids=["whole", "batches", "weighted batches"],
)
def test_a_logistic_regression_reaches_the_optimum_of_scipy(arguments, weights):
    model = logistic()
    found = fit_logistic(model, **arguments)
    problem = binary(weights)
    lowest = optimum(problem)
    assert found.objective == pytest.approx(lowest, abs=1e-6)
    assert problem[0](vector_of(model))[0] == pytest.approx(lowest, abs=1e-6)
    assert found.converged
    assert found.iterations < 30


@pytest.mark.parametrize("labels", ["integers", "rows"])
def test_class_ids_and_rows_of_shares_reach_the_optimum_of_scipy(labels):
    """With a loss that is given, and a model that is not compiled."""
    classes = GENERATOR.integers(0, 3, COUNT) if labels == "integers" else ROWS
    rows = np.eye(3)[classes] if labels == "integers" else ROWS
    model = linear(3, bias=False)
    found = fit_lbfgs(model, X, classes, loss=kt.losses.Crossentropy(from_logits=True), verbose=0)
    assert found.objective == pytest.approx(optimum(softmax(rows)), abs=1e-6)
    assert softmax(rows)[0](vector_of(model))[0] == pytest.approx(found.objective, abs=1e-6)


def test_a_least_squares_fit_by_the_name_of_its_loss():
    model = keras.Sequential([layers.Dense(1, use_bias=False)])  # that was not built
    target = X @ np.arange(1.0, 6.0)[:, None]
    found = fit_lbfgs(model, X, target, loss="mse", tolerance=1e-12, verbose=0)
    np.testing.assert_allclose(vector_of(model), np.arange(1, 6), atol=1e-4)
    assert found.objective < 1e-8


def test_several_inputs_and_outputs_with_the_compiled_losses():
    left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    joined = layers.Concatenate()([left, right])
    model = keras.Model([left, right], [layers.Dense(1, use_bias=False)(joined) for _ in range(2)])
    model.compile("sgd", ["mse", "mse"], loss_weights=[1.0, 0.5])
    targets = [X @ np.ones((FEATURES, 1)), X @ np.full((FEATURES, 1), -2.0)]
    found = fit_lbfgs(model, [X[:, :2], X[:, 2:]], targets, tolerance=1e-12, verbose=0)
    assert found.objective < 1e-7
    np.testing.assert_allclose(vector_of(model), np.repeat([1, -2], FEATURES), atol=1e-3)


# What it says


def test_the_result_is_frozen_and_tells_the_way():
    model = logistic()
    start = float(model.evaluate(X, LABELS[:, None], batch_size=COUNT, verbose=0))
    found = fit_logistic(model)
    assert found.history.shape == (found.iterations + 1,)
    assert found.history[0] == pytest.approx(start, rel=1e-6)
    assert (np.diff(found.history) <= 1e-7).all()
    assert found.objective == pytest.approx(found.history[-1], abs=1e-7)
    assert found.evaluations > found.iterations
    assert "CONVERGENCE" in found.message
    assert str(found).startswith(f"L-BFGS converged: objective {found.objective:.8g}, from {start:.6g}, after ")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.objective = 0.0
    with pytest.raises(ValueError, match="read-only"):
        found.history[0] = 0.0


def test_it_draws_its_way(tmp_path):
    found = fit_logistic(logistic(), max_iterations=2)
    axes = found.plot(tmp_path / "way.png")
    assert (tmp_path / "way.png").stat().st_size > 1000
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), found.history)


def test_at_the_limit_of_iterations_it_has_not_converged():
    model = logistic()
    found = fit_logistic(model, max_iterations=2)
    assert (found.converged, found.iterations) == (False, 2)
    assert "did not converge" in str(found)
    assert model.evaluate(X, LABELS[:, None], batch_size=COUNT, verbose=0) == pytest.approx(found.objective, rel=1e-6)


def test_progress_is_shown_where_it_is_wanted(capsys):
    fit_logistic(logistic(), max_iterations=3)
    assert capsys.readouterr().out == ""
    found = fit_logistic(logistic(), max_iterations=3, verbose=1)
    shown = capsys.readouterr().out
    assert "3/3" in shown
    assert "objective: " in shown
    assert shown.rstrip().endswith(str(found))


# Noise, and state


def test_noise_is_warned_of_and_is_gone_at_inference():
    with pytest.warns(UserWarning, match=r"The objective is noisy: .*training=False"):
        fit_logistic(logistic(extra=[layers.Dropout(0.5)]), max_iterations=2)
    found = fit_logistic(logistic(extra=[layers.Dropout(0.5)]), training=False)
    assert found.objective == pytest.approx(optimum(binary(np.ones(COUNT))), abs=1e-6)


def test_noise_that_only_the_gradient_shows_is_warned_of():
    """With weights of zero the loss is that of chance, whatever is dropped."""
    model = logistic(extra=[layers.Dropout(0.5)])
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    with pytest.warns(UserWarning, match="The objective is noisy"):
        fit_logistic(model, max_iterations=1)


def test_the_augmentations_of_a_trainer_are_part_of_the_objective():
    images = GENERATOR.uniform(0, 255, (12, 4, 4, 1)).astype("float32")
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(1)])
    trainer = kt.Trainer(model, kt.augment.GaussianNoise(0.2, seed=1))
    trainer.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="The objective is noisy"):
        found = fit_lbfgs(trainer, images, images[:, 0, :1, 0], max_iterations=2, verbose=0)
    assert int(to_numpy(ops.convert_to_tensor(trainer.stream.state))[1]) == found.evaluations
    fit_lbfgs(trainer, images, images[:, 0, :1, 0], max_iterations=2, training=False, verbose=0)
    assert int(to_numpy(ops.convert_to_tensor(trainer.stream.state))[1]) == found.evaluations


def test_statistics_move_with_each_evaluation_of_the_training_loss_alone():
    norm = layers.BatchNormalization(momentum=0.5, center=False, scale=False)
    model = logistic(extra=[norm])
    fit_logistic(model, max_iterations=2, training=False)
    np.testing.assert_array_equal(norm.get_weights()[0], 0)
    found = fit_logistic(model, max_iterations=2)
    expected = X.mean(0) * (1 - 0.5**found.evaluations)
    np.testing.assert_allclose(norm.get_weights()[0], expected, rtol=1e-4, atol=1e-6)


def test_the_compiled_optimizer_has_no_part_in_it():
    model = logistic()
    fit_logistic(model, max_iterations=2)
    assert int(model.optimizer.iterations) == 0


# Errors and interrupts


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_the_model_has_the_best_weights_and_is_usable(monkeypatch, error):
    from keras_tricks.training._full_batch import FullBatch

    seen = []
    evaluate = FullBatch.evaluate

    def counted(self, vector):
        seen.append((*evaluate(self, vector), vector.copy()))
        if len(seen) == 5:
            raise error("in an evaluation")
        return seen[-1][:2]

    monkeypatch.setattr(FullBatch, "evaluate", counted)
    model = logistic()
    with pytest.raises(error, match="in an evaluation"):
        fit_logistic(model)
    best = min(seen, key=lambda entry: entry[0])
    np.testing.assert_allclose(vector_of(model), best[2], rtol=1e-6)
    assert best[0] < seen[0][0]
    assert np.isfinite(model.fit(X, LABELS[:, None], verbose=0).history["loss"]).all()


def test_where_the_loss_ends_the_best_weights_are_kept():
    """sqrt(w) falls towards 0, and is nothing beyond."""

    class Root(layers.Layer):
        def build(self, shape):
            self.weight = self.add_weight(shape=(1,), initializer="ones")

        def call(self, x):
            return x * ops.sqrt(self.weight)

    model = keras.Sequential([keras.Input((1,)), Root()])
    found = fit_lbfgs(model, np.ones((4, 1)), np.zeros((4, 1)), loss=lambda y_true, y_pred: y_pred[:, 0], verbose=0)
    assert np.isfinite(found.objective)
    assert found.objective <= 1
    assert np.sqrt(vector_of(model)[0]) == pytest.approx(found.objective, abs=1e-6)


def test_without_scipy_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r'pip install "keras-tricks\[lbfgs\]"'):
        fit_logistic(logistic())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_iterations": 0}, "`max_iterations` must be an integer not below 1. Received: max_iterations=0"),
        ({"tolerance": 0.0}, "`tolerance` must be a number above 0. Received: tolerance=0.0"),
        ({"batch_size": 0}, "`batch_size` must be an integer not below 1. Received: batch_size=0"),
        ({"memory": 2.5}, "`memory` must be an integer not below 1. Received: memory=2.5"),
        ({"training": "no"}, "`training` must be one of True, False. Received: training='no'"),
        ({"loss": 3}, "`loss` must be one loss, .* Received: loss=3"),
        ({"sample_weight": np.ones(3)}, r"`x, y, sample_weight` must have as many samples .* Received: \[3, 240\]"),
        ({"loss": keras.losses.MeanSquaredError("sum"), "batch_size": 50}, "`batch_size` needs losses that are means"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_logistic(logistic(), **arguments)


def test_no_data_no_loss_no_weights_and_no_number_are_refused():
    with pytest.raises(ValueError, match="`x, y, sample_weight` must not be empty"):
        fit_lbfgs(logistic(), X[:0], LABELS[:0, None])
    with pytest.raises(ValueError, match="`model` must be compiled, or `loss` given"):
        fit_logistic(linear())
    frozen = logistic()
    frozen.trainable = False
    with pytest.raises(ValueError, match="`model` must have trainable weights"):
        fit_logistic(frozen)
    with pytest.raises(ValueError, match="`model` must give a finite loss at first"):
        fit_logistic(logistic(), sample_weight=np.full(COUNT, np.nan))
