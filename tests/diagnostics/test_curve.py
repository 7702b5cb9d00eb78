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


def test_the_valley_is_half_way_down_the_longest_descent():
    curve = s_curve()
    # The descent goes from 0 to 60 or 61: a third, and half of a third, of the way.
    assert _curve.valley(curve) in (29, 30)
    assert _curve.valley(np.linspace(0, 1, 50)) is None


def test_a_tenth_of_the_best_rate_is_found_on_the_ladder_or_not_at_all():
    curve = s_curve()
    place = _curve.bottom_over_ten(RATES, curve)
    assert np.isclose(RATES[place], RATES[np.argmin(curve)] / 10, rtol=0.1)
    assert _curve.bottom_over_ten(RATES, np.linspace(0, 1, 101)) is None


def test_slide_stops_left_of_the_rise():
    curve = s_curve()
    place = _curve.slide(curve)
    slopes = np.gradient(curve)
    assert 40 < place < 95
    assert abs(slopes[place + 14] - slopes[place - 1]) <= 0.05
    assert _curve.slide(np.ones(50)) is None


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
