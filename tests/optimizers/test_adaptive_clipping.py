import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import AdaptiveClipping, GradientCentralization
from tests.contracts.optimizer import OptimizerContract, assert_equal, numbers, small_model

SHAPES = [(4, 3), (2, 2, 3, 5), (6,), ()]


class TestAdaptiveClipping(OptimizerContract):
    cls = AdaptiveClipping
    arguments = {"clipping": 0.5, "epsilon": 1.0, "exclude": ["w0", "gamma"]}
    switched_off = {"clipping": 1e30}
    bad_arguments = [("clipping", 0.0), ("clipping", "strong"), ("epsilon", -1.0), ("exclude", 3)]


def clipped(gradient: np.ndarray, weight: np.ndarray, clipping: float, epsilon: float) -> np.ndarray:
    """The paper's rule, unit by unit."""
    if gradient.ndim < 2:
        limit, norm = clipping * max(np.linalg.norm(weight), epsilon), np.linalg.norm(gradient)
        return gradient * limit / norm if norm > limit else gradient
    units = [clipped(gradient[..., i].ravel(), weight[..., i].ravel(), clipping, epsilon)
             for i in range(gradient.shape[-1])]  # fmt: skip
    return np.stack([unit.reshape(gradient.shape[:-1]) for unit in units], axis=-1)


def test_equals_the_paper_s_rule_for_each_unit():
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=shape).astype("float32") for shape in SHAPES]
    weights[0][:, 1] = 0.0  # a unit at 0: its limit is clipping * epsilon
    gradients = [(weight * 0 + generator.normal(size=weight.shape) * scale).astype("float32")
                 for weight, scale in zip(weights, (0.2, 0.02, 1.0, 0.001), strict=True)]  # fmt: skip
    variables = [keras.Variable(weight) for weight in weights]
    optimizer = AdaptiveClipping(keras.optimizers.SGD(1.0), clipping=0.1, epsilon=0.01)
    optimizer.apply([ops.convert_to_tensor(gradient) for gradient in gradients], variables)
    expected = [clipped(g, w, 0.1, 0.01) for g, w in zip(gradients, weights, strict=True)]
    assert any((a != b).any() for a, b in zip(expected, gradients, strict=True))
    assert_equal(numbers(variables), [w - e for w, e in zip(weights, expected, strict=True)], rtol=1e-5, atol=1e-6)


def test_weights_at_0_move_and_the_head_is_left_alone():
    variables = [keras.Variable(np.zeros((2, 1), "float32"), name=name) for name in ("body", "head")]
    optimizer = AdaptiveClipping(keras.optimizers.SGD(1.0), clipping=0.1, epsilon=0.5, exclude="head")
    optimizer.apply([ops.ones((2, 1))] * 2, variables)
    assert_equal(numbers(variables), [-np.full((2, 1), 0.05 / np.sqrt(2)), -np.ones((2, 1))], rtol=1e-6)


def test_no_gradient_is_no_division_by_0():
    variable = keras.Variable(np.ones((2, 2), "float32"))
    AdaptiveClipping(keras.optimizers.SGD(1.0)).apply([ops.zeros((2, 2))], [variable])
    assert_equal(numbers([variable]), [np.ones((2, 2))])


@pytest.mark.parametrize("wrapper", [AdaptiveClipping, GradientCentralization])
def test_a_pattern_that_is_misspelled_is_an_error(wrapper):
    with pytest.raises(ValueError, match=r"`exclude` must be found in the path of a variable.*haed"):
        small_model(wrapper("sgd", exclude="haed"))
