import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks.optimizers import SGD, AdamW, GradualUnfreezing
from tests.contracts.optimizer import (
    INNER,
    OptimizerContract,
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
