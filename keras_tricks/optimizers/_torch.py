"""List-wise arithmetic for torch, where one kernel for each of many small tensors is what an update costs."""

from typing import Any

import keras
import torch


@torch.no_grad()
def move(variables: list[keras.Variable], targets: list[keras.Variable], share: Any) -> None:
    """`variable += share * (target - variable)` for whole lists."""
    values = [variable.value for variable in variables]
    goals = [target.value.to(value.dtype) for target, value in zip(targets, values, strict=True)]
    # One weight per tensor: a single 0-d tensor would be read back to the host at every update.
    torch._foreach_lerp_(values, goals, [share.to(value.dtype) for value in values])
