"""What every layer must do that perturbs activations in training only."""

from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from keras import ops

from tests.running import to_numpy


class LayerContract:
    layer: ClassVar[type]
    arguments: ClassVar[dict[str, Any]]
    switched_off: ClassVar[dict[str, Any]]
    bad_arguments: ClassVar[list[tuple[str, Any]]]
    x: ClassVar[np.ndarray] = np.random.default_rng(0).normal(size=(16, 4, 5)).astype("float32")

    def make(self, **arguments) -> keras.layers.Layer:
        return self.layer(**(self.arguments | arguments))

    def model(self, **arguments) -> keras.Model:
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [keras.Input((4, 5)), keras.layers.Dense(6), self.make(**arguments), keras.layers.Dense(1)]
        )
        model.compile("sgd", "mse", jit_compile=keras.backend.backend() != "torch")
        return model

    @pytest.mark.parametrize("training", [False, None])
    def test_is_the_identity_at_inference(self, training):
        np.testing.assert_array_equal(to_numpy(self.make()(self.x, training=training)), self.x)

    def test_switched_off_is_the_identity_in_training(self):
        layer = self.make(**self.switched_off)
        np.testing.assert_array_equal(to_numpy(layer(self.x, training=True)), self.x)

    def test_keeps_the_expectation_in_training(self):
        layer = self.make(seed=1)
        ones = np.ones((4096, 3), "float32")
        mean = np.mean([to_numpy(layer(ones, training=True)).mean(-1) for _ in range(10)], axis=0)
        assert abs(mean.mean() - 1) < 5 * mean.std() / np.sqrt(len(mean))

    def test_the_next_call_differs_and_an_equal_seed_repeats(self):
        first, second = self.make(seed=3), self.make(seed=3)
        calls = [to_numpy(first(self.x, training=True)) for _ in range(2)]
        assert (calls[0] != calls[1]).any()
        np.testing.assert_array_equal(calls[0], to_numpy(second(self.x, training=True)))

    def test_passes_the_mask_on(self):
        layer = self.make()
        assert layer.supports_masking
        mask = ops.convert_to_tensor(np.array([[True, False]]))
        np.testing.assert_array_equal(to_numpy(layer.compute_mask(self.x[:1, :2], mask)), [[True, False]])
        inputs = keras.Input((6,))
        embedded = keras.layers.Embedding(5, 3, mask_zero=True)(inputs)
        pooled = keras.layers.GlobalAveragePooling1D()
        with_layer = keras.Model(inputs, pooled(self.make()(embedded)))
        without = keras.Model(inputs, pooled(embedded))
        ids = np.array([[1, 2, 0, 0, 0, 0], [3, 1, 4, 0, 0, 0]])
        np.testing.assert_array_equal(to_numpy(with_layer(ids)), to_numpy(without(ids)))

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
    def test_computes_in_the_dtype_of_its_policy_with_the_same_draws(self, policy):
        layer = self.make(seed=3, dtype=policy)
        result = layer(self.x, training=True)
        assert keras.backend.standardize_dtype(result.dtype) == layer.compute_dtype
        exact = to_numpy(self.make(seed=3)(self.x, training=True))
        np.testing.assert_allclose(to_numpy(result).astype("float32"), exact, rtol=2e-2, atol=1e-2)

    def test_has_the_shape_of_its_input(self):
        layer = self.make()
        assert tuple(layer.compute_output_shape((None, 4, 5))) == (None, 4, 5)
        assert layer(keras.KerasTensor((None, 4, 5)), training=True).shape == (None, 4, 5)

    def test_trains_in_a_compiled_fit_where_the_first_step_is_call_0(self):
        model = self.model(seed=3)
        targets = np.zeros((16, 4, 1), "float32")
        model.evaluate(self.x, targets, verbose=0)
        model.predict(self.x, verbose=0)
        layer = model.layers[1]
        assert layer.stream.state_to_save().tolist() == [3, 0]
        kernel = to_numpy(model.layers[0].kernel.value).copy()
        eager = self.make(seed=3)
        hidden = model.layers[0](self.x)
        expected = float(np.mean(to_numpy(model.layers[2](eager(hidden, training=True))) ** 2))
        history = model.fit(self.x, targets, batch_size=16, epochs=1, shuffle=False, verbose=0)
        assert history.history["loss"][0] == pytest.approx(expected, rel=1e-5)
        assert layer.stream.state_to_save().tolist() == [3, 1]
        assert np.abs(to_numpy(model.layers[0].kernel.value) - kernel).max() > 0

    def test_survives_a_round_trip_through_its_config_and_a_saved_file(self, tmp_path):
        model = self.model(seed=3)
        layer = model.layers[1]
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
        to_numpy(model(self.x, training=True))
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(to_numpy(loaded(self.x, training=True)), to_numpy(model(self.x, training=True)))

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in [*self.bad_arguments, ("seed", -1)]:
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                self.make(**{name: value})
            assert repr(value) in str(caught.value)
