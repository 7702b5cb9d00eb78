"""What a range test found."""

import dataclasses
import pathlib
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class LearningRateRange:
    """The curve of a range test, and what can be read off it. Printing it says the verdict in a line.

    Attributes:
        rates: The learning rate of each update, `(updates,)` float64: a geometric ladder, as far as it was climbed.
        losses: The loss of each update's batch, before the update; the validation loss after it, if there were data.
        smoothed: Their running mean, corrected for its start.
        steepest: The rate where the smoothed loss falls fastest over the logarithm of the rate.
        valley: The rate half of the way along the longest falling subsequence.
        bottom_over_ten: A tenth of the rate of the lowest loss.
        slide: The rate where, coming from the right, the slope of the curve first stays about the same.
        half_of_edge: Half of the largest rate at which the smoothed loss is still low: no more than a fifth of its
            fall above its lowest value.
        suggestion: The peak of a one-cycle run that the test speaks for: of the five, the one that held up best
            (evidence/range-test-*.json): `half_of_edge` for SGD, `steepest` for optimizers that divide by the size of
            the gradient, as Adam does. None if the curve shows none.
        reason: Why there is no suggestion, or what limits it; None if nothing does.
        ended: "the end of the ladder", "divergence" or "a loss that is not finite".

    Example:
        ```python
        x = np.random.normal(size=(64, 3))
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        found = kt.diagnostics.learning_rate_range(model, (x, x[:, :1]), steps=30, verbose=0)
        assert set(found.suggestions) == {"steepest", "valley", "bottom_over_ten", "slide", "half_of_edge"}
        assert "learning rate" in str(found)
        ```
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    steepest: float | None
    valley: float | None
    bottom_over_ten: float | None
    slide: float | None
    half_of_edge: float | None
    suggestion: float | None
    reason: str | None
    ended: str

    @property
    def suggestions(self) -> dict[str, float | None]:
        """The five readings by name."""
        names = ("steepest", "valley", "bottom_over_ten", "slide", "half_of_edge")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        span = f"{len(self.rates)} updates from {self.rates[0]:.1e} to {self.rates[-1]:.1e}"
        if self.suggestion is None:
            return f"No learning rate to suggest: {self.reason} ({span}, until {self.ended})"
        limits = "" if self.reason is None else f"; {self.reason}"
        return f"Suggested peak learning rate: {self.suggestion:.2g} ({span}, until {self.ended}{limits})"

    def plot(self, path: str | pathlib.Path | None = None, axes: Any = None) -> Any:
        """Draws the losses over the rates with matplotlib, and the readings; writes a picture if `path` is given.

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
        figure = None
        if axes is None:
            figure = Figure(figsize=(7, 4.2), layout="constrained")
            axes = figure.subplots()
        axes.semilogx(self.rates, self.losses, ".", color="0.75", markersize=4, label="loss of a batch")
        axes.semilogx(self.rates, self.smoothed, color="C0", label="smoothed")
        for index, (name, rate) in enumerate(self.suggestions.items()):
            if rate not in (None, self.suggestion):
                label = f"{name.replace('_', ' ')}: {rate:.2g}"
                axes.axvline(rate, color=f"C{index + 1}", linestyle=":", label=label)
        if self.suggestion is not None:
            axes.axvline(self.suggestion, color="black", linewidth=1.5, label=f"suggestion: {self.suggestion:.2g}")
        start, lowest = float(np.median(self.smoothed[:10])), float(self.losses.min())
        room = abs(start - lowest) + 1e-6
        axes.set_ylim(lowest - 0.1 * room, start + 0.7 * room)
        axes.set(xlabel="learning rate", ylabel="loss", title="Learning-rate range test")
        axes.legend(fontsize="small")
        if path is not None:
            axes.figure.savefig(path, dpi=120)
        return axes
