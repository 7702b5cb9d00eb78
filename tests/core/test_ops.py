import importlib
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_tricks as kt
from keras_tricks._core import ops
from tests.running import BACKEND, to_numpy

PACKAGE = Path(kt.__file__).parent
only_torch = pytest.mark.skipif(
    BACKEND != "torch", reason="the other backends keep no constants: each graph has its own"
)


def test_every_operation_that_an_augmentation_names_is_there_in_a_pipeline_of_another_backend():
    pytest.importorskip("tensorflow")
    tensorflow_ops = importlib.import_module("keras_tricks._core._tensorflow_ops")
    files = [*PACKAGE.glob("augment/*.py"), PACKAGE / "_core" / "random.py", PACKAGE / "_core" / "ops.py"]
    named = {
        name
        for file in files
        for name in re.findall(r"(?<!keras\.)\b(?:_namespace\(\)|ops)\.([a-z]\w*)", file.read_text())
    }
    assert len(named) > 50
    missing = {name for name in named - vars(ops).keys() if not hasattr(tensorflow_ops, name)}
    assert not missing


@only_torch
class TestConstantsOfTorch:
    def test_made_in_inference_mode_they_can_be_used_where_gradients_are_computed(self):
        torch = importlib.import_module("torch")
        layer = kt.augment.Normalize(0.271, 0.828)
        images = torch.ones((2, 4, 4, 3))
        with torch.inference_mode():
            layer(images)
        images = torch.ones((2, 4, 4, 3), requires_grad=True)
        layer(images).sum().backward()
        np.testing.assert_allclose(images.grad.numpy(), 1 / (255 * 0.828), rtol=1e-5)

    def test_a_model_that_was_exported_goes_on_working(self):
        torch = importlib.import_module("torch")
        model = keras.Sequential([keras.Input((4, 4, 3)), kt.augment.Normalize(0.314, 0.159)])
        images = torch.ones((2, 4, 4, 3))
        torch.export.export(model, (images,), strict=False)
        assert type(model(images)) is torch.Tensor
        np.testing.assert_allclose(to_numpy(model(images)), (1 / 255 - 0.314) / 0.159, rtol=1e-5)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: kt.augment.RandomFlip(seed=1),
            lambda: kt.augment.RandomCrop(padding=2, seed=1),
            lambda: kt.augment.Normalize(0.4, 0.3),
            lambda: kt.augment.ColorJitter(0.4, 0.4, 0.4, 0.1, seed=1),
        ],
    )
    def test_torchs_compiler_takes_a_layer(self, make):
        torch = importlib.import_module("torch")
        images = torch.arange(4 * 6 * 6 * 3, dtype=torch.float32).reshape(4, 6, 6, 3) % 255
        layer, plain = make(), make()
        compiled = torch.compile(lambda images: layer(images), backend="eager")
        for _ in range(3):
            np.testing.assert_allclose(to_numpy(compiled(images)), to_numpy(plain(images)), rtol=1e-5, atol=1e-3)
