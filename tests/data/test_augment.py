import importlib

import numpy as np
import pytest

import keras_tricks as kt
from tests.running import BACKEND, to_numpy

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 8, 6, 3)).astype("uint8")
LABELS = np.arange(32) % 4


def dataset(**parts):
    tf = importlib.import_module("tensorflow")
    return tf.data.Dataset.from_tensor_slices(parts or (IMAGES, LABELS)).batch(4)


def layer(seed=1):
    return kt.augment.MixUp(0.4, num_classes=4, seed=seed)


def labels_of(batches):
    return np.stack([np.asarray(batch[1]) for batch in batches])


@pytest.mark.parametrize("num_parallel_calls", [None, 1, 4, -1])
def test_runs_of_one_seed_give_the_same_batches_however_many_are_made_at_once(num_parallel_calls):
    sequential = labels_of(dataset().map(layer()))
    np.testing.assert_allclose(
        labels_of(kt.data.augment(dataset(), layer(), num_parallel_calls)), sequential, atol=1e-6
    )


def test_no_epoch_repeats_another_and_a_second_run_repeats_them_all():
    one, two = kt.data.augment(dataset(), layer(), 4), kt.data.augment(dataset(), layer(), 4)
    epochs = [labels_of(one) for _ in range(3)]
    for index, epoch in enumerate(epochs):
        np.testing.assert_array_equal(labels_of(two), epoch)
        assert not any(np.array_equal(epoch, other) for other in epochs[:index])


def test_a_repeated_data_set_draws_anew_in_each_round():
    rounds = labels_of(kt.data.augment(dataset(), layer()).repeat(2)).reshape(2, 8, 4, 4)
    assert not np.array_equal(rounds[0], rounds[1])


def test_the_layers_own_calls_are_not_counted():
    augmentation = layer()
    list(kt.data.augment(dataset(), augmentation))
    assert int(to_numpy(augmentation.stream.state)[1]) == 0


def test_dicts_and_images_alone_will_do():
    named = next(iter(kt.data.augment(dataset(images=IMAGES, labels=LABELS), layer())))
    assert sorted(named) == ["images", "labels"]
    images_alone = dataset().map(lambda images, labels: images)
    np.testing.assert_allclose(next(iter(kt.data.augment(images_alone, layer()))), named["images"], atol=1e-3)


def test_single_images_draw_by_their_number():
    tf = importlib.import_module("tensorflow")
    images = tf.data.Dataset.from_tensor_slices(np.repeat(IMAGES[:1], 32, 0))
    flipped = kt.data.augment(images, kt.augment.RandomFlip(seed=1), 2)
    assert 4 < sum(np.array_equal(image, IMAGES[0]) for image in flipped) < 28


def test_fit_trains_on_it():
    import keras

    model = keras.Sequential([keras.Input((8, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("sgd", kt.losses.Crossentropy(from_logits=True))
    history = model.fit(kt.data.augment(dataset(), layer(), 2), epochs=2, verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": [1]}, "`dataset` must be a tf.data.Dataset"),
        ({"layer": len}, "`layer` must be an augmentation"),
        ({"num_parallel_calls": 0}, "`num_parallel_calls`.*Received: num_parallel_calls=0"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        kt.data.augment(**({"dataset": dataset(), "layer": layer()} | arguments))


class Collate:
    """For a `DataLoader` whose workers are started afresh: the layer is sent to them by pickle."""

    def __init__(self, augmentation):
        self.augmentation = augmentation

    def __call__(self, items):
        _, labels = self.augmentation(
            (np.stack([image for image, _ in items]), np.array([label for _, label in items]))
        )
        return to_numpy(labels)


def test_two_workers_of_a_data_loader_repeat_no_batch_and_follow_torchs_seed():
    torch = importlib.import_module("torch")
    # JAX and TensorFlow do not survive a fork.
    start = "fork" if BACKEND == "torch" else "spawn"
    loader = torch.utils.data.DataLoader(
        list(zip(IMAGES, LABELS, strict=True)),
        8,
        collate_fn=Collate(layer()),
        num_workers=2,
        multiprocessing_context=start,
    )
    runs = []
    for _ in range(2 if start == "fork" else 1):  # starting workers afresh takes long
        torch.manual_seed(3)
        runs.append([batch for _ in range(2 if start == "fork" else 1) for batch in loader])
    assert len({batch.tobytes() for batch in runs[0]}) == len(runs[0])
    for batches in zip(*runs, strict=True):
        np.testing.assert_array_equal(batches[0], batches[-1])
