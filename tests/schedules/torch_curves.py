"""The learning rates, and momenta, that PyTorch's own schedulers give, whatever the backend under test."""

import warnings
from collections.abc import Callable
from typing import Any

import torch


def torch_curve(
    schedulers: Callable[[Any], Any], steps: int, initial: float = 1.0, name: str = "lr", momentum: float = 0.9
) -> list[float]:
    """What is called `name` at each of `steps` updates of SGD, under the scheduler that `schedulers(optimizer)` makes.

    The rate begins with `initial`, unless the scheduler says otherwise.
    """
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial, momentum=momentum)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR calls its schedulers in a way that PyTorch deprecates
        scheduler = schedulers(optimizer)
        for _ in range(steps):
            rates.append(optimizer.param_groups[0][name])
            optimizer.step()
            if len(rates) < steps:  # one-cycle has no step after its last one
                scheduler.step()
    return rates
