import keras
import numpy as np
from keras import ops

from keras_tricks.optimizers import GradientCentralization
from tests.contracts.optimizer import OptimizerContract, assert_equal, numbers


class TestGradientCentralization(OptimizerContract):
    cls = GradientCentralization
    arguments = {"exclude": ["w1", "bias"]}  # it could not reach the minimum
    switched_off = {"exclude": "w"}
    bad_arguments = [("exclude", 3), ("exclude", "("), ("exclude", [1])]


def test_each_output_unit_s_gradient_has_no_mean():
    shapes = [(4, 3), (2, 2, 3, 5), (6,), ()]
    generator = np.random.default_rng(0)
    gradients = [generator.normal(size=shape).astype("float32") for shape in shapes]
    variables = [keras.Variable(np.zeros(shape, "float32")) for shape in shapes]
    optimizer = GradientCentralization(keras.optimizers.SGD(1.0))
    optimizer.apply([ops.convert_to_tensor(gradient) for gradient in gradients], variables)
    expected = [-(gradients[0] - gradients[0].mean(axis=0)), -(gradients[1] - gradients[1].mean(axis=(0, 1, 2)))]
    assert_equal(numbers(variables), [*expected, -gradients[2], -gradients[3]], atol=1e-6)


def test_what_is_excluded_keeps_its_mean():
    head, body = (keras.Variable(np.zeros((2, 1), "float32"), name=name) for name in ("head", "body"))
    optimizer = GradientCentralization(keras.optimizers.SGD(1.0), exclude=lambda variable: variable.name == "head")
    optimizer.apply([ops.ones((2, 1))] * 2, [head, body])
    assert_equal(numbers([head, body]), [-np.ones((2, 1)), np.zeros((2, 1))])
