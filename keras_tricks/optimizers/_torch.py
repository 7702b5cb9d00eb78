"""`_each` for torch: a few kernels for a whole list.

A factor on the processor becomes a number; one on an accelerator stays there, since reading it would wait for it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

Tensor = torch.Tensor


def _number(factor: Any) -> float | Tensor:
    return factor if isinstance(factor, Tensor) and factor.device.type != "cpu" else float(factor)


def _tensors(variables: Sequence[Any]) -> list[Tensor]:
    return [variable if isinstance(variable, Tensor) else variable.value for variable in variables]


def _products(values: list[Tensor], factor: float | Tensor) -> list[Tensor]:
    return list(torch._foreach_mul(values, factor))


@torch.no_grad()
def copies(variables: Sequence[Any]) -> list[Tensor]:
    return [value.detach().clone() for value in _tensors(variables)]


@torch.no_grad()
def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    if variables:
        torch._foreach_copy_(_tensors(variables), _tensors(values))


@torch.no_grad()
def go_part_of_the_way(variables: Sequence[Any], starts: Sequence[Any], share: Any) -> None:
    values, starts, share = _tensors(variables), _tensors(starts), _number(share)
    if isinstance(share, Tensor):
        for value, start in zip(values, starts, strict=True):
            factor = share.to(value.dtype)
            value.copy_(torch.where(factor == 0, start, value + (1 - factor) * (start - value)))
    elif share == 0:
        torch._foreach_copy_(values, starts)
    elif share != 1:
        torch._foreach_lerp_(values, starts, 1 - share)


def is_known_to_be(value: Any, number: float) -> bool:
    known = _number(value)
    return isinstance(known, float) and known == number


@torch.no_grad()
def norm(values: Sequence[Any]) -> Tensor:
    # Each of these is a number of its own, and their norm is the norm of all.
    each = torch._foreach_norm([value.float() for value in _tensors(values)])
    return torch.linalg.vector_norm(torch.stack(list(each)))


@torch.no_grad()
def norms(values: Sequence[Any]) -> list[Tensor]:
    return list(torch._foreach_norm(_tensors(values)))


@torch.no_grad()
def products(values: Sequence[Any], factors: Any) -> list[Tensor]:
    bases = _tensors(values)
    if isinstance(factors, list):
        return list(torch._foreach_mul(bases, [f.to(b.dtype) for f, b in zip(factors, bases, strict=True)]))
    return _products(bases, _number(factors))


@torch.no_grad()
def scale(variables: Sequence[Any], factor: Any) -> None:
    torch._foreach_mul_(_tensors(variables), _number(factor))


@torch.no_grad()
def add(variables: Sequence[Any], values: Sequence[Any], factor: Any = 1.0) -> None:
    targets, addends, factor = _tensors(variables), _tensors(values), _number(factor)
    if isinstance(factor, Tensor):
        addends, factor = _products(addends, factor), 1.0
    torch._foreach_add_(targets, addends, alpha=factor)


@torch.no_grad()
def interpolate(variables: Sequence[Any], targets: Sequence[Any], share: Any) -> None:
    values, share = _tensors(variables), _number(share)
    goals = [goal.to(value.dtype) for goal, value in zip(_tensors(targets), values, strict=True)]
    # One weight per tensor: a single 0-d tensor would be read back to the host at every update.
    torch._foreach_lerp_(values, goals, [share.to(v.dtype) for v in values] if isinstance(share, Tensor) else share)


@torch.no_grad()
def interpolate_if(variables: Sequence[Any], targets: Sequence[Any], share: Any, condition: Tensor) -> None:
    if condition.device.type != "cpu":
        # Where it is known only there: to ask would be to wait.
        interpolate(variables, targets, torch.where(condition, share, torch.zeros_like(share)))
    elif condition:
        interpolate(variables, targets, share)


@torch.no_grad()
def interpolate_squares(variables: Sequence[Any], values: Sequence[Any], share: Any) -> None:
    targets, bases, share = _tensors(variables), _tensors(values), _number(share)
    torch._foreach_mul_(targets, 1 - share)
    if isinstance(share, Tensor):
        torch._foreach_addcmul_(targets, _products(bases, share), bases)
    else:
        torch._foreach_addcmul_(targets, bases, bases, value=share)


@torch.no_grad()
def add_quotients(
    variables: Sequence[Any], numerators: Sequence[Any], denominators: Sequence[Any], factor: Any
) -> None:
    targets, above, below, factor = _tensors(variables), _tensors(numerators), _tensors(denominators), _number(factor)
    if isinstance(factor, Tensor):
        above, factor = _products(above, factor), 1.0
    torch._foreach_addcdiv_(targets, above, below, value=factor)


@torch.no_grad()
def roots(variables: Sequence[Any], factor: Any, offset: Any) -> list[Tensor]:
    values = list(torch._foreach_sqrt(_tensors(variables)))
    torch._foreach_mul_(values, _number(factor))
    torch._foreach_add_(values, _number(offset))
    return values


@torch.no_grad()
def sums(values: Sequence[Any], others: Sequence[Any], factor: Any) -> list[Tensor]:
    addends, factor = _tensors(others), _number(factor)
    if isinstance(factor, Tensor):
        addends, factor = _products(addends, factor), 1.0
    return list(torch._foreach_add(_tensors(values), addends, alpha=factor))


@torch.no_grad()
def quotients(numerators: Sequence[Any], denominators: Sequence[Any]) -> list[Tensor]:
    return list(torch._foreach_div(_tensors(numerators), _tensors(denominators)))


def _can_fuse(numbers: Sequence[Any], *lists: list[Tensor]) -> bool:
    """Whether torch's fused kernels, which do not look at strides, take the tensors, and the numbers are at hand."""
    return all(isinstance(_number(number), float) for number in numbers) and all(
        tensor.dtype == torch.float32 and tensor.device.type == "cpu" and tensor.is_contiguous()
        for tensors in lists
        for tensor in tensors
    )


@torch.no_grad()
def moved_by_momentum(
    variables: Sequence[Any],
    gradients: Sequence[Any],
    velocities: Sequence[Any],
    learning_rate: Any,
    momentum: Any,
    nesterov: bool,
) -> bool:
    lists = _tensors(variables), _tensors(gradients), _tensors(velocities)
    # Without momentum torch's kernel leaves the velocity as it was, for when there is one again.
    if not _can_fuse((learning_rate, momentum), *lists) or not float(momentum):
        return False
    buffers: list[Tensor | None] = [*lists[2]]
    sgd(
        *lists[:2],
        buffers,
        foreach=False,
        fused=True,
        weight_decay=0.0,
        momentum=float(momentum),
        lr=float(learning_rate),
        dampening=0.0,
        nesterov=nesterov,
        maximize=False,
    )
    return True


@torch.no_grad()
def moved_by_moments(
    variables: Sequence[Any],
    gradients: Sequence[Any],
    means: Sequence[Any],
    squares: Sequence[Any],
    learning_rate: Any,
    betas: tuple[Any, Any],
    epsilon: Any,
    step: Any,
) -> bool:
    lists = _tensors(variables), _tensors(gradients), _tensors(means), _tensors(squares)
    if not _can_fuse((learning_rate, *betas, epsilon, step), *lists):
        return False
    adamw(
        *lists,
        [],
        list(torch.full((len(lists[0]),), float(step) - 1.0, device="cpu").unbind()),  # it counts on by itself
        foreach=False,
        fused=True,
        amsgrad=False,
        beta1=float(betas[0]),
        beta2=float(betas[1]),
        lr=float(learning_rate),
        weight_decay=0.0,
        eps=float(epsilon),
        maximize=False,
    )
    return True


def gradient(function: Callable[[Tensor], Tensor], value: Any) -> Tensor:
    """That of `function` at `value`."""
    with torch.enable_grad():
        leaf = _tensors([value])[0].detach().requires_grad_()
        return torch.autograd.grad(function(leaf), leaf)[0]
