"""What every optimizer must do, and every wrapper around any Keras optimizer."""

import importlib

import keras
import numpy as np
import pytest
from keras import ops

INNER = {
    "sgd": lambda **kwargs: keras.optimizers.SGD(0.1, momentum=0.5, **kwargs),
    "adam": lambda **kwargs: keras.optimizers.Adam(0.1, **kwargs),
    "adamw": lambda **kwargs: keras.optimizers.AdamW(0.1, weight_decay=0.01, **kwargs),
}
# Keras' other optimizers; each has slots, counters or shapes of its own.
OTHERS = ("adadelta", "adafactor", "adagrad", "adamax", "ftrl", "lion", "muon", "nadam", "rmsprop", "schedulefreeadamw")
WITHOUT_MOMENTUM = ("adadelta", "adafactor", "adagrad", "ftrl", "rmsprop")
TARGETS = [np.array([1.0, -2.0, 3.0], "float32"), np.array([[0.5], [4.0]], "float32")]
X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X[:, :1] - 2 * X[:, 1:2]


def bowl_variables() -> list[keras.Variable]:
    return [keras.Variable(np.zeros_like(target), name=f"w{index}") for index, target in enumerate(TARGETS)]


def bowl_gradients(variables: list[keras.Variable]) -> list:
    return [ops.convert_to_tensor(value - target) for value, target in zip(numbers(variables), TARGETS, strict=True)]


def numbers(variables) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(ops.convert_to_tensor(variable))) for variable in variables]


def apply(optimizer, gradients, variables: list[keras.Variable]) -> None:
    """As `optimizer.apply`, also for Keras' LossScaleOptimizer, which on JAX only has the stateless form."""
    if keras.backend.backend() != "jax":
        optimizer.apply(gradients, variables)
        return
    if not optimizer.built:
        optimizer.build(variables)
    state = [variable.value for variable in optimizer.variables]
    values, state = optimizer.stateless_apply(state, gradients, [variable.value for variable in variables])
    for variable, value in zip([*variables, *optimizer.variables], [*values, *state], strict=True):
        variable.assign(value)


def small_model(optimizer, build=True, **compile_arguments) -> keras.Model:
    """A model, and its optimizer built: TensorFlow traces a step twice, at each fit, in which variables are made."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            # No bias: before a BatchNormalization its gradient is rounding noise, which Adam would blow up.
            keras.layers.Dense(3, use_bias=False, name="first"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(1, name="last"),
        ]
    )
    model.compile(optimizer, "mse", **compile_arguments)
    if build:
        model.optimizer.build(model.trainable_variables)
    return model


def fit(model: keras.Model, epochs: int = 1, **arguments):
    return model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, **arguments)


def assert_equal(left, right, **tolerance) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or {"rtol": 0, "atol": 0}))


class AnyOptimizerContract:
    """What holds for wrappers and for our own optimizers alike."""

    def made(self, **keras_arguments):
        """The optimizer under test, with these arguments of `keras.optimizers.Optimizer`."""
        raise NotImplementedError

    @staticmethod
    def own(optimizer) -> list[keras.Variable]:
        """The variables that are to move once an update."""
        raise NotImplementedError

    def test_stateless_apply_equals_apply(self, backend):
        if backend == "tensorflow":
            pytest.skip("Keras has no stateless_apply on TensorFlow")
        stateful, variables = bowl_variables(), bowl_variables()
        one, other = self.made(), self.made()
        other.build(variables)
        values, state = [ops.copy(v.value) for v in variables], [ops.copy(v.value) for v in other.variables]
        for _ in range(3):
            values, state = other.stateless_apply(state, bowl_gradients(values), values)
            one.apply(bowl_gradients(stateful), stateful)
        assert_equal(numbers(values), numbers(stateful), rtol=1e-6)
        assert_equal(numbers(state), numbers(one.variables), rtol=1e-6)

    def test_a_loop_of_ones_own_is_traced_as_it_is_written(self, backend, caplog):
        if backend != "tensorflow":
            pytest.skip("only TensorFlow translates the code that it traces")
        tf = importlib.import_module("tensorflow")
        one, other = self.made(), self.made()
        traced, eager = bowl_variables(), bowl_variables()
        one.build(traced)

        @tf.function
        def step(gradients):
            one.apply(gradients, traced)

        logger = tf.get_logger()
        logger.addHandler(caplog.handler)
        try:
            for _ in range(3):
                step(bowl_gradients(traced))
                other.apply(bowl_gradients(eager), eager)
        finally:
            logger.removeHandler(caplog.handler)
        assert "AutoGraph" not in caplog.text
        assert_equal(numbers(traced), numbers(eager), rtol=1e-5, atol=1e-6)

    def test_two_and_two_resumed_epochs_equal_four(self, tmp_path):
        straight, stopped = small_model(self.made()), small_model(self.made())
        fit(straight, 4)
        fit(stopped, 2)
        stopped.save(tmp_path / "model.keras")
        resumed = keras.models.load_model(tmp_path / "model.keras")
        fit(resumed, 2)
        assert_equal(resumed.get_weights(), straight.get_weights())
        assert_equal(numbers(resumed.optimizer.variables), numbers(straight.optimizer.variables))

    def test_accepts_a_missing_gradient(self):
        variables, optimizer = bowl_variables(), self.made()
        gradients = bowl_gradients(variables)
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            optimizer.apply([None, gradients[1]], variables)
        assert_equal(numbers(variables[:1]), [np.zeros(3)])
        assert np.abs(numbers(variables)[1]).min() > 0

    def test_skips_the_steps_that_loss_scaling_skips(self):
        variables, optimizer = bowl_variables(), self.made()
        scaled = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0)
        apply(scaled, [2 * g for g in bowl_gradients(variables)], variables)
        before = numbers([*variables, *optimizer.variables])
        bad = bowl_gradients(variables)
        apply(scaled, [bad[0] * np.inf, bad[1]], variables)
        assert_equal(numbers([*variables, *optimizer.variables]), before)
        apply(scaled, bowl_gradients(variables), variables)
        assert np.abs(numbers(variables)[1] - before[1]).max() > 0

    def test_equals_itself_under_loss_scaling(self):
        scaled, plain = bowl_variables(), bowl_variables()
        one, other = keras.optimizers.LossScaleOptimizer(self.made()), self.made()
        one.build(scaled)
        for _ in range(3):
            apply(one, [one.scale_loss(g) for g in bowl_gradients(scaled)], scaled)
            other.apply(bowl_gradients(plain), plain)
        assert_equal(numbers(scaled), numbers(plain), rtol=1e-6)
        assert_equal(numbers(one.inner_optimizer.variables), numbers(other.variables), rtol=1e-6)

    def test_trains_and_resumes_under_mixed_float16(self, tmp_path):
        keras.config.set_dtype_policy("mixed_float16")
        model = small_model(self.made(), build=False)
        fit(model, 2)
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        assert_equal(numbers(again.optimizer.variables), numbers(model.optimizer.variables))
        fit(model), fit(again)
        assert_equal(again.get_weights(), model.get_weights())

    def test_counts_updates_and_not_batches_under_gradient_accumulation(self):
        accumulating, plain = bowl_variables(), bowl_variables()
        one, other = self.made(gradient_accumulation_steps=3), self.made()
        one.build(accumulating)
        for update in range(2):
            for batch in range(3):
                before = numbers([*accumulating, *self.own(one)])
                one.apply(bowl_gradients(plain), accumulating)
                if batch < 2:
                    assert_equal(numbers([*accumulating, *self.own(one)]), before)
            other.apply(bowl_gradients(plain), plain)
            assert int(numbers([one.iterations])[0]) == update + 1
            assert_equal(numbers(accumulating), numbers(plain), rtol=1e-5, atol=1e-6)
            assert_equal(numbers(self.own(one)), numbers(self.own(other)), rtol=1e-5, atol=1e-6)

    def test_weights_loaded_after_building_are_the_ones_it_starts_from(self):
        late, early = bowl_variables(), bowl_variables()
        one, other = self.made(), self.made()
        one.build(late)
        for variable in [*late, *early]:
            variable.assign(np.full(variable.shape, 7.0, "float32"))
        other.build(early)
        one.apply(bowl_gradients(late), late)
        other.apply(bowl_gradients(early), early)
        assert_equal(numbers([*late, *one.variables]), numbers([*early, *other.variables]))

    def test_compiled_fit_moves_the_weights_as_eager_steps_do(self, backend):
        jit = backend != "torch"  # torch's compiler takes half a minute: see the next test
        compiled = small_model(self.made(gradient_accumulation_steps=2), build=False, jit_compile=jit)
        eager = small_model(self.made(gradient_accumulation_steps=2), run_eagerly=True)
        fit(compiled, 2)
        fit(eager, 2)
        assert_equal(compiled.get_weights(), eager.get_weights(), rtol=1e-3, atol=1e-5)
        own, eager_own = self.own(compiled.optimizer), self.own(eager.optimizer)
        assert_equal(numbers(own), numbers(eager_own), rtol=1e-3, atol=1e-5)

    @pytest.mark.filterwarnings("ignore")  # torch's compiler warns of what it cannot look through
    @pytest.mark.usefixtures("tracing_compiler")
    def test_an_update_that_torch_traces_is_that_of_eager_steps(self, backend):
        if backend != "torch":
            pytest.skip("JAX and TensorFlow compile whole steps, as above, for which torch takes half a minute")
        traced, eager = bowl_variables(), bowl_variables()
        one, other = self.made(), self.made()
        one.build(traced)
        update = importlib.import_module("torch").compile(lambda gradients: one.apply(gradients, traced))
        for _ in range(3):
            update(bowl_gradients(traced))
            other.apply(bowl_gradients(eager), eager)
        assert_equal(numbers(traced), numbers(eager), rtol=1e-5, atol=1e-6)
        assert_equal(numbers(self.own(one)), numbers(self.own(other)), rtol=1e-5, atol=1e-6)


class OptimizerContract(AnyOptimizerContract):
    """For wrappers: inherit it, and fill in what is under test."""

    cls: type
    # Constructor arguments, besides `inner_optimizer`, in which every one differs from its default.
    arguments: dict = {}
    # Arguments under which the weights move exactly as without the wrapper.
    switched_off: dict = {}
    # What has to be otherwise around an optimizer that has no momentum.
    without_momentum: dict = {}
    # Pairs of a bad argument's name and value.
    bad_arguments: list[tuple] = []

    def make(self, inner_optimizer, **arguments):
        return self.cls(inner_optimizer, **(self.arguments | arguments))

    def made(self, **keras_arguments):
        return self.make(INNER["adamw"](**keras_arguments))

    @staticmethod
    def own(optimizer):
        return optimizer.own_variables

    @pytest.mark.parametrize("inner", INNER)
    def test_reaches_the_minimum_of_a_bowl(self, inner):
        variables, optimizer = bowl_variables(), self.make(INNER[inner]())
        optimizer.learning_rate = 0.3
        for step in range(120):
            optimizer.learning_rate = 0.3 * (1 - step / 120)
            optimizer.apply(bowl_gradients(variables), variables)
        assert_equal(numbers(variables), TARGETS, atol=0.06)

    @pytest.mark.parametrize("inner", INNER)
    def test_switched_off_the_weights_move_as_without_it(self, inner):
        wrapped, plain = bowl_variables(), bowl_variables()
        optimizer, reference = self.cls(INNER[inner](), **self.switched_off), INNER[inner]()
        for _ in range(5):
            optimizer.apply(bowl_gradients(wrapped), wrapped)
            reference.apply(bowl_gradients(plain), plain)
        assert_equal(numbers(wrapped), numbers(plain))

    @pytest.mark.parametrize("inner", OTHERS)
    def test_wraps_any_optimizer_of_keras(self, inner, tmp_path):
        wrapped, plain = bowl_variables(), bowl_variables()
        optimizer, reference = self.cls(inner, **self.switched_off), keras.optimizers.get(inner)
        for _ in range(3):
            optimizer.apply(bowl_gradients(wrapped), wrapped)
            reference.apply(bowl_gradients(plain), plain)
        assert_equal(numbers(wrapped), numbers(plain))
        arguments = self.without_momentum if inner in WITHOUT_MOMENTUM else {}
        model = small_model(self.make(inner, **arguments), run_eagerly=True)
        before = model.get_weights()
        fit(model)
        assert all(np.isfinite(weight).all() for weight in model.get_weights())
        assert any(np.abs(a - b).max() > 0 for a, b in zip(model.get_weights(), before, strict=True))
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        fit(model), fit(again)
        assert_equal(again.get_weights(), model.get_weights())
        assert_equal(numbers(again.optimizer.variables), numbers(model.optimizer.variables))

    def test_survives_a_round_trip_through_its_config(self):
        optimizer = self.make(keras.optimizers.SGD(0.25, momentum=0.75))
        config = keras.optimizers.serialize(optimizer)
        again = keras.optimizers.deserialize(config)
        assert type(again) is self.cls
        assert keras.optimizers.serialize(again) == config
        assert again.inner_optimizer.momentum == 0.75
        for name, value in self.arguments.items():
            assert getattr(again, name) == value

    def test_rejects_bad_arguments_by_name_and_value(self):
        for name, value in [("inner_optimizer", 7), *self.bad_arguments]:
            arguments = {"inner_optimizer": keras.optimizers.SGD()} | self.arguments | {name: value}
            with pytest.raises(ValueError, match=f"`{name}`") as caught:
                self.cls(**arguments)
            assert repr(value) in str(caught.value)

    def test_callbacks_set_the_learning_rate_of_the_inner_optimizer(self):
        model = small_model(self.make(INNER["sgd"]()))
        fit(model, 2, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))])
        assert float(numbers([model.optimizer.inner_optimizer.learning_rate])[0]) == 0.25
        plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=1e9)
        fit(model, 2, callbacks=[plateau])
        assert float(numbers([model.optimizer.inner_optimizer.learning_rate])[0]) == 0.125

    def test_follows_a_schedule_in_the_inner_optimizer(self):
        variables = bowl_variables()
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
        optimizer = self.make(keras.optimizers.SGD(schedule))
        for expected in (0.5, 0.5, 0.25):
            assert float(numbers([optimizer.learning_rate])[0]) == expected
            optimizer.apply(bowl_gradients(variables), variables)

    def test_wraps_itself(self):
        variables = bowl_variables()
        optimizer = self.make(self.make(INNER["sgd"](gradient_accumulation_steps=2)))
        for _ in range(2):
            optimizer.apply(bowl_gradients(variables), variables)
        assert int(numbers([optimizer.iterations])[0]) == 1
        assert len(optimizer.variables) == len({id(variable) for variable in optimizer.variables})
        assert_equal(numbers(optimizer.own_variables), numbers(optimizer.inner_optimizer.own_variables))
