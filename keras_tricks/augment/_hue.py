"""Turning the hue of colours, given as three planes: red, green and blue, each `(batch, height, width)`."""

from typing import Any

import numpy as np

from keras_tricks._core import ops

Tensor = Any
Planes = list[Tensor]

# The pure colours in sixths of the circle, and half of it.
RED, GREEN, BLUE = SECTORS = (0.0, 2.0, 4.0)
HALF = 3.0
# Luma, and two axes of colour in whose plane the hue is an angle.
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def shift_hue(planes: Planes, turns: Tensor) -> Planes:
    """The hue of HSV moved by `turns`, `(batch, 1, 1)`, round the circle; saturation and value stay."""
    red, green, blue = planes
    high = ops.maximum(ops.maximum(red, green), blue)
    span = high - ops.minimum(ops.minimum(red, green), blue)
    most_red, most_green = red >= high, green >= high
    difference = ops.where(most_red, green - blue, ops.where(most_green, blue - red, red - green))
    zero = ops.zeros_like(high)
    sector = ops.where(most_red, zero + RED, ops.where(most_green, zero + GREEN, zero + BLUE))
    hue = sector + difference / ops.where(span > 0, span, zero + 1.0) + 6.0 * turns
    hue = hue - 6.0 * ops.floor(hue * (1 / 6))
    # How far it is from each pure colour: up to 1 the channel has its highest level, from 2 on its lowest.
    away = [HALF - ops.abs(hue - HALF), ops.abs(hue - GREEN), ops.abs(hue - BLUE)]
    return [high - span * ops.clip(distance - 1.0, 0.0, 1.0) for distance in away]


def rotate_hue(planes: Planes, turns: Tensor) -> Planes:
    """The colours rotated about the gray axis of YIQ by `turns`, `(batch, 1, 1)`, with unchanged luma; unclipped."""
    back = np.linalg.inv(YIQ)
    still, turned, crossed = (
        back @ np.array(rotation, "float64") @ YIQ
        for rotation in (
            [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
            [[0, 0, 0], [0, 1, 0], [0, 0, 1]],
            [[0, 0, 0], [0, 0, 1], [0, -1, 0]],
        )
    )
    cosine, sine = ops.cos(2 * np.pi * turns), ops.sin(2 * np.pi * turns)
    rotated = []
    for row in range(3):
        weights = [
            float(still[row, column]) + float(turned[row, column]) * cosine + float(crossed[row, column]) * sine
            for column in range(3)
        ]
        rotated.append(weights[0] * planes[0] + weights[1] * planes[1] + weights[2] * planes[2])
    return rotated
