import keras
import numpy as np

from keras_tricks.optimizers import SGD, bias_and_norm


def test_spares_biases_and_the_gains_and_shifts_of_norms():
    model = keras.Sequential(
        [
            keras.Input((6, 4)),
            keras.layers.Conv1D(3, 2),
            keras.layers.BatchNormalization(),
            keras.layers.GRU(2),  # its bias has two rows
            keras.layers.Dense(2),
        ]
    )
    spared = [variable.path.rpartition("/")[2] for variable in model.trainable_variables if bias_and_norm(variable)]
    kept = [variable.path.rpartition("/")[2] for variable in model.trainable_variables if not bias_and_norm(variable)]
    assert spared == ["bias", "gamma", "beta", "bias", "bias"]
    assert kept == ["kernel", "kernel", "recurrent_kernel", "kernel"]


def test_a_saved_optimizer_still_spares_them(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, bias_initializer="ones")])
    model.compile(SGD(0.1, weight_decay=0.5, decay="rate"), "mse")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.no_decay is bias_and_norm
    kernel, bias = again.get_weights()
    again.fit(np.zeros((2, 3)), again(np.zeros((2, 3))), verbose=0)
    np.testing.assert_allclose(again.get_weights()[0], kernel * 0.95, rtol=1e-6)
    np.testing.assert_array_equal(again.get_weights()[1], bias)


def test_loss_scaling_spares_them_too():
    keras.config.set_dtype_policy("mixed_float16")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, bias_initializer="ones")])
    model.compile(SGD(0.1, weight_decay=0.5, decay="rate"), "mse")
    kernel, bias = model.get_weights()
    model.fit(np.zeros((2, 3)), np.ones((2, 2)), verbose=0)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    np.testing.assert_allclose(model.get_weights()[0], kernel * 0.95, rtol=1e-6)
    np.testing.assert_array_equal(model.get_weights()[1], bias)


def test_spares_gains_and_shifts_of_several_axes():
    layer = keras.layers.LayerNormalization(axis=[1, 2])
    layer.build((None, 3, 4))
    assert [bias_and_norm(weight) for weight in layer.weights] == [True, True]
