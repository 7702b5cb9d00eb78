"""The learning rates that PyTorch's own schedulers give, whatever the backend under test."""

import warnings
from collections.abc import Callable
from typing import Any

import torch


def torch_curve(schedulers: Callable[[Any], Any], steps: int, initial: float = 1.0) -> list[float]:
    """The rate at each of `steps` updates, from `initial` under the scheduler that `schedulers(optimizer)` makes."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR calls its schedulers in a way that PyTorch deprecates
        scheduler = schedulers(optimizer)
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return rates
