import csv
import importlib
import types

import keras
import numpy as np
import pytest

from keras_tricks import optimizers, schedules
from keras_tricks.callbacks import LogHyperparameters
from tests.contracts.optimizer import fit, small_model

ONE_CYCLE = schedules.OneCycle(0.4, total_steps=8)


def moving():
    return optimizers.SGD(ONE_CYCLE, momentum=ONE_CYCLE.momentum(), weight_decay=0.25)


def test_the_history_has_the_numbers_of_each_epoch():
    sizes = types.SimpleNamespace(batch_size=8)
    history = fit(small_model(moving()), 3, callbacks=[LogHyperparameters(batch_size=sizes)]).history
    steps = np.array([2, 4, 6])  # two updates in an epoch
    np.testing.assert_allclose(history["learning_rate"], ONE_CYCLE(steps), rtol=1e-6)
    np.testing.assert_allclose(history["momentum"], ONE_CYCLE.momentum()(steps), rtol=1e-6)
    assert history["weight_decay"] == [0.25] * 3
    assert history["batch_size"] == [8] * 3
    assert "beta_1" not in history


def test_keras_optimizers_and_wrapped_ones_are_read_too():
    inner = keras.optimizers.AdamW(0.5, beta_1=0.75, weight_decay=0.125)
    history = fit(small_model(optimizers.WeightAverage(inner)), callbacks=[LogHyperparameters()]).history
    assert (history["learning_rate"], history["beta_1"], history["weight_decay"]) == ([0.5], [0.75], [0.125])
    assert "momentum" not in history


@pytest.mark.parametrize("every", [1, 2])
def test_the_steps_are_in_the_csv_file(tmp_path, every):
    path = tmp_path / "steps.csv"
    for _ in range(2):
        model = small_model(moving())
        fit(model, 2, callbacks=[LogHyperparameters(["learning_rate", "momentum"], csv=path, every=every)])
    with path.open() as file:
        rows = list(csv.DictReader(file))
    steps = [0, 1, 2, 3][::every] * 2
    assert [int(row["step"]) for row in rows] == steps
    np.testing.assert_allclose([float(row["learning_rate"]) for row in rows], ONE_CYCLE(np.array(steps)), rtol=1e-6)
    np.testing.assert_allclose(
        [float(row["momentum"]) for row in rows], ONE_CYCLE.momentum()(np.array(steps)), rtol=1e-6
    )


def test_the_steps_are_in_tensorboard_s_files(tmp_path):
    fit(small_model(moving()), 2, callbacks=[LogHyperparameters(["learning_rate"], tensorboard=tmp_path)])
    tf = importlib.import_module("tensorflow")
    (path,) = tmp_path.iterdir()
    seen = {}
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            seen[event.step] = float(tf.make_ndarray(value.tensor))
    np.testing.assert_allclose([seen[step] for step in range(4)], ONE_CYCLE(np.arange(4)), rtol=1e-6)


def test_rejects_bad_arguments_by_name_and_value():
    for name, value in (("names", "momentum"), ("names", [3]), ("batch_size", "8"), ("every", 0)):
        with pytest.raises(ValueError, match=f"`{name}`") as caught:
            LogHyperparameters(**{name: value})
        assert repr(value) in str(caught.value)
    with pytest.raises(ValueError, match=r"`names` must be attributes of SGD.*\['rho'\]"):
        fit(small_model(keras.optimizers.SGD(0.1)), callbacks=[LogHyperparameters(["rho"])])
