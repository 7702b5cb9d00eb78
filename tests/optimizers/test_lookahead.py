import importlib

import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import SGD, AdamW, Lookahead
from tests.contracts.optimizer import (
    INNER,
    OptimizerContract,
    apply,
    assert_equal,
    bowl_gradients,
    bowl_variables,
    fit,
    numbers,
    small_model,
)


class TestLookahead(OptimizerContract):
    cls = Lookahead
    arguments = {"sync_period": 3, "slow_step_size": 0.9, "momentum": "pull"}
    switched_off = {"slow_step_size": 1.0}
    without_momentum = {"momentum": "keep"}
    bad_arguments = [("sync_period", 0), ("slow_step_size", 1.5), ("momentum", "drop")]

    def own(self, optimizer):
        return []  # the slow weights are taken with the first batch; for what they are later see the last line below

    def test_follows_a_schedule_in_the_inner_optimizer(self):
        self.arguments = self.arguments | {"momentum": "keep"}  # SGD has none here
        super().test_follows_a_schedule_in_the_inner_optimizer()

    @pytest.mark.parametrize("inner", INNER)
    @pytest.mark.parametrize(("momentum", "batches"), [("keep", 1), ("reset", 1), ("pull", 1), ("pull", 2)])
    def test_equals_the_paper_s_algorithm(self, inner, momentum, batches):
        accumulation = batches if batches > 1 else None
        optimizer = Lookahead(INNER[inner](gradient_accumulation_steps=accumulation), 3, 0.25, momentum)
        variables = bowl_variables()
        fast, reference = bowl_variables(), INNER[inner]()
        for variable in [*variables, *fast]:
            variable.assign(ops.ones(variable.shape))
        slow = numbers(fast)
        reference.build(fast)
        momenta = [v for v in reference.variables if v.name.endswith("momentum")]
        slow_momenta = numbers(momenta)
        assert len(momenta) == 2
        for update in range(1, 8):
            gradients = bowl_gradients(fast)
            for _ in range(batches):
                optimizer.apply(gradients, variables)
            reference.apply(gradients, fast)
            if update % 3 == 0:
                slow = [s + 0.25 * (f - s) for s, f in zip(slow, numbers(fast), strict=True)]
                for variable, value in zip(fast, slow, strict=True):
                    variable.assign(value)
                slow_momenta = [s + 0.25 * (m - s) for s, m in zip(slow_momenta, numbers(momenta), strict=True)]
                for variable, value in zip(momenta, slow_momenta, strict=True):
                    if momentum != "keep":
                        variable.assign(value if momentum == "pull" else 0 * value)
            assert_equal(numbers(variables), numbers(fast), rtol=1e-5)
            assert_equal(numbers(v for v in optimizer.own_variables if v.name.endswith("slow"))[:2], slow, rtol=1e-5)

    @pytest.mark.parametrize("inner", [lambda: SGD(0.1, momentum=0.9), lambda: AdamW(0.1)])
    def test_resets_the_momentum_of_our_own_optimizers_too(self, inner):
        variables, optimizer = bowl_variables(), Lookahead(inner(), 2, momentum="reset")
        means = []
        for _ in range(2):
            optimizer.apply(bowl_gradients(variables), variables)
            slots = getattr(optimizer.inner_optimizer, "velocities", None) or optimizer.inner_optimizer.means
            means.append(numbers(slots))
        assert np.abs(means[0][0]).min() > 0
        assert_equal(means[1], [np.zeros(v.shape) for v in variables])

    def test_refuses_several_replicas_where_no_branch_may_assign(self, monkeypatch, backend):
        if backend != "tensorflow":
            pytest.skip("replicas are TensorFlow's")
        module = importlib.import_module("keras_tricks.optimizers._tensorflow")
        model = small_model(Lookahead("sgd"))
        monkeypatch.setattr(module, "replicas", lambda: 2)
        with pytest.raises(NotImplementedError, match=r"at some updates only .* a strategy of 2 replicas"):
            fit(model)

    def test_without_a_momentum_there_is_nothing_to_reset(self):
        with pytest.raises(ValueError, match=r"`momentum` must be .keep. around .*momentum='reset'"):
            Lookahead(keras.optimizers.SGD(0.1), momentum="reset").build(bowl_variables())


def test_the_momentum_of_a_weight_that_is_a_number_is_reset_too():
    optimizer = Lookahead(keras.optimizers.SGD(0.1, momentum=0.9), sync_period=2, momentum="reset")
    variables = [keras.Variable(0.0, name="temperature")]
    for _ in range(2):
        apply(optimizer, [ops.convert_to_tensor(np.float32(1.0))], variables)
    assert [float(v) for v in numbers(optimizer.inner_optimizer.variables)[2:]] == [0.0]
