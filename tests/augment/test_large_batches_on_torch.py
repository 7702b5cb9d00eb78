"""Large batches on torch's processor: part by part in the memory of the result, whatever a trick makes of its part."""

import importlib

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks.augment._color import ColorAugmentation

if keras.backend.backend() != "torch":
    pytest.skip("torch's memory", allow_module_level=True)

torch = importlib.import_module("torch")


class Returning(ColorAugmentation):
    """A trick of a user's: what it returns may be its input, or another look at it."""

    def __init__(self, change, **kwargs):
        super().__init__(**kwargs)
        self.change = change

    def sample(self, shape, seed):
        return {}

    def change_levels(self, levels, params):
        return self.change(levels)


CHANGES = {
    "itself": lambda levels: levels,
    "turned": lambda levels: levels.transpose(1, 2),
    "one channel in all": lambda levels: levels[..., :1].expand(levels.shape),
    "other channels": lambda levels: levels[..., [2, 1, 0]],
    "a part of it": lambda levels: torch.cat([levels[:, :1].expand(-1, 2, -1, -1), levels[:, 2:]], 1),
    "twice as bright": lambda levels: 2 * levels,
}


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 96, 96, 3), dtype="uint8"))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_trick_returns_is_what_comes_out(images, monkeypatch, dtype, data_format, change):
    given = images.to(dtype)
    expected = CHANGES[change](given.float()).clip(0, 255)
    if data_format == "channels_first":
        given = given.permute(0, 3, 1, 2).contiguous()
    before = given.clone()
    monkeypatch.setattr(importlib.import_module("keras_tricks.augment._torch"), "PART", 2**20)
    changed = Returning(CHANGES[change], data_format=data_format)(given)
    if data_format == "channels_first":
        changed = changed.permute(0, 2, 3, 1)
    np.testing.assert_array_equal(changed.numpy(), expected.numpy())
    np.testing.assert_array_equal(given.numpy(), before.numpy())


@pytest.mark.parametrize("name", ["RGBShift", "Solarize", "RandomErasing", "RandomFlip", "RandAugment", "CutMix"])
def test_a_batch_stays_as_it_was_when_the_next_is_made(images, name):
    layer = getattr(kt.augment, name)(seed=1)
    batches = [layer(images) for _ in range(4)]
    copies = [batch.clone() for batch in batches]
    for _ in range(4):
        layer(images)
    for batch, copy in zip(batches, copies, strict=True):
        np.testing.assert_array_equal(batch.numpy(), copy.numpy())


def test_gradients_reach_large_images(images):
    given = images.float().requires_grad_()
    kt.augment.RandomBrightnessContrast(seed=1)(given).sum().backward()
    assert given.grad is not None
    assert given.grad.abs().sum() > 0
