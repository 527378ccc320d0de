"""From samples to estimates: medians, paired ratios and their intervals. Knows no unit and no clock.

The unit of sampling is one fresh process; samples inside a process are not independent and never come here.
Intervals are distribution-free where the number of samples allows it: the k-th smallest and k-th largest sample
enclose the median with a probability that follows from the binomial distribution alone (David and Nagaraja, Order
Statistics, section 7.1), exact for any continuous distribution. Below five samples that cannot reach 90 %, and
Student's t on logarithms is used, which assumes log-normal noise. One sample has no interval.
"""

import math
from collections.abc import Sequence

from pydantic import Field

from harness.frozen import Frozen

LEVEL = 0.90


class Interval(Frozen):
    """A closed interval with the probability that it is meant to hold."""

    low: float
    high: float
    level: float = Field(default=LEVEL, gt=0, lt=1)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class Estimate(Frozen):
    """A point with its interval. `low` and `high` are None where `n` samples cannot say (one sample)."""

    point: float
    low: float | None
    high: float | None
    level: float = Field(default=LEVEL, gt=0, lt=1)
    n: int = Field(ge=1, description="number of independent samples (processes, or pairs of processes)")

    @property
    def interval(self) -> Interval | None:
        if self.low is None or self.high is None:
            return None
        return Interval(low=self.low, high=self.high, level=self.level)


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two middle ones."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("the median of no samples is unknown")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


def _order_rank(n: int, level: float) -> int | None:
    """Largest k so that the k-th smallest and k-th largest of n enclose the median with at least `level`."""
    tail, best = 0.0, None
    for k in range(1, n // 2 + 1):
        tail += math.comb(n, k - 1) * 0.5**n
        if 1 - 2 * tail < level:
            break
        best = k
    return best


def median_estimate(samples: Sequence[float], level: float = LEVEL) -> Estimate:
    """Median of positive samples with an interval at `level` or a little above it.

    Raises ValueError for no samples, and for samples that are not positive and finite: those are errors of
    measurement, not small values.
    """
    if not samples:
        raise ValueError("an estimate needs at least one sample")
    if not all(math.isfinite(s) and s > 0 for s in samples):
        raise ValueError("samples must be positive and finite")
    n, ordered = len(samples), sorted(samples)
    rank = _order_rank(n, level)
    if rank is not None:
        return Estimate(point=median(ordered), low=ordered[rank - 1], high=ordered[n - rank], level=level, n=n)
    if n == 1:
        return Estimate(point=ordered[0], low=None, high=None, level=level, n=1)
    from scipy.special import stdtrit

    logs = [math.log(s) for s in ordered]
    mean = math.fsum(logs) / n
    variance = math.fsum((x - mean) ** 2 for x in logs) / (n - 1)
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * math.sqrt(variance / n)
    point = median(ordered)
    return Estimate(
        point=point,
        low=min(math.exp(mean - half), point),
        high=max(math.exp(mean + half), point),
        level=level,
        n=n,
    )


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float], level: float = LEVEL) -> Estimate:
    """Median of the ratios of samples taken in turn (same round, same inputs), with its interval.

    Pairing cancels what both arms of a round share, which on a shared machine is most of the noise.
    Raises ValueError where the two differ in length.
    """
    if len(numerator) != len(denominator):
        raise ValueError(f"pairs need equal lengths, not {len(numerator)} and {len(denominator)}")
    return median_estimate([a / b for a, b in zip(numerator, denominator, strict=True)], level)
