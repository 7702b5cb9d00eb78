import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import SGD, AdamW, DecoupledPenalty, GradualUnfreezing, SwitchOptimizer
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

OURS = {
    "our sgd": lambda **k: SGD(0.1, momentum=0.5, weight_decay=0.1, no_decay=None, **k),
    "our adamw": lambda **k: AdamW(0.1, no_decay=None, **k),
}


class TestGradualUnfreezing(OptimizerContract):
    cls = GradualUnfreezing
    arguments = {"stages": [("w0|kernel", 2)], "rise": 1}
    switched_off = {"stages": []}
    bad_arguments = [("stages", 3), ("stages", [("w0", -1)]), ("stages", ["w0"]), ("rise", -1)]

    def test_accepts_a_missing_gradient(self):
        variables, optimizer = bowl_variables(), self.made()
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            optimizer.apply([None, bowl_gradients(variables)[1]], variables)
        assert np.abs(numbers(variables)[1]).min() > 0

    @pytest.mark.parametrize("inner", INNER | OURS)
    @pytest.mark.parametrize("accumulation", [None, 2])
    def test_a_part_thaws_exactly_when_its_update_has_come_with_slots_as_new(self, inner, accumulation):
        """Against one that trains all from the start, and has everything of the frozen part put back each time."""
        make = (INNER | OURS)[inner]
        variables, reference = bowl_variables(), bowl_variables()
        for variable in [*variables, *reference]:
            variable.assign(ops.ones(variable.shape))
        optimizer = GradualUnfreezing(make(gradient_accumulation_steps=accumulation), [("w0", 3)])
        plain = make(gradient_accumulation_steps=accumulation)
        plain.build(reference)
        own = [reference[0], *(v for v in plain.variables if v.name.startswith("w0_"))]
        as_new = numbers(own)
        for update in range(6):
            gradients = bowl_gradients(reference)
            for _ in range(accumulation or 1):
                optimizer.apply(gradients, variables)
                plain.apply(gradients, reference)
                if update < 3:
                    for variable, value in zip(own, as_new, strict=True):
                        variable.assign(value)
            assert_equal(numbers(variables), numbers(reference))
            assert_equal(numbers(optimizer.inner_optimizer.variables), numbers(plain.variables))
            moved = np.abs(numbers(variables)[0] - 1).max() > 0
            assert moved == (update >= 3)

    def test_thaws_layer_by_layer_inside_one_compiled_fit(self, backend):
        class Watch(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                seen.append(numbers(self.model.trainable_variables))

        # Two updates an epoch: the last layer trains alone, then the normalisation, then the first layer too.
        stages = [("norm/", 2), ("first/", 4)]
        model = small_model(GradualUnfreezing(keras.optimizers.AdamW(0.1), stages), jit_compile=backend != "torch")
        seen = [numbers(model.trainable_variables)]
        fit(model, 3, callbacks=[Watch()])
        names = ["first/kernel", "norm/gamma", "norm/beta", "last/kernel", "last/bias"]
        moved = [[bool((a != b).any()) for a, b in zip(*pair, strict=True)] for pair in itertools.pairwise(seen)]
        assert [v.path.endswith(name) for v, name in zip(model.trainable_variables, names, strict=True)] == [True] * 5
        assert moved == [[False, False, False, True, True], [False, True, True, True, True], [True] * 5]

    def test_the_first_steps_of_a_thawed_part_rise(self):
        variables = bowl_variables()
        optimizer = GradualUnfreezing(keras.optimizers.SGD(1.0), [("w0", 1)], rise=3)
        steps = []
        for _ in range(6):
            before = numbers(variables)[0]
            optimizer.apply([ops.ones(v.shape) for v in variables], variables)
            steps.append((before - numbers(variables)[0])[0])
        np.testing.assert_allclose(steps, [0, 0.25, 0.5, 0.75, 1, 1], rtol=1e-6)

    def test_a_pattern_that_is_misspelled_is_an_error(self):
        with pytest.raises(ValueError, match=r"`stages` must be a regular expression.*'\('"):
            GradualUnfreezing("sgd", [("(", 1)])
        with pytest.raises(ValueError, match=r"`stages` must be found in the path .*'stem'"):
            GradualUnfreezing("sgd", [("stem", 1)]).build(bowl_variables())


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_second_of_two_optimizers_has_fresh_slots_too(momentum):
    inner = SwitchOptimizer("sgd", keras.optimizers.SGD(1.0, momentum=momentum), at=1)
    optimizer = GradualUnfreezing(inner, [("w0", 4)])
    variables = [keras.Variable(0.0, name=name) for name in ("w0", "w1")]
    one = ops.convert_to_tensor(np.float32(1.0))
    for _ in range(4):
        apply(optimizer, [one, one], variables)
    assert numbers(variables)[0] == 0.0
    apply(optimizer, [one, one], variables)
    assert numbers(variables)[0] == -1.0


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("name", ["adadelta", "adafactor", "adagrad", "adamax", "ftrl", "lion", "nadam", "rmsprop"])
def test_what_is_frozen_is_as_without_a_gradient_whatever_trains(name):
    frozen, plain = GradualUnfreezing(keras.optimizers.get(name), [("w0", 9)]), keras.optimizers.get(name)
    some, others = ([keras.Variable(np.ones((2, 3), "float32"), name=n) for n in ("w0", "w1")] for _ in range(2))
    gradient = ops.convert_to_tensor(np.arange(-2, 4).reshape(2, 3).astype("float32"))
    for _ in range(3):
        apply(frozen, [gradient, gradient], some)
        apply(plain, [None, gradient], others)
    assert_equal(numbers(some), numbers(others), rtol=1e-6)
    assert_equal(numbers(frozen.inner_optimizer.variables), numbers(plain.variables), rtol=1e-6)


def test_rows_and_columns_of_adafactor_wait():
    optimizer = GradualUnfreezing(keras.optimizers.Adafactor(0.1), [("w0", 3)])
    variables = [keras.Variable(np.ones((2, 3), "float32"), name=name) for name in ("w0", "w1")]
    gradients = [ops.convert_to_tensor(np.full((2, 3), 2.0, "float32"))] * 2
    optimizer.build(variables)
    slots = [slot for slot in optimizer.inner_optimizer.variables if len(slot.shape)]
    for _ in range(3):
        apply(optimizer, gradients, variables)
    assert_equal(numbers(variables)[:1], [np.ones((2, 3))])
    assert [bool((value != 0).any()) for value in numbers(slots)] == [False] * 3 + [True] * 3


def test_a_penalty_around_it_leaves_what_is_frozen_and_rises_with_the_rest():
    frozen = GradualUnfreezing(keras.optimizers.SGD(0.1), [("w0", 2)], rise=1)
    optimizer = DecoupledPenalty(frozen, keras.regularizers.L1(1.0), strength=0.5, pattern="w")
    variables = [keras.Variable(1.0, name=name) for name in ("w0", "w1")]
    none, seen = ops.convert_to_tensor(np.float32(0.0)), []
    for _ in range(4):
        apply(optimizer, [none, none], variables)
        seen.append(numbers(variables))
    assert_equal([seen], [[[1, 0.95], [1, 0.9], [0.975, 0.85], [0.925, 0.8]]], rtol=1e-6)
