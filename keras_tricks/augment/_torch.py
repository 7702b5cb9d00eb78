"""What torch does several times faster by an operation of its own."""

from typing import Any

import torch


def bilinear(images: Any, x: Any, y: Any) -> Any:
    """See `keras_tricks.augment._resampling.bilinear`."""
    height, width = images.shape[1:3]
    x, y = torch.broadcast_tensors(x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1)
    seen = torch.nn.functional.grid_sample(
        images.permute(0, 3, 1, 2).float(),
        torch.stack([x, y], -1).expand(len(images), -1, -1, -1),
        padding_mode="border",
        align_corners=True,
    )
    return seen.permute(0, 2, 3, 1)


def resize(images: Any, size: tuple[int, int], antialias: bool) -> Any:
    """Whole images resized, bilinearly, float32."""
    resized = torch.nn.functional.interpolate(
        images.permute(0, 3, 1, 2).float(), size=size, mode="bilinear", antialias=antialias
    )
    return resized.permute(0, 2, 3, 1)
