"""Reading a rate off the curve of a range test. Rates are on a geometric ladder; a suggestion is a place on it."""

import numpy as np

SKIPPED_SHARE = 0.1  # of the first losses, where the smoothed curve is still the noise of single batches
# Of what the loss has fallen by: as much above the lowest it counts as low, and as much as risen for good.
LOW_SHARE = 0.2
RISEN_SHARE = 0.5
SLIDE_WIDTH = 15
SLIDE_THRESHOLD = 0.005


def smooth(losses: np.ndarray, smoothing: float) -> np.ndarray:
    """The running mean that keeps the share `smoothing` at each step, corrected for its start at 0."""
    steps = np.arange(1, len(losses) + 1)
    mean, means = 0.0, []
    for loss in losses:
        mean = smoothing * mean + (1 - smoothing) * float(loss)
        means.append(mean)
    return np.array(means) / (1 - smoothing**steps)


def steepest(smoothed: np.ndarray) -> int | None:
    """Where the loss falls fastest for each step on the ladder, that is over the logarithm of the rate."""
    first = int(SKIPPED_SHARE * len(smoothed))
    bottom = _bottom(smoothed)
    if bottom - first < 2:
        return None
    slopes = np.gradient(smoothed)[first : bottom + 1]
    return first + int(np.argmin(slopes)) if slopes.min() < 0 else None


def valley(smoothed: np.ndarray) -> int | None:
    """Half of the way along the longest falling subsequence, of losses of which each is below the one before.

    With its length l and its end e: from e - l on, a third of l and half of that third.
    """
    lengths = np.ones(len(smoothed), int)
    for place in range(1, len(smoothed)):
        above = lengths[:place][smoothed[:place] > smoothed[place]]
        lengths[place] += above.max(initial=0)
    end = int(np.argmax(lengths))
    length = int(lengths[end])
    third = length / 3
    return max(0, end - length + int(third) + int(third / 2)) if length > 2 else None


def bottom_over_ten(rates: np.ndarray, smoothed: np.ndarray) -> float:
    """A tenth of the rate of the lowest loss."""
    return float(rates[_bottom(smoothed)] / 10)


def edge(smoothed: np.ndarray) -> int:
    """The last place where the loss is still low, before it has risen for good."""
    bottom = _bottom(smoothed)
    fallen = float(np.median(smoothed[: max(1, int(SKIPPED_SHARE * len(smoothed)))])) - smoothed[bottom]
    above = smoothed[bottom:] - smoothed[bottom]
    risen = np.flatnonzero(above > RISEN_SHARE * fallen)
    basin = above[: risen[0]] if len(risen) else above
    return bottom + int(np.flatnonzero(basin <= LOW_SHARE * fallen).max(initial=0))


def slide(smoothed: np.ndarray) -> int | None:
    """Coming down from the right, the left end of the last interval whose ends differ in slope.

    To its left the curve has about the same slope over `SLIDE_WIDTH` places. None if there is no such place, or if it
    is the right end already.
    """
    slopes = np.gradient(smoothed) if len(smoothed) > 1 else np.zeros(1)
    right = len(slopes) - 1
    while right >= SLIDE_WIDTH and abs(slopes[right] - slopes[right - SLIDE_WIDTH]) > SLIDE_THRESHOLD:
        right -= 1
    return right + 1 - SLIDE_WIDTH if SLIDE_WIDTH <= right < len(slopes) - 1 else None


def has_fallen(losses: np.ndarray, smoothed: np.ndarray, smoothing: float) -> bool:
    """Whether the smoothed loss falls further than chance would take it.

    That is, by more than 4.5 standard errors: of its lowest value after the first ones, and of the mean of the losses
    in the first half of the way there. The spread of single losses is that of neighbours, which a trend hardly touches.
    """
    first = max(1, int(SKIPPED_SHARE * len(smoothed)))
    if len(smoothed) <= first + 1:
        return False
    bottom = first + int(np.argmin(smoothed[first:]))
    before = losses[: max(first, bottom // 2)]
    spread = float(np.median(np.abs(np.diff(losses[: bottom + 1])))) / 0.954
    kept = smoothing ** (bottom + 1)
    variance = (1 - smoothing) / (1 + smoothing) * (1 + kept) / (1 - kept) + 1 / len(before)
    return bool(before.mean() - smoothed[bottom] > 4.5 * spread * np.sqrt(variance))


def _bottom(smoothed: np.ndarray) -> int:
    return int(np.argmin(smoothed))
