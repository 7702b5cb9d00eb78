"""What numbers the output units of each of Keras' layers, where it matters."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import AdaptiveClipping, DecoupledPenalty, GradientCentralization
from tests.contracts.optimizer import assert_equal, numbers, small_model

# The axes along which the weights of one unit lie; None for what has no units.
WITHIN = {
    "dense/kernel": (0,),
    "conv2d/kernel": (0, 1, 2),
    "depthwise_conv2d/kernel": (0, 1),
    "block1_dwconv/kernel": (0, 1),
    "conv_dw_3/kernel": (0, 1),
    "block_depthwise/kernel": (0, 1),
    "depthwise_separable_pointwise/kernel": (0, 1, 2),
    "block/query/kernel": (0, 1, 2),
    "block/key/kernel": (0, 1),
    "separable_conv2d/depthwise_kernel": (0, 1),
    "separable_conv2d/pointwise_kernel": (0, 1, 2),
    "conv2d_transpose/kernel": (0, 1, 3),
    "multi_head_attention/query/kernel": (0,),
    "multi_head_attention/query/bias": None,
    "multi_head_attention/attention_output/kernel": (0, 1),
    "lstm/lstm_cell/recurrent_kernel": (0,),
    "key/kernel": (0,),
    "depthwise_block/dense/kernel": (0,),
}


def variables_of_layers() -> dict[str, keras.Variable]:
    layers = keras.layers
    images, tokens = keras.Input((8, 8, 4)), keras.Input((5, 6))
    built = [
        layers.Conv2D(3, 2, name="conv2d"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise_conv2d"),
        layers.DepthwiseConv2D(3, name="block1_dwconv"),
        layers.DepthwiseConv2D(2, name="conv_dw_3"),
        layers.DepthwiseConv2D(3, name="block_depthwise"),
        layers.Conv2D(3, 1, name="depthwise_separable_pointwise"),
        keras.Sequential([layers.Conv2D(3, 1, name="query")], name="block"),
        layers.SeparableConv2D(5, 3, name="separable_conv2d"),
        layers.Conv2DTranspose(5, 3, name="conv2d_transpose"),
        keras.Sequential([layers.Dense(3, name="dense")], name="depthwise_block"),
    ]
    for layer in built:
        layer(images)
    attention = layers.MultiHeadAttention(2, 3, name="multi_head_attention")
    attention(tokens, tokens)
    others = [
        keras.Sequential([layers.Conv1D(3, 1, name="key")], name="block"),
        layers.Dense(7, name="dense"),
        layers.Dense(7, name="key"),
        layers.LSTM(3, name="lstm"),
    ]
    for layer in others:
        layer(tokens)
    found = {
        variable.path: variable for layer in [*built, attention, *others] for variable in layer.trainable_variables
    }
    return {name: found[name] for name in WITHIN}


def gradients_for(variables) -> list[np.ndarray]:
    generator = np.random.default_rng(2)
    return [generator.normal(1.0, size=variable.shape).astype("float32") for variable in variables]


def moved(wrapper, variables: list[keras.Variable], gradients) -> list[np.ndarray]:
    before = numbers(variables)
    wrapper.apply([ops.convert_to_tensor(gradient) for gradient in gradients], variables)
    return [a - b for a, b in zip(before, numbers(variables), strict=True)]


def test_the_mean_is_taken_out_of_each_unit():
    variables = variables_of_layers()
    gradients = gradients_for(variables.values())
    found = moved(GradientCentralization(keras.optimizers.SGD(1.0)), list(variables.values()), gradients)
    for within, gradient, step in zip(WITHIN.values(), gradients, found, strict=True):
        mean = 0 if within is None else gradient.mean(axis=within, keepdims=True)
        np.testing.assert_allclose(step, gradient - mean, atol=1e-5)


def test_each_unit_has_a_norm():
    variables = variables_of_layers()
    gradients, weights = gradients_for(variables.values()), numbers(variables.values())
    found = moved(AdaptiveClipping(keras.optimizers.SGD(1.0), 0.1, 0.01), list(variables.values()), gradients)
    for within, gradient, weight, step in zip(WITHIN.values(), gradients, weights, found, strict=True):
        own, size = (np.sqrt((value**2).sum(axis=within, keepdims=True)) for value in (gradient, weight))
        np.testing.assert_allclose(step, gradient * np.minimum(0.1 * np.maximum(size, 0.01) / own, 1), atol=1e-5)


def test_units_are_pushed_apart():
    variables = variables_of_layers()
    weights = numbers(variables.values())
    wrapper = DecoupledPenalty(keras.optimizers.SGD(1.0), "orthogonal", strength=1.0, pattern="")
    found = moved(wrapper, list(variables.values()), [np.zeros_like(weight) for weight in weights])
    for within, weight, step in zip(WITHIN.values(), weights, found, strict=True):
        if within is None:
            assert not step.any()
            continue
        units = [axis for axis in range(weight.ndim) if axis not in within]
        columns = np.moveaxis(weight, units, range(-len(units), 0))
        matrix = columns.reshape(-1, np.prod([weight.shape[axis] for axis in units]))
        slope = matrix @ (matrix.T @ matrix * (1 - np.eye(matrix.shape[1])))
        slope = np.moveaxis(slope.reshape(columns.shape), range(-len(units), 0), units)
        np.testing.assert_allclose(step, slope, atol=1e-5)


@pytest.mark.parametrize(("axes", "within"), [(0, (1, 2)), (-2, (0, 2)), ([0, 2], (1,)), ([0, 1, 2], ())])
def test_the_axes_of_layers_of_ones_own_are_said(axes, within):
    variable = keras.Variable(np.ones((2, 3, 4), "float32"), name="mine")
    gradient = gradients_for([variable])[0]
    wrapper = GradientCentralization(keras.optimizers.SGD(1.0), unit_axes={"mine": axes, "": -1})
    mean = gradient.mean(axis=within, keepdims=True) if within else 0
    assert_equal(moved(wrapper, [variable], [gradient]), [gradient - mean], atol=1e-6)


def test_a_weight_may_be_a_unit_of_its_own():
    variable = keras.Variable(np.array([[1.0, -2.0], [0.0, 4.0]], "float32"), name="scales")
    gradient = np.array([[1.0, 0.1], [1.0, -1.0]], "float32")
    wrapper = AdaptiveClipping(keras.optimizers.SGD(1.0), 0.1, 0.5, unit_axes={"scales": [0, 1]})
    assert_equal(moved(wrapper, [variable], [gradient]), [[[0.1, 0.1], [0.05, -0.4]]], atol=1e-6)


@pytest.mark.parametrize("wrapper", [AdaptiveClipping, GradientCentralization])
def test_unit_axes_are_checked_and_saved(wrapper):
    for bad in (3, {"kernel": "last"}, {"kernel": []}, {"(": 0}, {"kernel": [0.5]}, {"kernel": True}):
        with pytest.raises(ValueError, match="`unit_axes`"):
            wrapper("sgd", unit_axes=bad)
    with pytest.raises(ValueError, match=r"`unit_axes` must be found in the path.*kernle"):
        small_model(wrapper("sgd", unit_axes={"kernle": 0}))
    with pytest.raises(ValueError, match=r"`unit_axes` must be axes of .*first/kernel, of shape \(4, 3\).*2"):
        small_model(wrapper("sgd", unit_axes={"kernel": 2}))
    wrapped = wrapper("sgd", unit_axes={"kernel": (0, 1), "bias": 0})
    again = keras.optimizers.deserialize(keras.optimizers.serialize(wrapped))
    assert again.unit_axes == wrapped.unit_axes == {"kernel": [0, 1], "bias": [0]}
