"""Intervals hold what they promise: checked on known distributions, not on examples alone."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import (
    Estimate,
    geometric_mean,
    interleaved_ratio,
    median,
    median_estimate,
    paired_ratio,
    proportion,
    separate_ratio,
    summary_estimate,
)

positive = st.floats(min_value=1e-6, max_value=1e6)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 10, 20])
def test_ninety_per_cent_intervals_hold_ninety_per_cent(n: int) -> None:
    """Log-normal noise of 20 %, the kind seen between processes: at least 88 of 100 intervals hold the true median."""
    rng = np.random.default_rng(n)
    trials = 2000
    held = 0
    for samples in np.exp(0.2 * rng.standard_normal((trials, n))).tolist():
        interval = median_estimate(samples).interval
        assert interval is not None
        held += interval.holds(1.0)
    assert held / trials > 0.88


@pytest.mark.parametrize("n", [5, 10, 20])
def test_order_statistics_need_no_normality(n: int) -> None:
    """Contaminated noise: one sample in ten is twice as slow. The median's interval still holds."""
    rng = np.random.default_rng(7 + n)
    truth = float(np.median(draw(rng, 200_000)))
    held = 0
    for _ in range(1500):
        interval = median_estimate(draw(rng, n).tolist()).interval
        assert interval is not None
        held += interval.holds(truth)
    assert held / 1500 > 0.88


def draw(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(0.05 * rng.standard_normal(n)) * np.where(rng.random(n) < 0.1, 2.0, 1.0)


def test_one_sample_has_no_interval() -> None:
    estimate = median_estimate([2.0])
    assert estimate == Estimate(point=2.0, low=None, high=None, n=1)
    assert estimate.interval is None


@pytest.mark.parametrize("samples", [[], [0.0], [-1.0, 1.0], [math.nan], [1.0, math.inf]])
def test_what_cannot_be_a_duration_is_refused(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="sample"):
        median_estimate(samples)


@given(st.lists(positive, min_size=2, max_size=30))
def test_interval_encloses_the_point(samples: list[float]) -> None:
    estimate = median_estimate(samples)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= estimate.point <= estimate.high
    assert estimate.point == pytest.approx(float(np.median(samples)))


@given(st.lists(st.tuples(positive, positive), min_size=5, max_size=25).filter(lambda pairs: len(pairs) % 2))
def test_a_ratio_is_the_inverse_of_its_inverse(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    forth, back = paired_ratio(ours, theirs), paired_ratio(theirs, ours)
    assert forth.point * back.point == pytest.approx(1)
    assert forth.low is not None
    assert back.high is not None
    assert forth.low * back.high == pytest.approx(1)


def test_pairing_cancels_what_a_round_shares() -> None:
    """A host that slows down by four over five rounds leaves the ratio of two variants alone."""
    drift = [1.0, 1.4, 2.0, 2.8, 4.0]
    ratio = paired_ratio([3.0 * d for d in drift], drift)
    assert (ratio.low, ratio.point, ratio.high) == pytest.approx((3.0, 3.0, 3.0))


def test_pairs_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        paired_ratio([1.0], [1.0, 2.0])


@given(st.lists(positive, min_size=1, max_size=9))
def test_median_agrees_with_numpy(samples: list[float]) -> None:
    assert median(samples) == pytest.approx(float(np.median(samples)))


def test_no_median_of_nothing() -> None:
    with pytest.raises(ValueError, match="unknown"):
        median([])


@pytest.mark.parametrize(("n", "level"), [(2, 0.9), (5, 0.95), (10, 0.95), (10, 0.99), (20, 0.99), (40, 0.99)])
def test_interleaved_ratios_hold_what_they_promise(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    trials, held = 1000, 0
    for _ in range(trials):
        a, b = np.exp(0.2 * rng.standard_normal((2, n)))
        interval = interleaved_ratio((2 * a).tolist(), b.tolist(), level).interval
        assert interval is not None
        held += interval.holds(2.0)
    assert held / trials > level - 3 * math.sqrt(level * (1 - level) / trials)


@pytest.mark.parametrize("n", [8, 10, 15])
def test_the_interval_is_what_wilcoxon_does_not_reject(n: int) -> None:
    """Two derivations: a shift lies inside the interval exactly where scipy's exact signed-rank test keeps it."""
    from scipy.stats import wilcoxon

    rng = np.random.default_rng(100 + n)
    a, b = np.exp(0.1 * rng.standard_normal((2, n)))
    interval = interleaved_ratio(a.tolist(), b.tolist(), 0.95).interval
    assert interval is not None
    for ratio in np.linspace(0.7, 1.4, 141):
        if min(abs(ratio - interval.low), abs(ratio - interval.high)) > 1e-6:
            kept = wilcoxon(np.log(a / b) - math.log(ratio), method="exact").pvalue > 0.05
            assert kept == interval.holds(ratio)


def test_large_samples_agree_with_the_exact_distribution() -> None:
    from harness.stats import _signed_rank

    assert _signed_rank(101, 0.95) == pytest.approx(_signed_rank(100, 0.95) * (101 / 100) ** 2, rel=0.01)


def test_separate_levels_add_their_spreads_and_the_drift() -> None:
    side = Estimate(point=10.0, low=9.0, high=10.0 / 0.9, n=9)
    ratio = separate_ratio(side, side, 0.0)
    assert ratio.high == pytest.approx(math.exp(math.sqrt(2) * math.log(1 / 0.9)))
    drifting = separate_ratio(side, side, 0.1)
    assert drifting.high is not None and ratio.high is not None
    assert math.log(drifting.high) == pytest.approx(
        math.hypot(math.log(ratio.high), 1.6449 * math.sqrt(2) * 0.1), rel=1e-4
    )
    assert separate_ratio(side, Estimate(point=1.0, low=None, high=None, n=1), 0.1).interval is None


def test_a_mean_of_ratios_gets_surer_only_in_what_is_not_shared() -> None:
    ratio = Estimate(point=2.0, low=1.8, high=2.0 / 0.9, n=9)
    assert geometric_mean([ratio]).high == pytest.approx(ratio.high)
    many = geometric_mean([ratio] * 100)
    assert many.point == pytest.approx(2.0)
    assert many.high is not None and math.log(many.high / 2) == pytest.approx(math.log(1 / 0.9) / 10)
    shared = geometric_mean([ratio] * 100, shared=0.3)
    assert shared.high is not None and math.log(shared.high / 2) > 0.3
    with pytest.raises(ValueError, match="no ratios"):
        geometric_mean([])


def test_proportions_know_how_little_twenty_trials_say() -> None:
    assert proportion(0, 20, 0.9).high == pytest.approx(1 - 0.05 ** (1 / 20))
    with pytest.raises(ValueError, match="no proportion"):
        proportion(1, 0)


@pytest.mark.parametrize(("point", "deviation"), [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0)])
def test_a_summary_must_be_a_level(point: float, deviation: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        summary_estimate(point, deviation, 5)


def test_a_summary_agrees_with_the_samples_it_was_made_of() -> None:
    samples = np.exp(0.05 * np.random.default_rng(3).standard_normal(30))
    summary = summary_estimate(float(np.mean(samples)), float(np.std(samples, ddof=1)), 30, 0.95)
    assert summary.low is not None and summary.high is not None
    assert summary.high / summary.low == pytest.approx(math.exp(2 * 2.045 * 0.05 / math.sqrt(30)), rel=0.02)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.9998])
def test_a_hundred_thousand_samples_have_an_interval(level: float) -> None:
    """pytest-benchmark keeps as many; by the normal approximation the ranks lie z * sqrt(n) / 2 from the middle."""
    n = 100_001
    found = median_estimate([float(i) for i in range(1, n + 1)], level)
    half = NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt(n) / 2
    assert found.low == pytest.approx((n + 1) / 2 - half, abs=2) and found.high == pytest.approx(
        (n + 1) / 2 + half, abs=2
    )


def test_ranks_meet_where_the_method_changes() -> None:
    few, many = (median_estimate([float(i) for i in range(1, n + 1)], 0.95) for n in (1000, 1001))
    assert few.low is not None and many.low is not None and abs(many.low - few.low) <= 1
