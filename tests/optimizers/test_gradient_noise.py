import keras
import numpy as np
import scipy.stats
from keras import ops

from keras_tricks.optimizers import Accumulate, GradientNoise
from tests.contracts.optimizer import OptimizerContract, assert_equal, bowl_variables, numbers, small_model
from tests.contracts.optimizer import fit as fit_model


def noise(optimizer: GradientNoise, shapes: list[tuple], updates: int) -> list[np.ndarray]:
    """What was added at each update, flat."""
    variables = [keras.Variable(np.zeros(shape, "float32"), name=f"w{i}") for i, shape in enumerate(shapes)]
    seen = []
    for _ in range(updates):
        before = np.concatenate([value.ravel() for value in numbers(variables)])
        optimizer.apply([ops.zeros(shape) for shape in shapes], variables)
        seen.append(before - np.concatenate([value.ravel() for value in numbers(variables)]))
    return seen


class TestGradientNoise(OptimizerContract):
    cls = GradientNoise
    arguments = {"eta": 1e-4, "gamma": 0.75, "seed": 1}
    switched_off = {"eta": 0.0}
    bad_arguments = [("eta", -1.0), ("gamma", -0.5), ("seed", -1), ("seed", 0.5)]

    def test_is_normal_and_its_variance_falls_by_the_formula(self):
        seen = noise(GradientNoise(keras.optimizers.SGD(1.0), eta=0.3, gamma=0.55, seed=3), [(100, 100)], 3)
        for update, values in enumerate(seen):
            deviation = np.sqrt(0.3 / (1 + update) ** 0.55)
            assert scipy.stats.kstest(values / deviation, "norm").pvalue > 1e-3
        assert abs(np.corrcoef(seen[0], seen[1])[0, 1]) < 0.05

    def test_the_numbers_are_these_on_every_backend(self):
        seen = noise(GradientNoise(keras.optimizers.SGD(1.0), eta=1.0, gamma=0.0, seed=7), [(2,), (1, 2)], 2)
        expected = [[-0.331067, -0.652174, -1.401812, -0.058714], [0.544908, -0.517153, 0.237737, -1.071027]]
        assert_equal(seen, expected, rtol=1e-5, atol=1e-6)

    def test_a_missing_gradient_leaves_the_others_noise_as_it_is(self):
        def moved(with_first):
            variables = bowl_variables()
            optimizer = GradientNoise(keras.optimizers.SGD(1.0), seed=1)
            optimizer.build(variables)
            gradients = [ops.zeros(v.shape) for v in variables]
            places = [0, 1] if with_first else [1]
            optimizer.apply([gradients[place] for place in places], [variables[place] for place in places])
            return numbers(variables)[1]

        assert_equal([moved(False)], [moved(True)])

    def test_the_batches_of_one_update_share_their_noise(self):
        one = GradientNoise(keras.optimizers.SGD(1.0, gradient_accumulation_steps=4), eta=1.0, seed=1)
        other = Accumulate(GradientNoise(keras.optimizers.SGD(1.0), eta=1.0, seed=1), steps=4)
        alone = GradientNoise(keras.optimizers.SGD(1.0), eta=1.0, seed=1)
        expected = noise(alone, [(5,)], 1)[0]
        for optimizer in (one, other):
            assert_equal([sum(noise(optimizer, [(5,)], 4))], [expected], rtol=1e-5)

    def test_without_a_seed_a_resumed_run_goes_on_with_its_own(self, tmp_path):
        model = small_model(GradientNoise(keras.optimizers.SGD(0.1)))
        fit_model(model)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        fit_model(model), fit_model(again)
        assert_equal(again.get_weights(), model.get_weights())
