"""From samples to estimates: medians, paired ratios and their intervals.
The unit of sampling is one fresh process; samples inside a process are not independent and never come here.
Intervals are distribution-free where the number of samples allows it: the k-th smallest and k-th largest sample
enclose the median with a probability that follows from the binomial distribution alone (David and Nagaraja, Order
Statistics, section 7.1), exact for any continuous distribution. Below five samples that cannot reach 90 %, and
Student's t on logarithms is used, which assumes log-normal noise. One sample has no interval.
"""

import functools
import math
from collections.abc import Iterable, Sequence
from typing import Self

from pydantic import Field

from harness.vocabulary import Frozen

LEVEL = 0.90

LEAST_UNSTATED = 5
"""How many samples a summary that does not say is taken to stand for at least: llama-bench repeats five times unless
told otherwise, hyperfine ten."""


class Interval(Frozen):
    """A closed interval with the probability that it holds the true value."""

    low: float
    high: float
    level: float = Field(default=LEVEL, gt=0, lt=1)

    @classmethod
    def of(cls, values: Iterable[float], level: float = LEVEL) -> Self:
        """From the least to the largest of `values`."""
        ordered = sorted(values)
        return cls(low=ordered[0], high=ordered[-1], level=level)

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

    def times(self, factor: float) -> Self:
        ends = {name: None if end is None else end * factor for name, end in (("low", self.low), ("high", self.high))}
        return self.model_copy(update={"point": self.point * factor, **ends})


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two middle ones."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("the median of no samples is unknown")
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])


def _order_rank(n: int, level: float) -> int | None:
    """Largest k so that the k-th smallest and k-th largest of n enclose the median with at least `level`."""
    if n > 1000:  # beyond it, sums of binomial coefficients leave what a float holds
        from scipy.special import bdtrik

        return math.floor(float(bdtrik((1 - level) / 2, n, 0.5))) + 1
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
    logs = _logs(samples)
    n, ordered = len(samples), sorted(samples)
    rank = _order_rank(n, level)
    if rank is not None:
        return Estimate(point=median(ordered), low=ordered[rank - 1], high=ordered[n - rank], level=level, n=n)
    if n == 1:
        return Estimate(point=ordered[0], low=None, high=None, level=level, n=1)
    mean, half = _student(logs, level)
    point = median(ordered)
    low, high = min(_exp(mean - half), point), max(_exp(mean + half), point)
    return Estimate(point=point, low=low, high=high, level=level, n=n)


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float], level: float = LEVEL) -> Estimate:
    """Median of the ratios of samples taken in turn (same round, same inputs), with its interval.

    Pairing cancels what both variants of a round share, which on a shared machine is most of the noise.
    Raises ValueError where the two differ in length.
    """
    if len(numerator) != len(denominator):
        raise ValueError(f"pairs need equal lengths, not {len(numerator)} and {len(denominator)}")
    return median_estimate([a / b for a, b in zip(numerator, denominator, strict=True)], level)


def interleaved_ratio(numerator: Sequence[float], denominator: Sequence[float], level: float = LEVEL) -> Estimate:
    """Ratio of two variants measured turn by turn in ABBA order: Hodges and Lehmann's estimate on paired log-ratios.

    The point is the median of all pairwise means of the log-ratios; the interval inverts Wilcoxon's signed-rank test
    (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, section 3.3). Its one assumption, symmetry, holds
    by design: which variant of a pair runs first alternates. Where the number of pairs cannot reach `level` (fewer than
    8 for 99 %), Student's t on the log-ratios is used, which assumes log-normal noise. One pair has no interval.
    Raises ValueError for lengths that differ, for no pairs, and for samples that are not positive and finite.
    """
    if len(numerator) != len(denominator):
        raise ValueError(f"pairs need equal lengths, not {len(numerator)} and {len(denominator)}")
    logs = _logs([*numerator, *denominator])
    n = len(numerator)
    differences = [a - b for a, b in zip(logs[:n], logs[n:], strict=True)]
    walsh = sorted(0.5 * (x + y) for i, x in enumerate(differences) for y in differences[i:])
    point = _exp(median(walsh))
    rank = _signed_rank(n, level)
    if rank:
        low, high = _exp(walsh[rank - 1]), _exp(walsh[-rank])
    elif n == 1:
        return Estimate(point=point, low=None, high=None, level=level, n=1)
    else:
        mean, half = _student(differences, level)
        low, high = _exp(mean - half), _exp(mean + half)
    return Estimate(point=point, low=min(low, point), high=max(high, point), level=level, n=n)


@functools.cache
def _signed_rank(n: int, level: float) -> int:
    """Largest k so that the k-th smallest and k-th largest of the n(n+1)/2 pairwise means enclose the centre with at
    least `level`; 0 where none does. Exact up to 100 pairs, then the normal approximation."""
    tail = (1 - level) / 2
    if n > 100:
        from scipy.special import ndtri

        sd = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(0, int(n * (n + 1) / 4 + float(ndtri(tail)) * sd))
    ways = [1] + [0] * (n * (n + 1) // 2)  # of reaching each sum of ranks; integers, so nothing is lost
    for rank in range(1, n + 1):
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    reached, k = 0, 0
    for count in ways:
        reached += count
        if reached > tail * 2**n:
            break
        k += 1
    return k


def separate_ratio(numerator: Estimate, denominator: Estimate, drift: float, level: float = LEVEL) -> Estimate:
    """Ratio of two levels that were measured at different times, each with its own interval at `level`.

    The intervals are combined on logarithms by recovering each side's variance from its bounds (Zou and Donner,
    Statistics in Medicine 27, 2008), and `drift` is added: the standard deviation of a session's log level for
    identical code, which no number of samples inside a session reduces. It enters once for each side.
    Without an interval on either side the ratio has none.
    """
    shift = math.log(numerator.point) - math.log(denominator.point)
    n = min(numerator.n, denominator.n)
    a, b = _half_widths(numerator), _half_widths(denominator)
    if a is None or b is None:
        return Estimate(point=_exp(shift), low=None, high=None, level=level, n=n)
    between = drift_half_width(drift, level)
    low, high = _exp(shift - math.hypot(a[0], b[1], between)), _exp(shift + math.hypot(a[1], b[0], between))
    return Estimate(point=_exp(shift), low=low, high=high, level=level, n=n)


def geometric_mean(ratios: Sequence[Estimate], shared: float = 0.0, level: float = LEVEL) -> Estimate:
    """Geometric mean of ratios with independent errors, but for `shared`: the half-width at `level`, in logarithms, of
    an error that moves all of them together and does not average out. Without an interval in any, it has none.

    Raises ValueError for no ratios.
    """
    if not ratios:
        raise ValueError("the mean of no ratios is unknown")
    count, n = len(ratios), min(r.n for r in ratios)
    centre = math.fsum(math.log(r.point) for r in ratios) / count
    widths = [w for w in map(_half_widths, ratios) if w is not None]
    if len(widths) < count:
        return Estimate(point=_exp(centre), low=None, high=None, level=level, n=n)
    below, above = (math.hypot(*(w[side] for w in widths)) / count for side in (0, 1))
    low, high = _exp(centre - math.hypot(below, shared)), _exp(centre + math.hypot(above, shared))
    return Estimate(point=_exp(centre), low=low, high=high, level=level, n=n)


def drift_half_width(drift: float, level: float = LEVEL) -> float:
    """Half-width, in logarithms, of the ratio of two sessions of identical code."""
    return _normal(level) * math.sqrt(2) * drift


def summary_estimate(point: float, deviation: float, n: int | None, level: float = LEVEL) -> Estimate:
    """A level of which only centre and standard deviation were kept. Assumes log-normal noise.

    Where the number of samples was not kept either, the deviation itself is taken for the standard error and Student's
    quantile is that of `LEAST_UNSTATED` samples: too wide for so many or more, too narrow for fewer. One sample has no
    interval. Raises ValueError unless point > 0 and deviation >= 0.
    """
    if not (math.isfinite(point) and point > 0 and math.isfinite(deviation) and deviation >= 0):
        raise ValueError("a level must be positive and its deviation not negative")
    if n is not None and n < 2:
        return Estimate(point=point, low=None, high=None, level=level, n=1)
    from scipy.special import stdtrit

    relative = math.sqrt(math.log1p((deviation / point) ** 2))  # of the log-normal with this mean and deviation
    quantile = float(stdtrit((n or LEAST_UNSTATED) - 1, 0.5 + level / 2))
    half = quantile * relative / math.sqrt(n or 1)
    return Estimate(point=point, low=point * _exp(-half), high=point * _exp(half), level=level, n=2 if n is None else n)


def proportion(hits: int, trials: int, level: float = LEVEL) -> Estimate:
    """Share of trials that hit, with Clopper and Pearson's exact interval. Raises ValueError unless 0 <= hits <= trials
    and trials > 0."""
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} of {trials} is no proportion")
    from scipy.stats import binomtest

    interval = binomtest(hits, trials).proportion_ci(confidence_level=level)
    return Estimate(point=hits / trials, low=float(interval.low), high=float(interval.high), level=level, n=trials)


def _logs(samples: Sequence[float]) -> list[float]:
    if not samples:
        raise ValueError("an estimate needs at least one sample")
    if not all(math.isfinite(s) and s > 0 for s in samples):
        raise ValueError("samples must be positive and finite")
    return [math.log(s) for s in samples]


def _student(logs: Sequence[float], level: float) -> tuple[float, float]:
    """Mean of at least two logarithms and the half-width of Student's interval around it."""
    from scipy.special import stdtrit

    n = len(logs)
    mean = math.fsum(logs) / n
    variance = math.fsum((x - mean) ** 2 for x in logs) / (n - 1)
    return mean, float(stdtrit(n - 1, 0.5 + level / 2)) * math.sqrt(variance / n)


def _normal(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + level / 2)


def _half_widths(estimate: Estimate) -> tuple[float, float] | None:
    """How far an interval extends below and above its point, in logarithms."""
    if estimate.low is None or estimate.high is None:
        return None
    centre = math.log(estimate.point)
    return centre - math.log(estimate.low), math.log(estimate.high) - centre


def _exp(log: float) -> float:
    """exp within what a float holds: two wildly different samples have bounds beyond that."""
    return math.exp(max(-700.0, min(700.0, log)))
