"""The rates that docs/decisions/0020-comparing-changes.md states, from the simulated hosts. Prints its tables (-s)."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import bootstrap

from harness.comparison.calibration import settle
from harness.comparison.decision import ANALYSES
from harness.comparison.thresholds import Thresholds
from harness.stats import Estimate, interleaved_ratio, median_estimate, paired_ratio, separate_ratio
from tests.simulated_host import HOSTS, SimulatedHost

pytestmark = pytest.mark.slow
THRESHOLDS = Thresholds()
EDGE = math.log1p(0.03)


def one_ab(rng: np.random.Generator, host: SimulatedHost, slow_down: float) -> str:
    new, old = host.variants(rng, ANALYSES[-1], slow_down)
    return settle(new, old, THRESHOLDS).decision


@pytest.mark.parametrize(("host", "alarms"), [("quiet", 0.002), ("unsteady", 0.005), ("busy", 0.01)])
def test_no_ops_and_slow_downs_as_ab_analyses_at_them(host: str, alarms: float) -> None:
    rng = np.random.default_rng(3)
    for slow_down, trials in ((0.0, 2000), (0.05, 600), (0.10, 600)):
        words = Counter(one_ab(rng, HOSTS[host], slow_down) for _ in range(trials))
        print(f"{host:9} {slow_down:4.0%}", {w: f"{n / trials:.2%}" for w, n in words.most_common()})
        if slow_down == 0:
            assert (words["slower"] + words["faster"]) / trials <= alarms
        elif host == "quiet":
            assert words["slower"] / trials >= (0.95 if slow_down == 0.10 else 0.0)
            assert (words["slower"] + words["warn"]) / trials >= 0.80


def by_bootstrap(new: list[float], old: list[float], level: float) -> Estimate:
    logs = np.log(new) - np.log(old)
    interval = bootstrap(
        (logs,), np.median, confidence_level=level, n_resamples=999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    low, high = math.exp(interval.low), math.exp(interval.high)
    return Estimate(point=math.exp(np.median(logs)), low=low, high=high, level=level, n=len(new))


@pytest.mark.parametrize("pairs", [10, 20, 40])
def test_three_estimates_side_by_side(pairs: int) -> None:
    trials = 1500
    hosts = {
        "quiet": (SimulatedHost(own=0.03, drift=0.10, memory=0.9, slow_share=0.03), 0.10),
        "busy": (HOSTS["busy"], 0.0),
    }
    for name, (host, slow_down) in hosts.items():
        found: Counter[str] = Counter()
        rng = np.random.default_rng(pairs)
        for _ in range(trials):
            new, old = host.variants(rng, pairs, slow_down)
            for how, estimate in (
                ("bootstrap", by_bootstrap(new, old, 0.99)),
                ("order statistics", paired_ratio(new, old, 0.99)),
                ("Hodges and Lehmann", interleaved_ratio(new, old, 0.99)),
            ):
                assert estimate.low is not None and estimate.high is not None
                found[how] += math.log(estimate.low) > EDGE or math.log(estimate.high) < -EDGE
        print(f"{name} {slow_down:.0%} {pairs} pairs", {how: f"{n / trials:.1%}" for how, n in found.items()})
        if slow_down == 0:
            assert found["Hodges and Lehmann"] / trials <= 0.01


@pytest.mark.parametrize("inside", [0.01, 0.05])
def test_separate_sessions(inside: float) -> None:
    rng, trials = np.random.default_rng(5), 3000
    alarms = warnings = plain = 0
    for _ in range(trials):
        sides = [np.exp(0.148 * rng.standard_normal() + inside * rng.standard_normal(10)).tolist() for _ in "ab"]
        shown = [median_estimate(s, 0.95) for s in sides]
        alarm = [median_estimate(s, 0.99) for s in sides]
        with_drift, at_alarm = (
            separate_ratio(shown[0], shown[1], 0.148, 0.95),
            separate_ratio(alarm[0], alarm[1], 0.148, 0.99),
        )
        without = separate_ratio(alarm[0], alarm[1], 0.0, 0.99)
        assert with_drift.interval and at_alarm.interval and without.interval
        alarms += at_alarm.interval.low > 1.03 or at_alarm.interval.high < 1 / 1.03
        warnings += not with_drift.interval.holds(1.0)
        plain += without.interval.low > 1.03 or without.interval.high < 1 / 1.03
    rates = {"alarms": alarms, "off 1": warnings, "alarms without drift": plain}
    print(f"inside {inside:.0%}", {what: f"{n / trials:.2%}" for what, n in rates.items()})
    assert alarms / trials <= 0.01 and warnings / trials <= 0.055 and plain / trials > 0.33
