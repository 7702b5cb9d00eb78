"""One-cycle."""

from typing import Any

from keras_tricks._core import checks
from keras_tricks.schedules._base import Schedule, Tensor
from keras_tricks.schedules._phases import check_phases, follow
from keras_tricks.schedules.one_cycle_momentum import OneCycleMomentum

ALIASES = {
    "max_lr": "peak",
    "pct_start": "rise",
    "anneal_strategy": "anneal",
    "base_momentum": "low_momentum",
    "max_momentum": "high_momentum",
}


class OneCycle(Schedule):
    """Rises to `peak` during the first part of the run, and falls far below its start until the end.

    In two phases: from `start_factor * peak` to `peak` in the first `rise` of the steps, then down to
    `end_factor * peak`. In three: back to `start_factor * peak` in as many steps as the rise took, and on to the end.
    The last step, `total_steps - 1`, is the lowest, and its value is held. The curve is that of torch's OneCycleLR.

    Helps when: the length of the run is short and known: with the rate that a range test finds, far above what would
    do for the whole run, and a momentum that mirrors it (`momentum()`), training takes fewer epochs.
    Hurts when: the peak is too high for the model, or training stops early.
    Cost: nothing.

    Args:
        peak: The largest value, not below 0.
        total_steps: The number of steps of the whole run.
        rise: The share of them that the rise takes, in [0, 1]; at most 0.5 with three phases.
        start_factor: The value at step 0 as a share of `peak`, in [0, 1].
        end_factor: The value at the end as a share of `peak`, in [0, 1].
        anneal: "cosine" or "linear": the form of each phase.
        three_phase: Whether to go as in the paper's original, in three phases.
        low_momentum: What `momentum()` falls to while the rate rises, in [0, 1].
        high_momentum: What `momentum()` begins and ends with, in [0, 1].
        **aliases: torch's names, which mean what they mean there: `max_lr`, `pct_start`, `div_factor` (the peak over
            the start), `final_div_factor` (the start over the end), `anneal_strategy` ("cos" or "linear"),
            `base_momentum`, `max_momentum`.

    Raises:
        ValueError: if an argument is out of range; for a negative step.
        TypeError: for a name that is none, or given twice.

    Example:
        ```python
        schedule = kt.schedules.OneCycle(1.0, total_steps=101, rise=31 / 101, start_factor=0.1, end_factor=0.01)
        assert np.allclose([float(schedule(step)) for step in (0, 15, 30, 100)], [0.1, 0.55, 1.0, 0.01])
        assert np.allclose([float(schedule.momentum()(step)) for step in (0, 30, 100)], [0.95, 0.85, 0.95])
        ```

    Reference: [Smith & Topin, 2017](https://arxiv.org/abs/1708.07120)
    """

    peak: float = 0.0

    def __init__(
        self,
        peak: float | None = None,
        total_steps: int | None = None,
        rise: float = 0.3,
        start_factor: float = 1 / 25,
        end_factor: float = 4e-6,
        anneal: str = "cosine",
        three_phase: bool = False,
        low_momentum: float = 0.85,
        high_momentum: float = 0.95,
        **aliases: Any,
    ):
        given: dict[str, Any] = {"peak": peak, "total_steps": total_steps, "rise": rise, "start_factor": start_factor}
        given |= {"end_factor": end_factor, "anneal": anneal, "three_phase": three_phase}
        given |= {"low_momentum": low_momentum, "high_momentum": high_momentum}
        given = _with_aliases(given, aliases)
        self.peak = checks.non_negative("peak", given["peak"])
        self.total_steps, self.rise, self.anneal, self.three_phase = check_phases(
            given["total_steps"], given["rise"], given["anneal"], given["three_phase"]
        )
        self.start_factor = checks.rate("start_factor", given["start_factor"])
        self.end_factor = checks.rate("end_factor", given["end_factor"])
        self.low_momentum = checks.rate("low_momentum", given["low_momentum"])
        self.high_momentum = checks.rate("high_momentum", given["high_momentum"])

    def value(self, step: Tensor) -> Tensor:
        """The rate at `step`."""
        start, end = self.start_factor * self.peak, self.end_factor * self.peak
        ends = (start, self.peak, start, end) if self.three_phase else (start, self.peak, end)
        return follow(step, ends, self.total_steps, self.rise, self.anneal, self.three_phase)

    def momentum(self) -> OneCycleMomentum:
        """The momentum that mirrors this rate: lowest where the rate is highest."""
        return OneCycleMomentum(
            self.total_steps, self.rise, self.low_momentum, self.high_momentum, self.anneal, self.three_phase
        )


def _with_aliases(given: dict[str, Any], aliases: dict[str, Any]) -> dict[str, Any]:
    """What torch's names say, under our own."""
    known = {*ALIASES, "div_factor", "final_div_factor"}
    if unknown := sorted(aliases.keys() - known):
        raise TypeError(f"OneCycle got unexpected arguments: {', '.join(unknown)}. torch's names are {sorted(known)}")
    values = {ALIASES[name]: value for name, value in aliases.items() if name in ALIASES}
    if values.get("peak") is not None and given["peak"] is not None:
        raise TypeError("OneCycle got `peak` and `max_lr`: give one of them")
    if values.get("anneal") == "cos":
        values["anneal"] = "cosine"
    if "div_factor" in aliases:
        values["start_factor"] = 1 / checks.positive("div_factor", aliases["div_factor"])
    if "final_div_factor" in aliases:
        start = values.get("start_factor", given["start_factor"])
        values["end_factor"] = start / checks.positive("final_div_factor", aliases["final_div_factor"])
    return given | values
