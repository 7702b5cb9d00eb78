"""The phases of a one-cycle run, which its rate and its momentum share."""

import math
from collections.abc import Sequence

from keras import ops

from keras_tricks._core import checks
from keras_tricks.schedules._base import Tensor

ANNEALS = ("cosine", "linear")


def check_phases(total_steps: int, rise: float, anneal: str, three_phase: bool) -> tuple[int, float, str, bool]:
    """Approves of the arguments that say where the phases end, and how they pass."""
    total_steps, rise = checks.count("total_steps", total_steps), checks.rate("rise", rise)
    three_phase = checks.one_of("three_phase", three_phase, (True, False))
    if three_phase and rise > 0.5:
        raise checks.fail("rise", "at most 0.5 with three phases, because the second is as long", rise)
    return total_steps, rise, checks.one_of("anneal", anneal, ANNEALS), three_phase


def follow(
    step: Tensor, ends: Sequence[float], total_steps: int, rise: float, anneal: str, three_phase: bool
) -> Tensor:
    """From the first of the values `ends` to the next ones, a phase for each, at `step`; the last one is held.

    The phases end, as torch's do, at step `rise * total_steps - 1`, with three phases at twice that, and at the last
    step.
    """
    first = rise * total_steps - 1
    borders = [first, 2 * first, total_steps - 1] if three_phase else [first, total_steps - 1]
    place = ops.cast(step, "float32")
    begin, result = 0.0, ops.zeros_like(place) + ends[-1]
    phases = []
    for border, start, end in zip(borders, ends[:-1], ends[1:], strict=True):
        left = ops.clip((border - place) / max(border - begin, 1e-6), 0.0, 1.0)
        if anneal == "cosine":
            left = ops.sin(0.5 * math.pi * left) ** 2
        phases.append((border, end + (start - end) * left))
        begin = border
    for border, value in reversed(phases):
        result = ops.where(place <= border, value, result)
    return result
