import numpy as np

from keras_tricks.diagnostics import _curve

RATES = np.geomspace(1e-7, 10.0, 101)


def s_curve() -> np.ndarray:
    """Flat, steepest at place 40, lowest at 60, then up."""
    places = np.arange(101)
    return 2 - 1.5 / (1 + np.exp(-(places - 40) / 4)) + np.where(places > 60, 0.002 * (places - 60.0) ** 2, 0.0)


def test_the_smoothed_curve_is_the_mean_weighted_by_age():
    losses = np.random.default_rng(0).normal(size=20)
    for place in (0, 3, 19):
        weights = 0.8 ** np.arange(place, -1, -1)
        assert np.isclose(_curve.smooth(losses, 0.8)[place], weights @ losses[: place + 1] / weights.sum())
    np.testing.assert_allclose(_curve.smooth(np.full(50, 3.0), 0.98), 3.0)
    np.testing.assert_array_equal(_curve.smooth(losses, 0.0), losses)


def test_the_steepest_place_is_where_the_slope_over_the_logarithm_is_lowest():
    assert _curve.steepest(s_curve()) == 40
    assert _curve.steepest(np.linspace(0, 1, 50)) is None
    assert _curve.steepest(np.ones(50)) is None


def test_the_valley_is_half_of_the_way_along_the_longest_falling_subsequence():
    curve = s_curve()
    # 61 places fall, the last of them 60: from -1 on, 20 and 10 of them.
    assert np.argmin(curve) == 61
    assert _curve.valley(curve) in (29, 30)
    assert _curve.valley(np.array([5.0, 6.0, 4.0, 7.0, 3.0, 2.0, 9.0])) == 5 - 4 + 1 + 0
    assert _curve.valley(np.linspace(0, 1, 50)) is None


def test_a_tenth_of_the_best_rate():
    curve = s_curve()
    assert _curve.bottom_over_ten(RATES, curve) == RATES[np.argmin(curve)] / 10


def test_slide_stops_left_of_the_rise():
    curve = s_curve()
    place = _curve.slide(curve)
    slopes = np.gradient(curve)
    differences = np.abs(slopes[15:] - slopes[:-15])
    last_alike = np.flatnonzero(differences <= 0.005)[-1]  # the left end of the last interval of one slope
    assert place == last_alike + 1
    assert _curve.slide(np.ones(50)) is None
    assert _curve.slide(np.linspace(0, 1, 50) ** 4 * 100) is None  # nowhere alike


def test_a_fall_is_told_from_chance():
    generator = np.random.default_rng(3)
    fooled = 0
    for smoothing in (0.0, 0.9, 0.98):
        for _ in range(200):
            losses = generator.normal(size=100)
            fooled += _curve.has_fallen(losses, _curve.smooth(losses, smoothing), smoothing)
    assert fooled <= 6
    for depth in (2.0, 1.0):
        losses = depth * s_curve() + 0.2 * generator.normal(size=101)
        assert _curve.has_fallen(losses, _curve.smooth(losses, 0.9), 0.9)
    assert not _curve.has_fallen(np.ones(20), np.ones(20), 0.9)


def test_the_edge_is_the_last_place_before_the_loss_has_risen_for_good():
    falling, basin = np.concatenate([np.full(9, 3.0), np.linspace(3, 1, 12)]), np.full(10, 1.0)
    # A fifth of the fall of 2 above the lowest is low, half of it has risen.
    assert _curve.edge(np.concatenate([falling, basin, [1.3, 1.39, 1.41, 1.9, 2.1, 1.0, 1.0]])) == 32
    assert _curve.edge(np.concatenate([falling, basin, [1.7, 1.2, 1.7, 5.0]])) == 32
    assert _curve.edge(np.concatenate([falling, basin])) == 30
    assert _curve.edge(np.linspace(0, 1, 50)) == 0
