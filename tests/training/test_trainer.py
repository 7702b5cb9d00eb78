import json
import os
import signal
import threading

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_tricks as kt
from tests.contracts.callback import RawWeights
from tests.optimizers.test_weight_average import exponential_average
from tests.running import BACKEND, to_numpy

COUNT, CLASSES = 48, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 10, 8, 3)).astype("uint8")
LABELS = np.arange(COUNT) % CLASSES


def make_model(**changes) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((10, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(CLASSES),
        ],
        **changes,
    )


def compile_model(model: keras.Model, **changes) -> keras.Model:
    loss = kt.losses.Crossentropy(from_logits=True)
    model.compile(
        **{"optimizer": keras.optimizers.Adam(0.01), "loss": loss, "metrics": [kt.metrics.Accuracy()]} | changes
    )
    return model


def make_trainer(*augment, **changes) -> kt.Trainer:
    return compile_model(kt.Trainer(make_model(), augment=augment, seed=5), **changes)


def fit(model: keras.Model, **changes) -> dict[str, list[float]]:
    keras.utils.set_random_seed(2)
    arguments = {"x": IMAGES, "y": LABELS, "epochs": 2, "batch_size": 16, "verbose": 0} | changes
    return model.fit(**arguments).history


def assert_equal_weights(one, other, **tolerance) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, **({"rtol": 1e-5, "atol": 1e-6} | tolerance))


STEPS = {"steps_per_execution": 2} if BACKEND != "torch" else {}  # Keras' torch backend takes 1 alone


@pytest.mark.parametrize(
    ("compiled", "fitted"),
    [
        ({}, {"validation_data": (IMAGES, LABELS)}),
        ({}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5, 3: 1.0}}),
        ({"weighted_metrics": ["mae"]}, {"sample_weight": np.linspace(0, 2, COUNT), "y": np.eye(CLASSES)[LABELS]}),
        (STEPS, {"validation_split": 0.25}),
        ({"run_eagerly": True}, {}),
        ({"jit_compile": BACKEND != "torch"}, {}),  # torch.compile takes half a minute
    ],
)
def test_without_augmentation_the_curve_is_the_plain_models(compiled, fitted):
    plain = fit(compile_model(make_model(), **compiled), **fitted)
    wrapped = fit(make_trainer(**compiled), **fitted)
    assert plain.keys() == wrapped.keys()
    for name, curve in plain.items():
        np.testing.assert_allclose(wrapped[name], curve, rtol=1e-5)


def test_the_wrapped_model_is_the_one_that_is_trained():
    trainer = make_trainer(kt.augment.MixUp(0.2, num_classes=CLASSES))
    before = trainer.model.get_weights()
    fit(trainer)
    assert any((one != two).any() for one, two in zip(before, trainer.model.get_weights(), strict=True))
    np.testing.assert_array_equal(trainer.predict(IMAGES, verbose=0), trainer.model.predict(IMAGES, verbose=0))


def test_training_equals_training_on_batches_augmented_before():
    """Step by step the batches are those of `Sequence` with the same members."""
    members = [
        kt.augment.RandomFlip(seed=1),
        kt.augment.RandomCrop(padding=2),
        kt.augment.MixUp(0.4, num_classes=CLASSES),
    ]
    chain = kt.augment.Sequence(members, seed=5)
    # SGD, because Adam blows the rounding of a gradient of almost nothing up to a full step
    plain = compile_model(make_model(), optimizer=keras.optimizers.SGD(0.1))
    trainer = make_trainer(*members, optimizer=keras.optimizers.SGD(0.1))
    for start in range(0, COUNT, 16):
        batch = slice(start, start + 16)
        keras.utils.set_random_seed(start)
        trainer.train_on_batch(IMAGES[batch], LABELS[batch])
        keras.utils.set_random_seed(start)
        images, labels = chain((IMAGES[batch], LABELS[batch]))
        plain.train_on_batch(to_numpy(images), to_numpy(labels))
    assert_equal_weights(trainer.model.get_weights(), plain.get_weights(), rtol=1e-3, atol=1e-4)


def test_class_weights_reach_mixed_labels_class_by_class():
    """The weighted loss of a mixed batch is the sum over the classes of weight, share and surprise."""
    class_weight = {0: 1.0, 1: 4.0, 2: 0.5, 3: 2.0}
    mixup = kt.augment.MixUp(1.0, num_classes=CLASSES, seed=7)
    model = keras.Sequential([keras.Input((10, 8, 3)), layers.Flatten(), layers.Dense(CLASSES, "softmax")])
    trainer = kt.Trainer(model, augment=[mixup])
    trainer.compile(keras.optimizers.SGD(0.0), kt.losses.Crossentropy())
    weights = np.array([class_weight[label] for label in LABELS], "float32")
    history = trainer.fit(IMAGES / 255, LABELS, batch_size=COUNT, shuffle=False, class_weight=class_weight, verbose=0)
    images, rows = kt.augment.Sequence([mixup])((IMAGES / 255, LABELS))
    surprise = -np.log(model.predict(to_numpy(images), verbose=0))
    expected = (to_numpy(rows) * np.array(list(class_weight.values())) * surprise).sum(1).mean()
    np.testing.assert_allclose(history.history["loss"], [expected], rtol=1e-4)
    assert weights.sum() != COUNT


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains(policy):
    keras.config.set_dtype_policy(policy)
    model = make_model()
    keras.config.set_dtype_policy("float32")
    trainer = compile_model(
        kt.Trainer(model, augment=[kt.augment.CutMix(num_classes=CLASSES), kt.augment.RandomFlip()])
    )
    assert trainer.compute_dtype == keras.DTypePolicy(policy).compute_dtype
    assert isinstance(trainer.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
    assert np.isfinite(fit(trainer)["loss"]).all()


def test_uint8_images_reach_the_layers_as_uint8_and_the_model_in_its_own_dtype():
    seen = []

    class Look(kt.augment.RandomFlip):
        def transform_images(self, images, params):
            seen.append(keras.backend.standardize_dtype(images.dtype))
            return images

    class Plain(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(CLASSES)

        def call(self, images):
            seen.append(keras.backend.standardize_dtype(images.dtype))
            return self.dense(ops.reshape(images, (-1, 240)))

    trainer = compile_model(kt.Trainer(Plain(), augment=[Look()]))
    fit(trainer, epochs=1, validation_data=(IMAGES, LABELS))
    assert "uint8" in seen
    assert set(seen) == {"uint8", "float32"}


def test_validation_and_prediction_see_images_that_are_not_augmented():
    noisy, plain = make_trainer(kt.augment.MixUp(1.0, num_classes=CLASSES)), make_trainer()
    np.testing.assert_allclose(noisy.evaluate(IMAGES, LABELS, verbose=0), plain.evaluate(IMAGES, LABELS, verbose=0))
    np.testing.assert_array_equal(noisy.predict(IMAGES, verbose=0), plain.predict(IMAGES, verbose=0))
    assert int(to_numpy(noisy.stream.state)[1]) == 0


def test_a_layer_that_changes_the_size_cuts_the_middle_at_inference():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6, 4, 3)), layers.Flatten(), layers.Dense(CLASSES)])
    trainer = compile_model(kt.Trainer(model, augment=kt.augment.RandomCrop((6, 4))))
    fit(trainer, validation_data=(IMAGES, LABELS))
    np.testing.assert_allclose(
        trainer.predict(IMAGES, verbose=0), model.predict(IMAGES[:, 2:8, 2:6], verbose=0), rtol=1e-5, atol=1e-5
    )


@pytest.mark.skipif(BACKEND != "torch", reason="the other backends move a batch to the device themselves")
def test_batches_of_a_loader_of_ones_own_are_brought_to_the_device():
    trainer = make_trainer(kt.augment.RandomFlip())
    parts = trainer.augment_data((IMAGES, LABELS, np.ones(COUNT, "float32")))
    assert [type(part).__name__ for part in parts] == ["Tensor"] * 3
    assert {part.device for part in parts} == {trainer.model.weights[0].value.device}


def test_of_a_dict_of_inputs_the_images_are_augmented():
    images, size = keras.Input((10, 8, 3), name="images"), keras.Input((1,), name="size")
    features = layers.Concatenate()([layers.Flatten()(images), size])
    model = keras.Model({"images": images, "size": size}, layers.Dense(CLASSES)(features))
    trainer = compile_model(kt.Trainer(model, augment=[kt.augment.CutMix(num_classes=CLASSES)]))
    inputs = {"images": IMAGES, "size": np.ones((COUNT, 1), "float32")}
    assert np.isfinite(fit(trainer, x=inputs, validation_data=(inputs, LABELS))["val_loss"]).all()


def test_several_inputs_without_images_are_refused():
    trainer = compile_model(kt.Trainer(make_model(), augment=[kt.augment.RandomFlip()]))
    with pytest.raises(ValueError, match='input named "images"'):
        trainer.augment_data(({"left": IMAGES}, LABELS))


@pytest.mark.parametrize("source", ["py_dataset", "tf_data", "generator"])
def test_every_source_of_data_will_do(source):
    trainer = make_trainer(kt.augment.RandomFlip(), kt.augment.MixUp(0.2, num_classes=CLASSES))
    if source == "py_dataset":
        data = Batches()
    elif source == "tf_data":
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(16).repeat()
    else:
        data = (batch for batch in [(IMAGES[:16], LABELS[:16])] * 6)
    history = fit(trainer, x=data, y=None, batch_size=None, steps_per_epoch=3, shuffle=False)
    assert len(history["loss"]) == 2
    assert int(to_numpy(trainer.stream.state)[1]) == 6


def test_a_run_saved_in_the_middle_and_loaded_ends_as_one_that_was_not(tmp_path):
    def augment():
        return [kt.augment.RandomCrop(padding=2, seed=1), kt.augment.MixUp(0.3, num_classes=CLASSES, seed=2)]

    def without_dropout():
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input((10, 8, 3)),
                layers.Conv2D(4, 3),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(CLASSES),
            ]
        )
        return compile_model(kt.Trainer(model, augment=augment()))

    whole = without_dropout()
    fit(whole, epochs=4, shuffle=False)
    halved = without_dropout()
    fit(halved, epochs=2, shuffle=False)
    halved.save(tmp_path / "trainer.keras")
    resumed = keras.models.load_model(tmp_path / "trainer.keras")
    fit(resumed, epochs=4, initial_epoch=2, shuffle=False)
    assert_equal_weights(resumed.get_weights(), whole.get_weights(), rtol=0, atol=0)


def test_the_trained_model_is_saved_and_loaded_without_the_trainer(tmp_path):
    trainer = make_trainer(kt.augment.CutMix(num_classes=CLASSES))
    fit(trainer)
    trainer.model.save(tmp_path / "model.keras")
    with keras.saving.custom_object_scope({}):
        loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(IMAGES, verbose=0), trainer.predict(IMAGES, verbose=0), rtol=1e-6)


def test_its_config_makes_the_same_trainer():
    trainer = kt.Trainer(make_model(), [kt.augment.RandomFlip(seed=1)], seed=3, name="run")
    config = json.loads(json.dumps(trainer.get_config()))
    assert json.loads(json.dumps(kt.Trainer.from_config(config).get_config())) == config


# Errors and interrupts


class Batches(keras.utils.PyDataset):
    def __init__(self, fail_at: int | None = None, error: type[BaseException] = RuntimeError):
        super().__init__()
        self.fail_at, self.error = fail_at, error

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int):
        if index == self.fail_at:
            raise self.error("in the data")
        return IMAGES[16 * index : 16 * index + 16], LABELS[16 * index : 16 * index + 16]


class Fail(keras.callbacks.Callback):
    """Raises at the named hook, the second time it is called."""

    def __init__(self, hook: str, error: type[BaseException]):
        super().__init__()
        self.calls, self.error = 0, error
        setattr(self, hook, self.fail)

    def fail(self, *_, **__):
        self.calls += 1
        if self.calls == 2:
            raise self.error("in a callback")


HOOKS = [
    ("fit", "on_train_batch_begin"),
    ("fit", "on_train_batch_end"),
    ("fit", "on_test_batch_begin"),
    ("fit", "on_test_batch_end"),
    ("fit", "on_epoch_end"),
    ("evaluate", "on_test_batch_begin"),
    ("evaluate", "on_test_batch_end"),
    ("predict", "on_predict_batch_begin"),
    ("predict", "on_predict_batch_end"),
]


@pytest.fixture(scope="module")
def trained() -> kt.Trainer:
    """A trainer that has been trained, and stays usable whatever happens to it: one for all these tests."""
    trainer = make_trainer(kt.augment.MixUp(0.2, num_classes=CLASSES))
    fit(trainer, epochs=1)
    return trainer


def assert_usable(trainer: kt.Trainer, weights_then: list[np.ndarray], changed: bool | None) -> None:
    weights = trainer.get_weights()
    assert all(np.isfinite(weight).all() for weight in weights)
    if changed is not None:
        assert any((one != two).any() for one, two in zip(weights, weights_then, strict=True)) == changed
    again = trainer.get_weights()
    assert_equal_weights(weights, again, rtol=0, atol=0)
    loss = trainer.evaluate(IMAGES, LABELS, verbose=0)[0]
    np.testing.assert_allclose(loss, trainer.evaluate(IMAGES, LABELS, verbose=0)[0], rtol=1e-6)
    assert np.isfinite(fit(trainer, epochs=1)["loss"]).all()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize(("method", "hook"), HOOKS)
def test_after_an_error_in_a_callback_the_model_is_usable(trained, method, hook, error):
    then = trained.get_weights()
    arguments = {"validation_data": (IMAGES, LABELS), "epochs": 3} if method == "fit" else {}
    targets = () if method == "predict" else (LABELS,)
    with pytest.raises(error, match="in a callback"):
        getattr(trained, method)(IMAGES, *targets, batch_size=16, verbose=0, callbacks=[Fail(hook, error)], **arguments)
    assert_usable(trained, then, changed=method == "fit")


@pytest.mark.parametrize("fail_at", [0, 2])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_after_an_error_in_the_data_the_model_is_usable(trained, method, fail_at):
    then = trained.get_weights()
    with pytest.raises(Exception, match="in the data"):
        getattr(trained, method)(Batches(fail_at), verbose=0)
    assert_usable(trained, then, changed=None if method == "fit" else False)


# An interrupt that is dropped is warned of.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1])
def test_after_an_interrupt_at_any_moment_the_model_is_usable(trained, delay):
    then = trained.get_weights()
    over = threading.Event()

    def interrupt() -> None:
        """Python drops an interrupt that comes in a callback of the garbage collector (JAX has one): then once more."""
        wait = delay
        while not over.wait(wait):
            os.kill(os.getpid(), signal.SIGINT)
            wait = 5

    def fit_interrupted() -> None:
        thread.start()  # on a busy machine the interrupt may come before the training begins
        fit(trained, epochs=100_000)

    handler = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=interrupt, daemon=True)
    with pytest.raises(KeyboardInterrupt):
        fit_interrupted()
    over.set()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is handler
    assert_usable(trained, then, changed=None)


# Bad arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": layers.Dense(1)}, "`model` must be a keras.Model"),
        ({"augment": [layers.Dense(1)]}, "`augment` must be keras_tricks.augment layers"),
        ({"augment": layers.Dense(1)}, "`augment` must be keras_tricks.augment layers"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        kt.Trainer(**({"model": make_model()} | arguments))


def test_integer_labels_without_the_number_of_classes_are_refused_before_training():
    with pytest.raises(ValueError, match="MixUp needs `num_classes`"):
        fit(make_trainer(kt.augment.MixUp(0.2)))


@pytest.mark.parametrize(
    ("compiled", "name"),
    [
        ({"metrics": ["accuracy"]}, "accuracy"),
        ({"loss": "sparse_categorical_crossentropy"}, "sparse_categorical_crossentropy"),
        ({"loss": keras.losses.CategoricalCrossentropy()}, "CategoricalCrossentropy"),
        ({"metrics": [keras.metrics.SparseTopKCategoricalAccuracy(2)]}, "SparseTopKCategoricalAccuracy"),
    ],
)
def test_a_loss_or_metric_that_takes_one_kind_of_labels_is_refused_where_they_become_another(compiled, name):
    trainer = make_trainer(kt.augment.MixUp(0.2, num_classes=CLASSES), **compiled)
    with pytest.raises(ValueError, match=f"keras_tricks.losses.Crossentropy.*Received: {name}"):
        fit(trainer)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_keras_own_loss_and_metric_will_do_for_labels_that_are_rows_already(dtype):
    trainer = make_trainer(
        kt.augment.MixUp(0.2), loss=keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    assert np.isfinite(fit(trainer, y=np.eye(CLASSES, dtype=dtype)[LABELS])["accuracy"]).all()


@pytest.mark.parametrize("with_callback", [False, True])
def test_statistics_of_batch_norm_are_averaged_like_the_weights(with_callback):
    keras.utils.set_random_seed(5)
    body = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    trainer = kt.Trainer(keras.Sequential([keras.Input((4,)), *body]))
    trainer.compile(kt.optimizers.WeightAverage(keras.optimizers.SGD(0.05), decay=0.9), "mse")
    x = np.random.default_rng(0).normal(2.0, 3.0, (16, 4)).astype("float32")
    record = RawWeights()
    callbacks = [kt.callbacks.EvaluateWithAverage(), record] if with_callback else [record]
    trainer.fit(x, x[:, :1], batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    averages = {variable.path: to_numpy(average) for variable, average in trainer.optimizer.average}
    assert sum("moving" in path for path in averages) == 2
    for variable, series in zip(trainer.weights, zip(*record.batches, strict=True), strict=True):
        if variable.path in averages:
            expected = exponential_average([w.astype("float64") for w in series], 0.9)[-1]
            np.testing.assert_allclose(averages[variable.path], expected, rtol=1e-5, atol=1e-6)
