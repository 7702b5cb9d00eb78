"""Large batches on torch's processor: part by part in the memory of the result, whatever a trick makes of its part."""

import importlib

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks.augment._color import ColorAugmentation

if keras.backend.backend() != "torch":
    pytest.skip(
        "JAX and TensorFlow keep the memory of their results themselves: arrays of theirs are never written to",
        allow_module_level=True,
    )

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
    monkeypatch.setattr(importlib.import_module("keras_tricks.augment._torch_parts"), "PART", 2**20)
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


@pytest.mark.parametrize("layout", ["whole", "every other column", "channels first"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("AutoContrast", {"rate": 0.5}),
        ("ColorJitter", {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}),
        ("CutOut", {"size": 40}),
        ("Equalize", {"rate": 0.5}),
        ("GaussianBlur", {}),
        ("GaussianNoise", {}),
        ("GridMask", {}),
        ("Invert", {"rate": 0.5}),
        ("Normalize", {"mean": 0.5, "std": 0.25}),
        ("PCALighting", {}),
        ("Posterize", {"bits": (2, 6)}),
        ("RandomErasing", {"fill": "color"}),
        ("RandomGrayscale", {"rate": 1}),
        ("RandomGrayscale", {"rate": 0.5}),
        ("RandomBrightnessContrast", {}),
        ("RGBShift", {}),
        ("Sharpness", {"factor": (0, 3)}),
        ("Solarize", {"threshold": (0, 256)}),
        ("SolarizeAdd", {"add": 50}),
    ],
)
def test_parts_of_a_batch_are_what_the_whole_is(images, monkeypatch, name, arguments, dtype, layout):
    given = images.to(torch.float32) * 1.2 - 20 if dtype.is_floating_point else images // 2 + 40
    given = given.to(dtype)
    if layout == "every other column":
        given = given[:, :, ::2]
    if layout == "channels first":
        arguments = arguments | {"data_format": "channels_first"}
        given = given.permute(0, 3, 1, 2).contiguous()
    before = given.clone()
    layer, call = getattr(kt.augment, name)(seed=1, **arguments), torch.tensor(3, dtype=torch.int32)
    parts = importlib.import_module("keras_tricks.augment._torch_parts")
    monkeypatch.setattr(parts, "PART", 2**30)
    whole = layer.numbered(given, call)
    monkeypatch.setattr(parts, "PART", 2**20)
    np.testing.assert_allclose(layer.numbered(given, call).numpy(), whole.numpy(), atol=1e-4)
    np.testing.assert_array_equal(given.numpy(), before.numpy())
    assert np.any(whole.numpy() != given.numpy())


def test_gradients_reach_large_images(images):
    given = images.float().requires_grad_()
    kt.augment.RandomBrightnessContrast(seed=1)(given).sum().backward()
    assert given.grad is not None
    assert given.grad.abs().sum() > 0


def test_a_trick_of_a_users_may_go_on_with_what_it_was_given(images):
    class Half(kt.augment.RGBShift):
        def change_levels(self, levels, params):
            return 0.5 * super().change_levels(levels, params) + 0.5 * levels

    given = images.float()
    layer = Half(red=10, green=20, blue=-30)
    expected = (given + torch.tensor([5.0, 10.0, -15.0])).clip(0, 255)
    np.testing.assert_allclose(layer(given).numpy(), expected.numpy(), atol=1e-4)


def test_nothing_of_a_tricks_own_is_written_to(images):
    picture = torch.full((96, 96, 3), 300.0)

    class Showing(ColorAugmentation):
        def sample(self, shape, seed):
            return {}

        def change_levels(self, levels, params):
            return picture.expand(levels.shape) if len(levels) > 1 else picture[None]

    assert Showing()(images).max() == 255
    Showing()(images[:1])
    assert (picture == 300).all()


def test_a_trick_may_drop_channels_whatever_the_size_of_the_batch(images):
    layer = Returning(lambda levels: levels.mean(-1, keepdim=True))
    assert layer(images[:2]).shape == (2, 96, 96, 1)
    assert layer(images).shape == (40, 96, 96, 1)


def test_lines_with_gaps_are_no_box(images):
    class Striped(kt.augment.CutOut):
        def sample(self, shape, seed):
            params = super().sample(shape, seed)
            marks = torch.arange(96) % 8 == 0
            rows = marks.expand(params["rows"].shape)
            return params | {"rows": rows, "columns": torch.ones_like(params["columns"])}

    changed = Striped(8, fill=0)(images.clamp(min=1))
    assert (changed == 0).float().mean().item() == pytest.approx(0.125)


@pytest.mark.filterwarnings("ignore")  # torch warns of its tracing, and raises something else if that is an error
def test_a_traced_layer_gives_each_result_memory_of_its_own(images):
    given = images.float()
    traced = torch.jit.trace(kt.augment.Normalize(0.5, 0.25), given, check_trace=False)
    first = traced(0 * given)
    traced(0 * given + 255)
    assert (first == -2).all()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(
    "name", ["Normalize", "RGBShift", "RandomGrayscale", "ColorJitter", "RandomErasing", "Sharpness", "Invert"]
)
def test_large_batches_can_be_mapped_and_have_forward_derivatives(images, name):
    layer = getattr(kt.augment, name)(seed=1) if name != "ColorJitter" else kt.augment.ColorJitter(0.2, seed=1)
    given = images.float() * 0.5 + 60
    call = torch.tensor(3, dtype=torch.int32)
    expected = layer.numbered(given, call)
    mapped = torch.func.vmap(lambda batch: layer.numbered(batch, call))(given[None])
    np.testing.assert_allclose(mapped[0].numpy(), expected.numpy(), atol=1e-3)
    _, tangent = torch.func.jvp(lambda batch: layer.numbered(batch, call), (given,), (torch.ones_like(given),))
    assert tangent.abs().sum() > 0


def test_choices_keep_a_forward_derivative():
    ops = importlib.import_module("keras_tricks._core.ops")
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        dual = forward.make_dual(torch.rand(20_000), torch.ones(20_000))
        chosen = ops.where(dual > 0.5, dual, dual * 0.5)
        assert forward.unpack_dual(chosen).tangent is not None


def test_nothing_to_do_and_nothing_to_do_it_to(images):
    np.testing.assert_array_equal(kt.augment.ColorJitter(0, 0, 0, 0)(images[:2]).numpy(), images[:2].numpy())
    assert kt.augment.Equalize()(images[:0]).shape == (0, 96, 96, 3)


def test_a_fill_far_from_the_pixels_costs_no_digits(images):
    pixels = images.float() / 255
    turned = kt.augment.RandomAffine(rotation=0, translation=(0.3, 0.3), fill=1e6, seed=1)(pixels)
    inside = turned[turned < 1e5]
    assert 0 < inside.numel() < turned.numel()
    np.testing.assert_allclose((inside * 16 - (inside * 16).round()).abs().max().item(), 0.5, atol=0.01)


def test_pixels_outside_the_range_are_held_in_it_before_the_hue(images, monkeypatch):
    given = images.float() * 2 - 100
    layer, same = (kt.augment.ColorJitter(0.4, 0.4, 0.4, 0.1, seed=1) for _ in range(2))
    large = layer(given)
    monkeypatch.setattr(importlib.import_module("keras_tricks.augment._torch_parts"), "LARGE_IMAGE", 10**9)
    np.testing.assert_allclose(large.numpy(), same(given).numpy(), atol=2e-3)


@pytest.mark.parametrize("width", [6, 7, 8])
def test_a_gray_image_sees_nothing_of_the_next(width):
    images = torch.full((4, 3, width, 3), 100.0)
    images[1] = torch.nan
    gray = kt.augment.RandomGrayscale(rate=1.0)(images)
    assert torch.isfinite(gray[[0, 2, 3]]).all()


@pytest.mark.parametrize("fill", ["pixel", "color", "normal"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_many_images_with_boxes_in_them_lie_as_they_did(images, data_format, fill):
    given = torch.cat([images] * 8).to(torch.float32)
    given = given if data_format == "channels_last" else given.permute(0, 3, 1, 2).contiguous()
    for dtype in (torch.float32, torch.uint8)[: 1 if fill == "normal" else 2]:
        erased = kt.augment.RandomErasing(rate=1.0, fill=fill, data_format=data_format, seed=1)(given.to(dtype))
        assert erased.is_contiguous()
        assert not torch.equal(erased, given.to(dtype))


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("short_side", [40, 80, 130])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_a_few_resized_at_a_time_are_what_each_alone_is(images, dtype, data_format, short_side, antialias):
    given = torch.cat([images, images])[:, :, :120].repeat_interleave(2, dim=2).to(dtype)
    if data_format == "channels_first":
        given = given.permute(0, 3, 1, 2)
    resize = kt.augment.Resize(short_side, antialias=antialias, data_format=data_format)
    alone = torch.cat([resize(given[place : place + 1]) for place in range(len(given))])
    np.testing.assert_allclose(resize(given).numpy(), alone.numpy(), atol=1e-4)
    given = given.contiguous()
    assert resize(given).is_contiguous()
    assert resize(given[:1]).is_contiguous()


@pytest.mark.filterwarnings("ignore")  # as above
def test_a_traced_resizing_takes_a_batch_of_any_size(images):
    resize = kt.augment.Resize(80)
    traced = torch.jit.trace(resize, images[:3], check_trace=False)
    np.testing.assert_allclose(traced(images).numpy(), resize(images).numpy(), atol=1e-4)


def test_gradients_reach_large_images_that_are_resized(images):
    given = images.float().requires_grad_()
    kt.augment.Resize(64)(given).sum().backward()
    assert (given.grad > 0).all()


def test_floats_are_posterized_inside_transformed_functions():
    layer, images = kt.augment.Posterize((1, 6), seed=1), torch.full((2, 4, 4, 3), 201.0)
    calls = torch.arange(3, dtype=torch.int32)
    expected = torch.stack([layer.numbered(images, call) for call in calls])
    assert len(expected.unique()) > 1
    torch.testing.assert_close(torch.func.vmap(lambda call: layer.numbered(images, call))(calls), expected)


@pytest.mark.parametrize("layout", ["whole", "every other column"])
def test_bytes_of_large_images_change_as_their_levels_say(layout):
    every = np.arange(256).repeat(3 * 128).reshape(128, 256, 3)
    thresholds, adds = np.array([0, 0.5, 1, 127.3, 128, 255, 255.5, 256]), np.array([0, 1, 127, 255, -1, -128, -255])
    threshold, add = (part.ravel() for part in np.meshgrid(thresholds, adds))
    images = torch.from_numpy(np.broadcast_to(every, (len(add), *every.shape)).astype("uint8"))
    images = images if layout == "whole" else images.repeat_interleave(2, dim=2)[:, :, ::2]
    params = {
        "add": torch.from_numpy(add.astype("float32"))[:, None, None, None],
        "threshold": torch.from_numpy(threshold.astype("float32"))[:, None, None, None],
    }
    threshold, add = threshold[:, None, None, None], add[:, None, None, None]
    solarized = kt.augment.Solarize().change_levels(images, params)
    np.testing.assert_array_equal(solarized.numpy(), np.where(every < threshold, every, 255 - every))
    added = kt.augment.SolarizeAdd().change_levels(images, params)
    np.testing.assert_array_equal(added.numpy(), np.where(every < threshold, np.clip(every + add, 0, 255), every))
