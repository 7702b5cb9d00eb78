"""Whose random numbers are whose, and what becomes of them when they are saved, loaded or sent to a worker."""

import os
import pickle

import keras
import numpy as np
import pytest
from keras import ops

from keras_tricks._core import random
from keras_tricks._core.stream import RandomLayer, Stream
from tests.running import to_numpy


@keras.saving.register_keras_serializable("tests")
class Noise(RandomLayer):
    def call(self, inputs):
        return inputs + random.uniform(random.key(self.stream.next_state(), self.stream.salt), ops.shape(inputs))


@keras.saving.register_keras_serializable("tests")
class OtherNoise(Noise):
    pass


ZEROS = np.zeros((2, 50), "float32")


def draw(layer) -> np.ndarray:
    return to_numpy(layer(ZEROS))


def correlation(first: Stream, second: Stream) -> float:
    draws = [random.uniform(random.key(stream.next_state(), stream.salt), (20_000,)) for stream in (first, second)]
    return np.corrcoef([to_numpy(values) for values in draws])[0, 1]


def test_states_are_the_seed_and_a_count_of_calls_from_0():
    stream = Stream(7, "Owner")
    states = [to_numpy(stream.next_state()).tolist() for _ in range(3)]
    assert states == [[7, 0], [7, 1], [7, 2]]
    assert to_numpy(stream.next_state()).dtype == np.int32


def test_equal_seeds_of_one_class_give_equal_numbers():
    np.testing.assert_array_equal(draw(Noise(seed=3)), draw(Noise(seed=3)))


def test_automatic_names_do_not_count():
    first, second = Noise(seed=3), Noise(seed=3)
    assert first.name != second.name
    assert first.stream.salt == second.stream.salt


def test_another_class_another_explicit_name_and_another_seed_are_independent():
    streams = [
        Stream(3, "Noise"),
        Stream(4, "Noise"),
        Stream(3, "OtherNoise"),
        Stream(3, "Noise", "left"),
        Stream(3, "Noise", "right"),
    ]
    for index, stream in enumerate(streams):
        for other in streams[:index]:
            assert abs(correlation(stream, other)) < 4.5 / np.sqrt(20_000)
    assert Noise(seed=3, name="left").stream.salt == streams[3].salt
    assert OtherNoise(seed=3).stream.salt == streams[2].salt


@pytest.mark.parametrize("name", [None, "mine"])
def test_a_round_trip_through_the_config_keeps_the_name_and_the_stream(name):
    layer = Noise(seed=3, name=name)
    copy = Noise.from_config(layer.get_config())
    again = Noise.from_config(copy.get_config())
    assert copy.name == again.name == layer.name
    assert copy.stream.salt == again.stream.salt == layer.stream.salt
    np.testing.assert_array_equal(draw(again), draw(layer))


def test_building_and_saving_do_not_advance_it(tmp_path):
    model = keras.Sequential([keras.Input((50,)), Noise(seed=3)])
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    assert model.layers[0].stream.state_to_save().tolist() == [3, 0]


def test_a_loaded_model_continues_the_stream(tmp_path):
    model = keras.Sequential([keras.Input((50,)), Noise(seed=3), keras.layers.Dense(1)])
    draw(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].stream.state_to_save().tolist() == [3, 1]
    np.testing.assert_array_equal(draw(loaded), draw(model))


def test_a_fresh_stream_is_saved_too(tmp_path):
    model = keras.Sequential([keras.Input((50,)), Noise()])
    draw(model)
    model.save_weights(tmp_path / "model.weights.h5")
    other = keras.Sequential([keras.Input((50,)), Noise()])
    other.load_weights(tmp_path / "model.weights.h5")
    assert other.layers[0].stream.seed == model.layers[0].stream.seed
    np.testing.assert_array_equal(draw(other), draw(model))


def test_without_a_seed_streams_are_fresh_and_follow_the_global_seed():
    keras.utils.set_random_seed(1)
    first, second = Stream(None, "Owner"), Stream(None, "Owner")
    keras.utils.set_random_seed(1)
    assert first.seed != second.seed
    assert Stream(None, "Owner").seed == first.seed


@pytest.mark.parametrize("seed", [-1, 2**31, 1.5, True, "1"])
def test_a_bad_seed_is_refused_by_name_and_value(seed):
    with pytest.raises(ValueError, match=f"`seed` must be .*seed={seed!r}"):
        Noise(seed=seed)


def test_the_workers_and_epochs_of_a_torch_loader_do_not_repeat_each_other(backend):
    if backend != "torch":
        pytest.skip("JAX and TensorFlow do not survive a fork")
    import torch

    layer = Noise(seed=3)

    class Items(torch.utils.data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            return draw(layer)[0]

    def two_epochs():
        torch.manual_seed(5)
        loader = torch.utils.data.DataLoader(Items(), batch_size=1, num_workers=2, multiprocessing_context="fork")
        return [batch.numpy().ravel().tolist() for _ in range(2) for batch in loader]

    first, second = two_epochs(), two_epochs()
    assert len({tuple(row) for row in first}) == 16
    assert first == second
    assert layer.stream.state_to_save().tolist() == [3, 0]


def test_forked_processes_do_not_repeat_each_other(backend):
    if backend != "torch":
        pytest.skip("JAX and TensorFlow do not survive a fork")
    stream = Stream(3, "Owner")
    seen = []
    for _ in range(2):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, pickle.dumps(to_numpy(stream.next_state()).tolist()))
            os._exit(0)
        os.waitpid(child, 0)
        seen.append(tuple(pickle.loads(os.read(reader, 1000))))
        os.close(reader)
        os.close(writer)
    assert len({*seen, (3, 0)}) == 3


def test_a_process_that_is_not_a_worker_stays_in_place():
    stream = Stream(3, "Owner")
    assert stream.worker_place() is None
    stream.home = -1
    assert stream.worker_place() == stream.worker_place() != (0, 0)
