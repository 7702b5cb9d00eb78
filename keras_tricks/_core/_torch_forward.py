"""A pass through a model in training mode on torch: without gradients."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import torch


def forward(model: keras.Model, measured: Callable[[Any], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """`run(state, data)` gives `measured(data)` and no state: the variables hold it."""
    step = torch.no_grad()(measured)
    return lambda state, data: (step(data), state)


def random_numbers_kept() -> contextlib.AbstractContextManager[None]:
    """Afterwards torch's generators, from which Keras' dropout without a seed draws, are where they were."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))
