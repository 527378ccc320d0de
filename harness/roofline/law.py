"""The law of published rates: the time of a token is a sum of parts, each its limit times a factor of its own.

    log time = log(sum over parts of factor * limit) + maturity + vendor + kind of attention + source + remainder

One vector of factors holds for all chips and models. It is fitted to the published rates by penalised least squares
with the priors below: rates of one publication share its code, cluster and authors, so their common deviation is a
random effect, and outliers count less (Huber). A rate whose conditions are not all given counts with the spread over
its draws as additional variance, so it says less.

What one rate of a new publication deviates by is Student's t, with scales (tuned, other, and more where conditions are
open) chosen by likelihood of the rates predicted from all *other* publications. Ratios of two rates of one publication
deviate by the part within a publication alone.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.roofline.parts import USUAL_FACTORS, Parts
from harness.vocabulary import Frozen, Maturity, RatePhase

Array = NDArray[np.float64]

DEGREES = 5.0
"""Of Student's t: publications differ by more than a normal law has it."""
FACTOR_SD = 0.5
TRAIT_SD = 0.35
BETWEEN_SD = 0.35
WITHIN_SD = 0.35
"""Priors, in logarithms: how far a part's factor may lie from its usual value, how much a trait may matter, and how far
publications and rates of one publication deviate while the factors are fitted."""
_HUBER = 1.5
_FIT_STEPS = 25
_SCALES = (0.16, 0.2, 0.24, 0.28, 0.33, 0.39, 0.46, 0.55, 0.65)
_OPEN_SCALES = (0.3, 0.4, 0.5)
"""Scales of the deviation that are tried. With conditions open the least is 0.3: what practice leaves out is not known
better."""
_USUAL_SCALE = {"tuned": 0.3, "other": 0.35}
_SCALE_SPREAD = 0.4
_LEVELS = (0.005, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.995)
_STEPS_OF_T = 61


class Traits(Frozen):
    """What a rate has beside its parts that makes software faster or slower."""

    maturity: Maturity
    vendor: str
    mixed: bool
    """prefill and decode share the packages, at a split that is not perfect"""
    compressed: bool
    """compressed attention (DeepSeek-V4)"""
    young: bool
    """an index, a window or a recurrent state: kernels that are young"""
    widened: float
    """weights in fewer bits than the arithmetic, widened on the way"""


class RateSample(Frozen):
    """A published rate as the law sees it."""

    rate_id: str
    source_id: str
    phase: RatePhase
    traits: Traits
    open: bool
    """conditions are missing, so there is more than one draw"""
    log_time_s: float
    """of a token on a package, as published"""
    draws: tuple[Parts, ...]


class Prediction(Frozen):
    """What the law says of one deployment or of several equally likely ones: rates, tokens a second and package."""

    low99: float
    low90: float
    low80: float
    low50: float
    mid: float
    high50: float
    high80: float
    high90: float
    high99: float
    sd_log: float
    """of one deployment: the scale of the deviation, with that of the fitted factors"""

    @property
    def width90(self) -> float:
        """High over low."""
        return self.high90 / self.low90


@dataclass(frozen=True)
class _Design:
    """Samples as arrays: `limits` is rates x draws x parts, `traits` rates x traits, `log_time` one for each rate."""

    limits: Array
    traits: Array
    log_time: Array
    source: NDArray[np.str_]
    tuned: NDArray[np.bool_]
    open: NDArray[np.bool_]


_NAMED = ("tuned", "early", "mixed", "compressed", "young", "widened")


def _row(traits: Traits, vendors: tuple[str, ...]) -> list[float]:
    named = (traits.maturity == "tuned", traits.maturity == "early", traits.mixed, traits.compressed, traits.young)
    return [
        *map(float, named),
        traits.widened,
        *(float(traits.vendor == v) for v in vendors),
        float(traits.vendor not in vendors),
    ]


def _design(samples: tuple[RateSample, ...], vendors: tuple[str, ...]) -> _Design:
    most = max(len(s.draws) for s in samples)
    repeated = [[s.draws[i % len(s.draws)] for i in range(most)] for s in samples]
    return _Design(
        limits=np.array(repeated, dtype=np.float64),
        traits=np.array([_row(s.traits, vendors) for s in samples]),
        log_time=np.array([s.log_time_s for s in samples]),
        source=np.array([s.source_id for s in samples]),
        tuned=np.array([s.traits.maturity == "tuned" for s in samples]),
        open=np.array([s.open for s in samples]),
    )


def _predicted(theta: Array, limits: Array, traits: Array) -> tuple[Array, Array, Array]:
    """Log time of each draw, the rates' means with their spread, and the gradient of the means."""
    factors = np.exp(theta[: limits.shape[-1]])
    time = limits @ factors
    log_time = np.log(time) + (traits @ theta[limits.shape[-1] :])[:, None]
    gradient = (limits * factors / time[..., None]).mean(1)
    return (
        log_time,
        np.concatenate([log_time.mean(1)[:, None], log_time.std(1)[:, None]], 1),
        np.hstack([gradient, traits]),
    )


@dataclass(frozen=True)
class _Fitted:
    theta: Array
    covariance: Array


def _prior(traits: int) -> tuple[Array, Array]:
    mean = np.concatenate([np.log(np.array(USUAL_FACTORS)), np.zeros(traits)])
    sd = np.concatenate([np.full(len(Parts._fields), FACTOR_SD), np.full(traits, TRAIT_SD)])
    return mean, sd


def _fit(design: _Design, kept: NDArray[np.bool_], start: Array | None = None) -> _Fitted:
    """Most probable factors and traits: Gauss-Newton on the penalised squares, with reweighting for outliers."""
    mean, sd = _prior(design.traits.shape[1])
    theta = mean.copy() if start is None else start.copy()
    together = np.unique(design.source[kept])[:, None] == design.source[kept][None, :]
    precision = np.diag(1 / sd**2)
    for _ in range(_FIT_STEPS):
        _, moments, gradient = _predicted(theta, design.limits[kept], design.traits[kept])
        miss = design.log_time[kept] - moments[:, 0]
        own = WITHIN_SD**2 + moments[:, 1] ** 2
        outlying = np.maximum(1.0, np.abs(miss) / np.sqrt(own + BETWEEN_SD**2) / _HUBER)
        weighted = _weighted(gradient, together.astype(np.float64), 1 / (own * outlying))
        curvature = weighted.T @ gradient + precision
        step = np.linalg.solve(curvature, weighted.T @ miss - (theta - mean) / sd**2)
        largest = float(np.abs(step).max())
        theta = theta + step * min(1.0, 0.5 / largest)
        if largest < 1e-3:
            break
    return _Fitted(theta=theta, covariance=np.asarray(np.linalg.inv(curvature), dtype=np.float64))


def _weighted(columns: Array, together: Array, own: Array) -> Array:
    """Columns times the inverse covariance: independent parts of precision `own`, and one common part for the rates of
    each publication (rows of `together`), by the formula of Sherman and Morrison."""
    plain = own[:, None] * columns
    shared = BETWEEN_SD**2 / (1 + BETWEEN_SD**2 * (together @ own))
    out: Array = plain - own[:, None] * (together.T @ (shared[:, None] * (together @ plain)))
    return out


def _log_density(miss: Array, scale: Array) -> Array:
    """Of Student's t, up to a constant."""
    out: Array = -np.log(scale) - (DEGREES + 1) / 2 * np.log1p((miss / scale) ** 2 / DEGREES)
    return out


@dataclass(frozen=True)
class _Unseen:
    """Every rate as predicted from the other publications."""

    log_time: Array
    """rates x draws"""
    variance: Array
    """of the fitted factors, for each rate"""


def _unseen(design: _Design, kept: NDArray[np.bool_]) -> _Unseen:
    log_time = np.zeros(design.limits.shape[:2])
    variance = np.zeros(len(design.log_time))
    whole = _fit(design, kept)
    for source in np.unique(design.source[kept]):
        out = kept & (design.source == source)
        others = kept & ~out
        fitted = _fit(design, others, whole.theta) if others.any() else _unfitted(design)
        found, _, gradient = _predicted(fitted.theta, design.limits[out], design.traits[out])
        log_time[out] = found
        variance[out] = np.einsum("ij,jk,ik->i", gradient, fitted.covariance, gradient)
    return _Unseen(log_time=log_time, variance=variance)


def _unfitted(design: _Design) -> _Fitted:
    mean, sd = _prior(design.traits.shape[1])
    return _Fitted(theta=mean, covariance=np.diag(sd**2))


class Scales(Frozen):
    """Deviation of one rate of a new publication, in logarithms."""

    tuned: float
    other: float
    open: float
    """in addition where conditions are missing"""
    within: float
    """of one rate among those of its own publication"""

    def of(self, maturity: Maturity, is_open: bool) -> float:
        """The scale for software of this maturity."""
        first = self.tuned if maturity == "tuned" else self.other
        return math.hypot(first, self.open if is_open else 0.0)


def _scales(design: _Design, kept: NDArray[np.bool_], unseen: _Unseen) -> Scales:
    """The most likely scales; a publication of many rates counts by the root of their number."""
    count = Counter(design.source[kept].tolist())
    weight = np.array([count[s] ** -0.5 for s in design.source[kept].tolist()])
    miss = design.log_time[kept][:, None] - unseen.log_time[kept]
    variance, tuned, is_open = unseen.variance[kept], design.tuned[kept], design.open[kept]

    def likelihood(of_tuned: float, of_other: float, of_open: float) -> float:
        square = np.where(tuned, of_tuned**2, of_other**2) + is_open * of_open**2 + variance
        density = np.exp(_log_density(miss, np.sqrt(square)[:, None])).mean(1)
        usual = ((of_tuned, _USUAL_SCALE["tuned"]), (of_other, _USUAL_SCALE["other"]))
        penalty = sum((math.log(s / u) / _SCALE_SPREAD) ** 2 for s, u in usual) / 2
        return float((weight * np.log(density)).sum()) - penalty

    tried = [(a, b, c) for a in _SCALES for b in _SCALES if b >= 0.8 * a for c in _OPEN_SCALES]
    best = max(tried, key=lambda t: likelihood(*t))
    return Scales(tuned=best[0], other=best[1], open=best[2], within=_within(design, kept, unseen))


def _within(design: _Design, kept: NDArray[np.bool_], unseen: _Unseen) -> float:
    """Root mean square of the deviations about the mean of their publication, each publication counted once."""
    miss = (design.log_time - unseen.log_time.mean(1))[kept]
    source = design.source[kept]
    squares = [float(np.var(miss[source == s], ddof=1)) for s in np.unique(source) if (source == s).sum() > 1]
    return math.sqrt(float(np.median(squares))) if squares else WITHIN_SD


class Law:
    """The fitted law: predicts the rate of one deployment, or of several equally likely ones."""

    def __init__(self, samples: tuple[RateSample, ...]) -> None:
        """Fit to `samples`; with none of them the priors alone speak."""
        self.samples = samples
        self.vendors = tuple(sorted({s.traits.vendor for s in samples}))
        if samples:
            design = _design(samples, self.vendors)
            everything = np.ones(len(samples), dtype=bool)
            self._fitted = _fit(design, everything)
            self.scales = _scales(design, everything, _unseen(design, everything))
        else:
            mean, sd = _prior(len(_NAMED) + 1)
            self._fitted = _Fitted(theta=mean, covariance=np.diag(sd**2))
            self.scales = Scales(tuned=0.3, other=0.4, open=0.3, within=WITHIN_SD)

    @property
    def factors(self) -> Parts:
        """What each part takes over its limit, in software with default settings."""
        return Parts(*(float(f) for f in np.exp(self._fitted.theta[: len(Parts._fields)])))

    @property
    def effects(self) -> dict[str, float]:
        """Factors on the whole time, by trait."""
        names = (*_NAMED, *self.vendors, "another vendor")
        return dict(zip(names, map(float, np.exp(self._fitted.theta[len(Parts._fields) :])), strict=True))

    @property
    def widest(self) -> float:
        """Between the least and the largest rate (99 %) of two publications whose conditions are the same."""
        from scipy.special import stdtrit

        return math.exp(2 * float(stdtrit(DEGREES, 0.995)) * max(self.scales.tuned, self.scales.other))

    @property
    def sources(self) -> tuple[str, ...]:
        """Publications that it is fitted to."""
        return tuple(dict.fromkeys(s.source_id for s in self.samples))

    @property
    def made_of(self) -> str:
        """Rates and publications behind it, in words."""
        return f"{len(self.samples)} published rates of {len(self.sources)} publications"

    def times(self, draws: tuple[Parts, ...], traits: Traits, is_open: bool) -> tuple[Array, float]:
        """Log seconds a token, the middle of each draw, and the scale of the deviation from it."""
        limits = np.array([draws], dtype=np.float64)
        row = np.array([_row(traits, self.vendors)])
        log_time, _, gradient = _predicted(self._fitted.theta, limits, row)
        variance = float((gradient @ self._fitted.covariance @ gradient.T)[0, 0])
        return log_time[0], math.hypot(self.scales.of(traits.maturity, is_open), math.sqrt(variance))


def quantiles(weighted: Sequence[tuple[float, Array, float]], cap_tok_s: float = math.inf) -> Prediction:
    """Rates at the levels of a mixture of (weight, log times of the draws, scale); none above the cap."""
    steps = _deviations()
    values = [(times[:, None] + scale * steps[None, :]).ravel() for _, times, scale in weighted]
    shares = [np.full(len(v), weight / len(v)) for v, (weight, _, _) in zip(values, weighted, strict=True)]
    times, share = np.concatenate(values), np.concatenate(shares)
    order = np.argsort(times)
    reached = np.cumsum(share[order]) - share[order] / 2
    ends = np.interp(_LEVELS, reached / share.sum(), times[order])
    rates = [min(cap_tok_s, float(r)) for r in np.exp(-ends)][::-1]
    scale = math.fsum(w * s for w, _, s in weighted) / math.fsum(w for w, _, _ in weighted)
    names = ("low99", "low90", "low80", "low50", "mid", "high50", "high80", "high90", "high99")
    return Prediction(**dict(zip(names, rates, strict=True)), sd_log=scale)


def share_above(weighted: Sequence[tuple[float, Array, float]], rate_tok_s: float) -> float:
    """Probability of a rate above this one: small for one that is hard to believe."""
    from scipy.special import stdtr

    log_time = -math.log(rate_tok_s)
    chances = [(w, float(stdtr(DEGREES, (log_time - times) / scale).mean())) for w, times, scale in weighted]
    return math.fsum(w * c for w, c in chances) / math.fsum(w for w, _ in chances)


@lru_cache(maxsize=1)
def _deviations() -> Array:
    from scipy.special import stdtrit

    at = (np.arange(_STEPS_OF_T) + 0.5) / _STEPS_OF_T
    out: Array = np.asarray(stdtrit(DEGREES, at), dtype=np.float64)
    return out
