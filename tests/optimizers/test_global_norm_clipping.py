import keras
import numpy as np
import torch
from keras import ops

from keras_tricks.optimizers import GlobalNormClipping
from tests.contracts.optimizer import OptimizerContract, assert_equal, bowl_variables, fit, numbers, small_model

SHAPES = [(3, 4), (5,), ()]


class TestGlobalNormClipping(OptimizerContract):
    cls = GlobalNormClipping
    arguments = {"norm": 2.0}
    switched_off = {"norm": 1e30}
    own = staticmethod(lambda optimizer: [])  # the norm is that of each batch
    bad_arguments = [("norm", 0.0), ("norm", float("nan")), ("norm", "1")]

    def test_wraps_itself(self):
        variables = bowl_variables()
        inner = GlobalNormClipping(keras.optimizers.SGD(1.0), norm=5.0)
        optimizer = GlobalNormClipping(inner, norm=0.5)
        optimizer.apply([ops.zeros((3,)), ops.convert_to_tensor(np.array([[3.0], [4.0]], "float32"))], variables)
        assert_equal(numbers([optimizer.last_norm, inner.last_norm]), [5.0, 0.5], rtol=1e-6)
        assert_equal(numbers(variables)[1:], [[[-0.3], [-0.4]]], rtol=1e-6)

    def test_equals_torch_s_clip_grad_norm(self):
        generator = np.random.default_rng(0)
        for scale, limit in ((1.0, 0.7), (0.01, 0.7)):
            gradients = [(scale * generator.normal(size=shape)).astype("float32") for shape in SHAPES]
            parameters = [torch.nn.Parameter(torch.zeros(shape, device="cpu")) for shape in SHAPES]
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = torch.tensor(gradient, device="cpu")
            norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
            variables = [keras.Variable(np.zeros(shape, "float32")) for shape in SHAPES]
            optimizer = GlobalNormClipping(keras.optimizers.SGD(1.0), norm=limit)
            optimizer.apply([ops.convert_to_tensor(gradient) for gradient in gradients], variables)
            assert_equal(numbers(variables), [-p.grad.numpy() for p in parameters], rtol=1e-5)
            assert_equal(numbers([optimizer.last_norm]), [norm.numpy()], rtol=1e-6)

    def test_the_norm_is_seen_before_clipping_in_a_compiled_fit(self, backend):
        clipped = small_model(GlobalNormClipping(keras.optimizers.SGD(0.1), norm=1e-3), jit_compile=backend != "torch")
        before = clipped.get_weights()
        fit(clipped, 1)
        moved = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(before[:1], clipped.get_weights()[:1], strict=True)))
        assert moved <= 2 * 0.1 * 1e-3 * 1.001  # two updates of at most this length
        assert numbers([clipped.optimizer.last_norm])[0] > 0.1

    def test_a_gradient_that_is_not_finite_stays_so(self):
        variables, optimizer = bowl_variables(), GlobalNormClipping(keras.optimizers.SGD(1.0))
        optimizer.apply([ops.full((3,), np.inf), ops.ones((2, 1))], variables)
        assert not np.isfinite(numbers(variables)[0]).any()
