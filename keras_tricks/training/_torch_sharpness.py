"""Two passes over a batch on torch: for the second, the parameters themselves hold the raised weights."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import torch

from keras_tricks.training import _pieces, _sharpness
from keras_tricks.training.sam import SAM

Tensor = torch.Tensor


def train_in_two_passes(trainer: keras.Model, step: Callable[[Any], Any], data: Any) -> Any:
    """One update from one batch."""
    if trainer.sharpness.every > 1 and not bool(_sharpness.is_due(trainer)):
        return step(data)
    state = [(variable, variable.value.detach().clone()) for variable in trainer.non_trainable_variables]
    generators = _generators(trainer)
    with _pieces.gradients_kept(trainer) as keeper:
        logs = step(data)
    weights = trainer.trainable_weights
    if not weights:
        return logs
    after = _generators(trainer)
    _go_on_from(generators)
    gradients = _second(trainer, data, state, keeper.gradients)
    _go_on_from(after)
    with torch.no_grad():
        trainer.optimizer.apply(gradients, weights)
    return logs


def _second(trainer: keras.Model, data: Any, state: list[Any], first: list[Any]) -> list[Any]:
    """The gradients at the raised weights."""
    weights = trainer.trainable_weights
    places = _sharpness.moved(weights, first)
    parameters = [weights[place].value for place in places]
    tops, norm = raised(trainer.sharpness, parameters, [first[place] for place in places])
    values = [parameter.data for parameter in parameters]
    buffers = [
        (buffer, buffer.clone()) for module in _with_buffers(trainer) for buffer in module.buffers(recurse=False)
    ]
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
    if _sharpness.skips_overflow(trainer.optimizer):
        found = torch._foreach_add(found, 0 * norm)
    gradients = list(first)
    for place, gradient in zip(places, found, strict=True):
        gradients[place] = gradient
    return gradients


def _generators(trainer: keras.Model) -> list[tuple[Any, Tensor]]:
    """Torch's own generators, which Keras' dropout draws from if it has no seed, and their states."""
    device = keras.ops.convert_to_tensor(trainer.optimizer.iterations).device
    owners = [torch] if device.type == "cpu" else [torch, torch.get_device_module(device)]
    return [(owner, owner.get_rng_state()) for owner in owners]


def _go_on_from(generators: list[tuple[Any, Tensor]]) -> None:
    for owner, state in generators:
        owner.set_rng_state(state)


def _with_buffers(trainer: keras.Model) -> list[torch.nn.Module]:
    """The modules of torch inside the model that count things by themselves, as torch's BatchNorm does."""
    if "_with_buffers" not in trainer.__dict__:
        found = {id(module): module for module in _modules(trainer) if any(True for _ in module.buffers(recurse=False))}
        trainer.__dict__["_with_buffers"] = list(found.values())
    return trainer.__dict__["_with_buffers"]


def _modules(root: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Those that torch knows of, and the layers of Keras models, which it does not."""
    for module in root.modules():
        yield module
        if isinstance(module, keras.Model):
            for layer in module.layers:
                yield from _modules(layer)


@torch.no_grad()
def raised(sharpness: SAM, weights: list[Tensor], gradients: list[Tensor]) -> tuple[list[Tensor], Tensor]:
    """`_sharpness.raised` with a few kernels for the whole list."""
    dtypes = [weight.dtype for weight in weights]
    widths = [torch.promote_types(dtype, torch.float32) for dtype in dtypes]
    weights = [weight.to(width) for weight, width in zip(weights, widths, strict=True)]
    slopes = [gradient.to(width) for gradient, width in zip(gradients, widths, strict=True)]
    sizes: list[Tensor] = []
    if sharpness.adaptive:
        sizes = list(torch._foreach_abs(weights))
        torch._foreach_add_(sizes, _sharpness.ETA)
        slopes = list(torch._foreach_mul(slopes, sizes))
    norms = [norm.to(torch.float32) for norm in torch._foreach_norm(slopes)]
    norm = torch.linalg.vector_norm(torch.stack(norms))
    length = torch.where(norm > 0, sharpness.rho / norm, 0.0)
    tops = torch._foreach_mul(slopes, length)
    if sizes:
        torch._foreach_mul_(tops, sizes)
    torch._foreach_add_(tops, weights)
    return [top.to(dtype) for top, dtype in zip(tops, dtypes, strict=True)], norm
