"""What every optimizer of our own must do: its numbers move, and its update is that of its reference."""

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch
from keras import ops

from keras_tricks.optimizers import WeightAverage
from keras_tricks.schedules import Cosine, Join, Linear
from tests.contracts.optimizer import (
    TARGETS,
    AnyOptimizerContract,
    assert_equal,
    bowl_gradients,
    bowl_variables,
    fit,
    numbers,
    small_model,
)

SHAPES = [(3, 4), (4,), (2, 2, 3)]


def start() -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    return [generator.normal(size=shape).astype("float32") for shape in SHAPES]


def gradients_of(steps: int) -> list[list[np.ndarray]]:
    generator = np.random.default_rng(8)
    return [[generator.normal(size=shape).astype("float32") for shape in SHAPES] for _ in range(steps)]


def trajectory(optimizer: keras.optimizers.Optimizer, steps: int) -> list[np.ndarray]:
    """The weights after each update by the same gradients, flat."""
    variables = [keras.Variable(value, name=f"w{index}") for index, value in enumerate(start())]
    weights = []
    for gradients in gradients_of(steps):
        optimizer.apply([ops.convert_to_tensor(gradient) for gradient in gradients], variables)
        weights.append(np.concatenate([value.ravel() for value in numbers(variables)]))
    return weights


def torch_trajectory(
    make: Callable[[Any], torch.optim.Optimizer], steps: int, move: Callable[[dict[str, Any], int], None] | None = None
) -> list[np.ndarray]:
    """As `trajectory`, of torch's own; `move(group, step)` sets its numbers before each update."""
    variables = [torch.nn.Parameter(torch.tensor(value, device="cpu")) for value in start()]
    optimizer, weights = make(variables), []
    for step, gradients in enumerate(gradients_of(steps)):
        if move is not None:
            move(optimizer.param_groups[0], step)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.grad = torch.tensor(gradient, device="cpu")
        optimizer.step()
        weights.append(np.concatenate([variable.detach().numpy().ravel() for variable in variables]))
    return weights


def optax_trajectory(optimizer: optax.GradientTransformation, steps: int) -> list[np.ndarray]:
    """As `trajectory`, of optax."""
    weights, states = [jnp.asarray(value) for value in start()], []

    @jax.jit
    def update(gradients, state, weights):
        updates, state = optimizer.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state

    state = optimizer.init(weights)
    for gradients in gradients_of(steps):
        weights, state = update(gradients, state, weights)
        states.append(np.concatenate([np.asarray(value).ravel() for value in weights]))
    return states


class MovingOptimizerContract(AnyOptimizerContract):
    """Inherit it, and fill in what is under test."""

    cls: ClassVar[type]
    # Constructor arguments of which every one differs from its default; numbers only.
    arguments: ClassVar[dict[str, Any]]
    # The numbers that may move, beside the learning rate, each with two values.
    moving: ClassVar[dict[str, tuple[float, float]]]
    # The same for those that only move by a schedule.
    settings: ClassVar[dict[str, tuple[float, float]]] = {}
    bad_arguments: ClassVar[list[tuple[str, Any]]]

    def make(self, **arguments):
        return self.cls(**(self.arguments | arguments))

    def made(self, **keras_arguments):
        return self.make(**keras_arguments)

    @staticmethod
    def own(optimizer):
        return [v for v in optimizer.variables if v.name != "iteration" and "gradient_accumulator" not in v.name]

    def test_reaches_the_minimum_of_a_bowl(self):
        variables, optimizer = bowl_variables(), self.make(learning_rate=Linear(0.3, 150), weight_decay=0.0)
        for _ in range(150):
            optimizer.apply(bowl_gradients(variables), variables)
        assert_equal(numbers(variables), TARGETS, atol=0.06)

    def test_survives_a_round_trip_through_its_config(self):
        firsts = self._firsts() | {name: first for name, (first, _) in self.settings.items()}
        schedules = {name: Linear(value, 4, final=value / 2) for name, value in firsts.items()}
        for arguments in ({}, schedules):
            config = keras.optimizers.serialize(self.make(**arguments))
            again = keras.optimizers.deserialize(copy.deepcopy(config))
            assert type(again) is self.cls
            assert keras.optimizers.serialize(again) == config
        plain = self.make().get_config()
        assert {name: plain[name] for name in self.arguments} == self.arguments

    def _firsts(self) -> dict[str, float]:
        return {"learning_rate": 0.1} | {name: first for name, (first, _) in self.moving.items()}

    def test_rejects_bad_arguments_by_name_and_value(self):
        common = [
            ("learning_rate", -0.1),
            ("learning_rate", "fast"),
            ("weight_decay", -1.0),
            ("decay", "l2"),
            ("no_decay", 3),
            ("no_decay", "("),
            ("reference_rate", 0),
        ]
        for name, value in [*common, *self.bad_arguments]:
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                self.make(**{name: value})
            assert repr(value) in str(caught.value)

    def test_no_weight_decay_may_be_spelled_as_keras_does(self):
        assert self.make(weight_decay=None).get_config()["weight_decay"] == 0.0

    def test_a_schedule_that_stands_still_equals_a_number(self):
        moving = {name: Linear(value, 1, final=value) for name, (value, _) in self.moving.items()}
        fixed = {name: value for name, (value, _) in self.moving.items()}
        one, other = self.make(**moving), self.make(**fixed)
        assert_equal(trajectory(one, 5), trajectory(other, 5), rtol=1e-6)

    def test_numbers_that_follow_a_schedule_equal_numbers_that_a_callback_sets_in_a_compiled_fit(self, backend):
        class SetNumbers(keras.callbacks.Callback):
            def on_epoch_begin(callback, epoch, logs=None):  # noqa: N805 - `self` is the test
                for name, values in moving.items():
                    setattr(callback.model.optimizer, name, values[epoch])

        moving = self.moving | {"learning_rate": (0.1, 0.05)}
        schedules = {name: Join([(first, 2), (second, 2)]) for name, (first, second) in moving.items()}
        jit = backend != "torch"
        followed = small_model(self.make(**schedules), jit_compile=jit)
        was_set = small_model(self.make(**{name: first for name, (first, _) in moving.items()}), jit_compile=jit)
        stayed = small_model(self.make(**{name: first for name, (first, _) in moving.items()}), jit_compile=jit)
        for model, callbacks in ((followed, []), (was_set, [SetNumbers()]), (stayed, [])):
            fit(model, 2, callbacks=callbacks)
        assert_equal(followed.get_weights(), was_set.get_weights(), rtol=1e-4, atol=1e-6)
        for name, (_, second) in moving.items():
            assert float(numbers([getattr(followed.optimizer, name)])[0]) == pytest.approx(second)
            assert float(numbers([getattr(was_set.optimizer, name)])[0]) == pytest.approx(second)
        assert np.abs(stayed.get_weights()[0] - was_set.get_weights()[0]).max() > 1e-4

    def test_schedules_advance_once_per_update_under_accumulation(self):
        schedules = {name: Linear(first, 3, final=second) for name, (first, second) in self.moving.items()}
        schedules["learning_rate"] = Cosine(0.1, total_steps=4)
        one, other = self.make(gradient_accumulation_steps=3, **schedules), self.make(**schedules)
        accumulating, plain = bowl_variables(), bowl_variables()
        for _ in range(3):
            for _ in range(3):
                one.apply(bowl_gradients(plain), accumulating)
            other.apply(bowl_gradients(plain), plain)
            assert_equal(numbers(accumulating), numbers(plain), rtol=1e-5, atol=1e-6)
            for name in schedules:
                assert_equal(numbers([getattr(one, name)]), numbers([getattr(other, name)]))

    def test_a_number_may_be_set_but_not_over_a_schedule_or_out_of_range(self):
        for name, (first, second) in self.moving.items():
            optimizer = self.make(**{name: first})
            setattr(optimizer, name, second)
            assert optimizer.get_config()[name] == second
            with pytest.raises(ValueError, match=f"`{name}`.*-1"):
                setattr(optimizer, name, -1.0)
            with pytest.raises(TypeError, match=f"`{name}` follows a schedule.*0.5"):
                setattr(self.make(**{name: Linear(first, 3)}), name, 0.5)
            with pytest.raises(ValueError, match=f"`{name}` was 0"):
                setattr(self.made_without(name), name, first)

    def made_without(self, name: str):
        return self.make(**{name: 0.0})

    def test_follows_a_learning_rate_that_callbacks_set(self):
        model = small_model(self.make())
        fit(model, 2, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))])
        assert float(numbers([model.optimizer.learning_rate])[0]) == 0.25

    @pytest.mark.parametrize("decay", ["rate", "paper"])
    def test_decoupled_decay_shrinks_what_it_does_not_spare(self, decay):
        variables = [keras.Variable(value, name=name) for value, name in zip(start(), "abc", strict=True)]
        schedule = Linear(0.2, 4)
        options = {"decay": decay, "no_decay": "c$", "weight_decay": 0.5}
        optimizer = self.make(learning_rate=schedule, reference_rate=None, **options)
        for _ in range(2):
            optimizer.apply([ops.zeros(shape) for shape in SHAPES], variables)
        left = (1 - 0.5 * 0.2) * (1 - 0.5 * 0.15) if decay == "rate" else (1 - 0.5) * (1 - 0.5 * 0.75)
        expected = [start()[0] * left, start()[1] * left, start()[2]]
        assert_equal(numbers(variables), expected, rtol=1e-5)

    def test_the_paper_s_decay_is_relative_to_the_rate_that_is_named_or_the_peak(self):
        foreign = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        with pytest.raises(ValueError, match="`reference_rate`"):
            self.make(learning_rate=foreign, decay="paper", reference_rate=None)
        assert self.make(learning_rate=foreign, decay="paper", reference_rate=0.3).reference_rate == 0.3
        lowered = self.make(learning_rate=0.2, decay="paper", reference_rate=None)
        lowered.learning_rate = 0.02
        assert keras.optimizers.deserialize(keras.optimizers.serialize(lowered)).reference_rate == 0.2

    def test_clips_averages_and_constrains_as_keras_does(self):
        clipped, free = self.make(global_clipnorm=1e-3), self.make()
        one, other = bowl_variables(), bowl_variables()
        gradients = bowl_gradients(one)
        norm = np.sqrt(sum((value**2).sum() for value in numbers(gradients)))
        clipped.apply(gradients, one)
        free.apply([gradient * (1e-3 / norm) for gradient in gradients], other)
        assert_equal(numbers(one), numbers(other), rtol=1e-4)
        variable = keras.Variable(np.ones(2, "float32"))
        variable.constraint = keras.constraints.NonNeg()
        self.make(learning_rate=10.0).apply([ops.ones((2,))], [variable])
        assert_equal(numbers([variable]), [np.zeros(2)])
        averaged, weights = self.make(use_ema=True, ema_momentum=0.5), bowl_variables()
        seen = []
        for _ in range(2):
            averaged.apply(bowl_gradients(weights), weights)
            seen.append(numbers(weights))
        averaged.finalize_variable_values(weights)
        assert_equal(numbers(weights), [(a + b) / 2 for a, b in zip(*seen, strict=True)], rtol=1e-6)

    def test_moves_16_bit_weights_with_slots_in_32(self):
        variable = keras.Variable(np.ones(4), dtype="bfloat16", name="w")
        wide = keras.Variable(np.ones(4), dtype="float32", name="w")
        one, other = self.make(weight_decay=0.1, no_decay=None), self.make(weight_decay=0.1, no_decay=None)
        for _ in range(3):
            one.apply([ops.ones((4,), "bfloat16")], [variable])
            other.apply([ops.ones((4,))], [wide])
        assert variable.dtype == "bfloat16"
        assert {slot.dtype for slot in self.own(one)} == {"float32"}
        assert_equal(numbers([ops.cast(variable.value, "float32")]), numbers([wide]), atol=0.02)

    def test_an_average_around_it_follows_its_weights(self):
        variables, alone = bowl_variables(), bowl_variables()
        wrapped, plain = WeightAverage(self.make()), self.make()
        for _ in range(3):
            wrapped.apply(bowl_gradients(variables), variables)
            plain.apply(bowl_gradients(alone), alone)
        assert_equal(numbers(variables), numbers(alone), rtol=1e-6)
        assert int(numbers([wrapped.updates])[0]) == 3

    def test_takes_the_sparse_gradients_of_an_embedding(self):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Embedding(6, 2), keras.layers.Flatten()])
        model.compile(self.make(weight_decay=0.0), "mse")
        before = model.get_weights()[0]
        model.fit(np.array([[0, 1, 1]] * 4), np.zeros((4, 6)), verbose=0)
        moved = np.abs(model.get_weights()[0] - before).max(axis=1)
        assert (moved[:2] > 0).all()
        assert_equal([moved[2:]], [np.zeros(4)])

    def test_a_number_that_was_set_to_0_is_saved_and_loaded(self, tmp_path):
        moving = {name: first for name, (first, _) in self.moving.items()}
        model = small_model(self.make(**moving))
        for name in moving:
            fit(model)
            setattr(model.optimizer, name, 0.0)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        assert_equal(numbers(again.optimizer.variables), numbers(model.optimizer.variables))
        assert [float(numbers([getattr(again.optimizer, name)])[0]) for name in moving] == [0.0] * len(moving)
        fit(model), fit(again)
        assert_equal(again.get_weights(), model.get_weights())

    def test_a_number_is_set_from_another_optimizer_s_and_does_not_take_its_variable(self):
        for name, (first, second) in self.moving.items():
            one, other = self.make(**{name: first}), self.make(**{name: second})
            count = len(one.variables)
            setattr(one, name, getattr(other, name))
            assert one.get_config()[name] == second
            assert len(one.variables) == count

    def test_a_schedule_of_python_numbers_moves_as_well(self):
        @keras.saving.register_keras_serializable(package="tests")
        class Constant(keras.optimizers.schedules.LearningRateSchedule):
            def __init__(self, value):
                self.value = value

            def __call__(self, step):
                return self.value

            def get_config(self):
                return {"value": self.value}

        fixed = {name: first for name, (first, _) in self.moving.items()}
        one = self.make(**{name: Constant(value) for name, value in fixed.items()})
        assert_equal(trajectory(one, 3), trajectory(self.make(**fixed), 3), rtol=1e-6)

    def test_gradients_of_any_layout_are_read_right(self):
        plain, turned = ([keras.Variable(np.zeros((2, 3), "float32"), name="w")] for _ in range(2))
        one, other = self.make(), self.make()
        gradient = np.arange(6.0, dtype="float32").reshape(3, 2) + 1
        for _ in range(3):
            one.apply([ops.transpose(ops.convert_to_tensor(gradient))], turned)
            other.apply([ops.convert_to_tensor(gradient.T.copy())], plain)
        assert_equal(numbers(turned), numbers(plain), rtol=1e-6)

    def test_keras_way_to_exclude_from_decay_works(self):
        variables = [keras.Variable(np.ones((2, 2), "float32"), name=name) for name in ("kept", "spared", "listed")]
        optimizer = self.make(learning_rate=0.1, weight_decay=0.5, decay="rate", no_decay=None)
        optimizer.exclude_from_weight_decay(var_list=variables[2:], var_names=["spare"])
        optimizer.apply([ops.zeros((2, 2))] * 3, variables)
        assert_equal(numbers(variables), [np.full((2, 2), 0.95), np.ones((2, 2)), np.ones((2, 2))], rtol=1e-6)
        with pytest.raises(ValueError, match="before the optimizer is built"):
            optimizer.exclude_from_weight_decay(var_names=["kept"])

    def test_a_schedule_that_leaves_the_range_is_refused(self):
        for name in self.moving:
            if name != "weight_decay":
                with pytest.raises(ValueError, match=f"`{name}` must be a schedule that stays below 1"):
                    self.make(**{name: Linear(0.5, 10, final=1.0)})


class SettingsContract:
    """Beside `MovingOptimizerContract`, for optimizers of which some numbers only move by a schedule."""

    def test_what_only_moves_by_a_schedule_follows_it_in_a_compiled_fit(self, backend):
        schedules = {name: Join([(first, 2), (second, 2)]) for name, (first, second) in self.settings.items()}
        stayed = small_model(self.make(**{name: first for name, (first, _) in self.settings.items()}))
        compiled = small_model(self.make(**schedules), jit_compile=backend != "torch")
        eager = small_model(self.make(**schedules), run_eagerly=True)
        for model in (compiled, eager, stayed):
            fit(model)
        assert_equal(compiled.get_weights(), stayed.get_weights(), rtol=1e-4, atol=1e-6)
        for model in (compiled, eager, stayed):
            fit(model)
        assert np.abs(compiled.get_weights()[0] - stayed.get_weights()[0]).max() > 1e-4
        assert_equal(compiled.get_weights(), eager.get_weights(), rtol=1e-3, atol=1e-5)
        for name, (_, second) in self.settings.items():
            assert float(ops.convert_to_numpy(getattr(compiled.optimizer, name))) == pytest.approx(second)
            with pytest.raises(TypeError, match=f"`{name}` follows a schedule.*0.5"):
                setattr(compiled.optimizer, name, 0.5)
