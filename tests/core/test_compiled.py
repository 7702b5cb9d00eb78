import importlib

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks._core import compiled
from tests.conftest import AS_USERS_HAVE_IT
from tests.contracts.augmentation import make_images
from tests.running import BACKEND, to_numpy

CALLS = 5


@pytest.fixture(autouse=True)
def as_users_have_it(monkeypatch):
    monkeypatch.setattr(compiled, "CALLS_BEFORE", AS_USERS_HAVE_IT)


compiles = pytest.mark.skipif(BACKEND not in compiled.CALLS_BEFORE, reason="torch runs one operation after another")


def drawn(layer, images, calls=CALLS):
    return [to_numpy(layer(images)) for _ in range(calls)]


class Darker(kt.augment.BatchAugmentation):
    traces = 0

    def __init__(self, share=0.5, **kwargs):
        super().__init__(**kwargs)
        self.share = share

    def sample(self, shape, seed):
        type(self).traces += 1
        return {}

    def transform_images(self, images, params):
        return images * self.share


def test_compiled_calls_give_the_batches_of_uncompiled_ones():
    layer, plain = (kt.augment.Sequence([kt.augment.RandomCrop(padding=2), kt.augment.MixUp(0.4)], 3) for _ in "ab")
    plain.supports_jit = False
    rows = np.eye(8, dtype="float32")
    for _ in range(CALLS):
        for part, wanted in zip(layer((make_images(), rows)), plain((make_images(), rows)), strict=True):
            np.testing.assert_allclose(to_numpy(part), to_numpy(wanted), rtol=1e-5, atol=1e-4)


@compiles
def test_batches_of_one_kind_are_traced_once_and_not_computed_one_operation_after_another():
    layer = Darker(0.25)
    Darker.traces = 0
    drawn(layer, make_images(), 8)
    assert Darker.traces == compiled.CALLS_BEFORE[BACKEND] + 1


@compiles
def test_layers_that_are_alike_share_what_was_compiled():
    drawn(Darker(0.3, seed=4), make_images())
    Darker.traces = 0
    drawn(Darker(0.3, seed=4), make_images())
    drawn(kt.augment.RandomApply(Darker(0.3), rate=1.0, seed=4), make_images())
    first = Darker.traces
    drawn(kt.augment.RandomApply(Darker(0.3), rate=1.0, seed=4), make_images())
    assert Darker.traces == first > 0


def test_a_changed_attribute_changes_the_next_batch():
    layer, images = Darker(0.5), make_images("float32")
    drawn(layer, images)
    layer.share = 0.25
    np.testing.assert_allclose(to_numpy(layer(images)), images / 4)
    both = kt.augment.Sequence([layer, Darker(0.5)])
    drawn(both, images)
    layer.share = 1.0
    np.testing.assert_allclose(to_numpy(both(images)), images / 2)


def test_a_method_put_into_a_layer_is_the_one_that_is_called():
    layer, images = Darker(0.5), make_images("float32")
    drawn(layer, images)
    layer.transform_images = lambda images, params: images + 1
    np.testing.assert_allclose(to_numpy(layer(images)), images + 1)


def test_a_stream_that_is_loaded_goes_on_from_there():
    layer, other = kt.augment.RandomCrop(padding=3, seed=1), kt.augment.RandomCrop(padding=3, seed=2)
    drawn(layer, make_images())
    drawn(other, make_images(), 2)
    layer.stream.load_state(other.stream.state_to_save())
    np.testing.assert_array_equal(drawn(layer, make_images()), drawn(other, make_images()))


def test_a_stream_that_is_loaded_is_that_layers_alone():
    first, other = (kt.augment.RandomCrop(padding=3, seed=1) for _ in "ab")
    plain = kt.augment.RandomCrop(padding=3, seed=1)
    plain.supports_jit = False
    drawn(first, make_images())
    first.stream.load_state([7, 0])
    np.testing.assert_array_equal(drawn(other, make_images()), drawn(plain, make_images()))


def test_a_state_that_is_handed_in_is_the_one_that_counts():
    layer, images = kt.augment.RandomCrop(padding=3, seed=1), keras.ops.convert_to_tensor(make_images())
    for seed in (5, 6, 5):
        state = keras.ops.convert_to_tensor(np.array([seed, 0], "int32" if BACKEND != "tensorflow" else "int64"))
        changed, _ = layer.stateless_call([], [state], images)
        expected = kt.augment.RandomCrop(padding=3, seed=seed)(images)
        np.testing.assert_array_equal(to_numpy(changed), to_numpy(expected))


class Hidden(Darker):
    """Keeps its share where nobody looks: in an attribute of its own, a variable, a dict."""

    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind
        self.set_share(0.5)

    def set_share(self, share):
        if self.kind == "attribute":
            self._share = share
        elif self.kind == "dict":
            self.shares = {"share": share}
        elif not hasattr(self, "variable"):
            self.variable = keras.Variable(share, dtype="float32")
        else:
            self.variable.assign(share)

    def transform_images(self, images, params):
        if self.kind == "attribute":
            return images * self._share
        return images * (self.shares["share"] if self.kind == "dict" else self.variable)


@pytest.mark.parametrize("kind", ["attribute", "dict", "variable"])
def test_a_value_changed_anywhere_in_a_layer_changes_the_next_batch(kind):
    layer, images = Hidden(kind, seed=1), make_images("float32")
    drawn(layer, images)
    layer.set_share(0.25)
    np.testing.assert_allclose(to_numpy(layer(images)), images / 4)
    if kind == "dict":
        layer.shares["share"] = 1.0
        np.testing.assert_allclose(to_numpy(layer(images)), images)
    np.testing.assert_allclose(to_numpy(drawn(Hidden(kind, seed=1), images)[-1]), images / 2)


@compiles
def test_layers_of_other_seeds_or_of_none_share_what_was_compiled():
    drawn(Darker(0.7, seed=4), make_images())
    Darker.traces = 0
    drawn(Darker(0.7, seed=5), make_images())
    assert Darker.traces == 0
    drawn(Darker(0.7), make_images())
    first = Darker.traces
    drawn(Darker(0.7), make_images())
    assert Darker.traces == first


def test_parts_that_no_trick_changes_stay_as_they_are():
    batch = {"labels": np.arange(8), "distances": np.linspace(0, 1, 8).astype("float32"), "known": np.arange(8) > 3}
    for layer in (kt.augment.RandomFlip(seed=1), kt.augment.GaussianNoise(seed=1)):
        for _ in range(CALLS):
            changed = layer({"images": make_images()} | batch)
            assert list(changed) == ["images", *batch]
            for name, part in batch.items():
                np.testing.assert_array_equal(to_numpy(changed[name]), part)


@compiles
def test_no_more_functions_are_kept_than_said(monkeypatch):
    monkeypatch.setattr(compiled, "KEPT", 3)
    for share in np.linspace(0.1, 0.9, 9):
        drawn(Darker(float(share)), make_images(), 1)
    assert len(compiled._calls) <= 3


def test_a_trick_that_says_that_it_cannot_be_compiled_is_not():
    class Reader(Darker):
        def transform_images(self, images, params):
            return images * float(to_numpy(images).max() > 0)

    layer = Reader()
    layer.supports_jit = False
    images = make_images("float32")
    np.testing.assert_array_equal(drawn(kt.augment.Sequence([layer]), images)[-1], images)


def test_inside_a_compiled_function_nothing_is_compiled_again():
    images = make_images("float32")
    model = keras.Sequential(
        [keras.Input(images.shape[1:]), Darker(0.5), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    before = len(compiled._calls)
    model.fit(images, np.zeros((len(images), 1)), verbose=0)
    assert len(compiled._calls) == before


@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX and torch have no graph that is left uncompiled")
@pytest.mark.parametrize(("shape", "is_compiled"), [((None, 2), True), ((None, None), False)])
def test_in_a_graph_a_function_of_batches_of_known_size_is_one_compiled_operation(shape, is_compiled):
    tf = importlib.import_module("tensorflow")

    def step(images):
        return compiled.in_graph(lambda batch, more: {"images": batch["images"] + more}, {"images": images}, 2.0)

    graph = tf.function(step).get_concrete_function(tf.TensorSpec(shape, "float32"))
    marks = [operation.node_def.attr["_XlaMustCompile"].b for operation in graph.graph.get_operations()]
    assert any(marks) == is_compiled
    np.testing.assert_array_equal(graph(tf.ones((3, 2)))["images"], np.full((3, 2), 3.0))


def test_outside_a_graph_the_function_is_called_as_it_is():
    batch = {"images": np.ones((3, 2), "float32")}
    assert compiled.in_graph(lambda given: {"is the same": given is batch}, batch) == {"is the same": True}
