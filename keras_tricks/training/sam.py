"""Sharpness-aware minimization."""

import dataclasses

from keras_tricks._core import checks
from keras_tricks._core.config import Configured


@dataclasses.dataclass(frozen=True)
class SAM(Configured):
    """TODO."""

    rho: float = 0.05
    adaptive: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        for name, value in {
            "rho": checks.positive("rho", self.rho),
            "adaptive": checks.one_of("adaptive", self.adaptive, (True, False)),
            "every": checks.count("every", self.every),
        }.items():
            object.__setattr__(self, name, value)
