"""What a fit by L-BFGS found."""

import dataclasses
import pathlib
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class LBFGSFit:
    """How far a fit by L-BFGS got. Printing it says so in a line.

    Attributes:
        objective: The lowest objective that was found; the model has its weights.
        iterations: Steps along a direction; each takes one evaluation or a few.
        evaluations: How often loss and gradient were computed over all of the data.
        converged: Whether it ended because there was hardly anything left to gain.
        message: Why it ended, in SciPy's words.
        history: The objective at the start and after each iteration, `(iterations + 1,)` float64.
    """

    objective: float
    iterations: int
    evaluations: int
    converged: bool
    message: str
    history: np.ndarray

    def __str__(self) -> str:
        verdict = "converged" if self.converged else "did not converge"
        return (
            f"L-BFGS {verdict}: objective {self.objective:.8g}, from {self.history[0]:.6g}, after {self.iterations} "
            f"iterations and {self.evaluations} evaluations ({self.message})"
        )

    def plot(self, path: str | pathlib.Path | None = None, axes: Any = None) -> Any:
        """Draws the objective over the iterations with matplotlib; writes a picture if `path` is given.

        Args:
            path: A file to write; its folder must exist.
            axes: Where to draw; new ones by default.

        Returns:
            The axes.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError('Drawing needs matplotlib: pip install "keras-tricks[cli]"') from error
        if axes is None:
            axes = Figure(figsize=(7, 4.2), layout="constrained").subplots()
        axes.plot(self.history)
        axes.set(xlabel="iteration", ylabel="objective", title="L-BFGS")
        if path is not None:
            axes.figure.savefig(path, dpi=120)
        return axes
