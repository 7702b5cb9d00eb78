import math

import numpy as np
import pytest

import keras_tricks as kt


def test_an_epoch_has_as_many_entries_as_the_original_and_a_third_of_the_images():
    for samples, entries in ((1_281_167, 1_281_024), (50_000, 49_920), (256, 256), (511, 256)):
        sampler = kt.data.RepeatedAugmentation(samples, seed=1)
        order = sampler.order(0)
        assert len(sampler) == len(order) == entries
        assert len(np.unique(order)) == math.ceil(entries / 3)


def test_each_image_comes_count_times_in_a_row_in_shuffled_order():
    order = kt.data.RepeatedAugmentation(300, count=4, multiple_of=1).order(0)
    groups = order.reshape(-1, 4)
    np.testing.assert_array_equal(groups, np.repeat(groups[:, :1], 4, axis=1))
    assert len(np.unique(groups[:, 0])) == 75
    assert (np.diff(groups[:, 0]) != 1).mean() > 0.9


@pytest.mark.parametrize(("samples", "replicas"), [(1000, 4), (1000, 3), (769, 8)])
def test_replicas_share_the_order_one_by_one(samples, replicas):
    """Against the arithmetic of the original: padded to a multiple of the replicas, dealt out, cut off."""
    shares = [
        kt.data.RepeatedAugmentation(samples, seed=2, replica=replica, replicas=replicas).order(5)
        for replica in range(replicas)
    ]
    whole = np.repeat(np.random.default_rng((2, 5)).permutation(samples), 3).tolist()
    total = math.ceil(samples * 3 / replicas) * replicas
    whole += whole[: total - len(whole)]
    for replica, share in enumerate(shares):
        expected = whole[replica:total:replicas][: math.floor(samples // 256 * 256 / replicas)]
        np.testing.assert_array_equal(share, expected)


def test_epochs_and_seeds_differ_and_repeat():
    sampler = kt.data.RepeatedAugmentation(512, seed=1)
    assert not np.array_equal(sampler.order(0), sampler.order(1))
    assert not np.array_equal(sampler.order(0), kt.data.RepeatedAugmentation(512, seed=2).order(0))
    np.testing.assert_array_equal(sampler.order(1), kt.data.RepeatedAugmentation(512, seed=1).order(1))


def test_each_iteration_is_the_next_epoch_unless_it_is_set():
    sampler = kt.data.RepeatedAugmentation(512, seed=1)
    first, second = list(sampler), list(sampler)
    np.testing.assert_array_equal(first, sampler.order(0))
    np.testing.assert_array_equal(second, sampler.order(1))
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_over_many_epochs_every_image_is_seen_as_often():
    sampler = kt.data.RepeatedAugmentation(256)
    seen = np.bincount(np.concatenate([sampler.order(epoch) for epoch in range(600)]), minlength=256) / 3
    # an image is among the 86 (the last of them once only) of an epoch or it is not
    assert abs(seen.mean() - 200) < 1e-9
    assert 0.5 < seen.var() / (600 / 3 * 2 / 3) < 1.6


def test_a_data_loader_takes_it_as_a_sampler():
    data = pytest.importorskip("torch.utils.data")
    sampler = kt.data.RepeatedAugmentation(512, seed=1)
    loader = data.DataLoader(list(range(512)), batch_size=64, sampler=sampler)
    assert len(loader) == 8
    np.testing.assert_array_equal(np.concatenate([batch.numpy() for batch in loader]), sampler.order(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "`samples`.*Received: samples=0"),
        ({"count": 0}, "`count`"),
        ({"multiple_of": 513}, "`multiple_of` must be at most samples=512. Received: multiple_of=513"),
        ({"seed": None}, "`seed`"),
        ({"seed": -1}, "`seed`"),
        ({"replica": 2, "replicas": 2}, "`replica` must be below replicas=2"),
    ],
)
def test_a_bad_argument_is_named_with_its_value(change, message):
    with pytest.raises(ValueError, match=message):
        kt.data.RepeatedAugmentation(**({"samples": 512} | change))
    with pytest.raises(ValueError, match="`epoch`"):
        kt.data.RepeatedAugmentation(512).order(-1)
