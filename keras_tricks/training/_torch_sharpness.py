"""Two passes over a batch on torch: for the second, the parameters themselves hold the raised weights."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch

from keras_tricks.training import _pieces, _sharpness
from keras_tricks.training.sam import SAM

Tensor = torch.Tensor


def train_in_two_passes(trainer: keras.Model, step: Callable[[Any], Any], data: Any) -> Any:
    """One update from one batch."""
    state = [(variable, variable.value.detach().clone()) for variable in trainer.non_trainable_variables]
    is_due = trainer.sharpness.every == 1 or bool(_sharpness.is_due(trainer))
    with _pieces.gradients_kept(trainer) as keeper:
        logs = step(data)
    weights = trainer.trainable_weights
    if not weights:
        return logs
    gradients = _second(trainer, data, state, keeper.gradients) if is_due else keeper.gradients
    with torch.no_grad():
        trainer.optimizer.apply(gradients, weights)
    return logs


def _second(trainer: keras.Model, data: Any, state: list[Any], first: list[Any]) -> list[Any]:
    weights = trainer.trainable_weights
    places = _sharpness.moved(weights, first)
    parameters = [weights[place].value for place in places]
    tops, norm = raised(trainer.sharpness, parameters, [first[place] for place in places])
    values = [parameter.data for parameter in parameters]
    # What modules of torch inside the model count by themselves.
    buffers = [(buffer, buffer.clone()) for buffer in trainer.buffers()]
    try:
        for parameter, top in zip(parameters, tops, strict=True):
            parameter.data = top
        mapping = [*state, *((weight, weight.value) for weight in weights)]
        with keras.StatelessScope(mapping, collect_losses=True):
            loss = _sharpness.scaled_loss(trainer, data)
            found = torch.autograd.grad(loss, parameters, materialize_grads=True)
    finally:
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data = value
        for buffer, before in buffers:
            buffer.copy_(before)
    gradients = list(first)
    for place, gradient in zip(places, found, strict=True):
        gradients[place] = gradient
    if _sharpness.skips_overflow(trainer.optimizer):
        torch._foreach_add_(found, 0 * norm)
    return gradients


@torch.no_grad()
def raised(sharpness: SAM, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
    """`_sharpness.raised` with a few kernels for the whole list."""
    dtypes = [weight.dtype for weight in weights]
    widths = [torch.promote_types(dtype, torch.float32) for dtype in dtypes]
    weights = [weight.to(width) for weight, width in zip(weights, widths, strict=True)]
    slopes: Sequence[Tensor] = [gradient.to(width) for gradient, width in zip(gradients, widths, strict=True)]
    sizes: Sequence[Tensor] = []
    if sharpness.adaptive:
        sizes = torch._foreach_abs(weights)
        torch._foreach_add_(sizes, _sharpness.ETA)
        slopes = torch._foreach_mul(slopes, sizes)
    norms = [norm.to(torch.float32) for norm in torch._foreach_norm(slopes)]
    norm = torch.linalg.vector_norm(torch.stack(norms))
    length = torch.where(norm > 0, sharpness.rho / norm, 0.0)
    tops = torch._foreach_mul(slopes, length)
    if sizes:
        torch._foreach_mul_(tops, sizes)
    torch._foreach_add_(tops, weights)
    return [top.to(dtype) for top, dtype in zip(tops, dtypes, strict=True)], norm
