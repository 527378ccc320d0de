"""What fraction of a reference point published systems reach, with an interval that allows for a new source.

The reference point of a deployment is `tokens / (t_compute + t_memory + t_activations + t_launch + x * t_link)`: what a
package does by itself, one part after the other, and the share x of communication that overlap does not hide. x is
fitted to the same published rates as the usual range, by the least spread between sources; nothing else is fitted.

Fractions are taken as log-normal. The unit of sampling is a publication: its rows share code, cluster and authors, so
they are averaged first. The variance between publications is shrunk towards that of uncalibrated analytical models,
because few publications that happen to agree do not prove a narrow spread; a new vendor adds a term of its own.
"""

import math
from collections.abc import Collection
from functools import lru_cache
from statistics import median
from typing import Any

from harness.catalog.collection import Catalog, builtin
from harness.catalog.rates import PublishedRate
from harness.errors import UsageError
from harness.model.spec import Spec
from harness.roofline.ceiling import Ceiling, ceiling, with_context
from harness.roofline.deployment import Deployment
from harness.roofline.scenarios import cache_open
from harness.vocabulary import MIXED_PHASES, Frozen, RatePhase

# Spread of analytical models that were not calibrated on the target: 20 to 30 % for large expert-parallel MoE (the
# targets and errors that aiconfigurator, msmodeling and BLIS publish). It counts as much as four publications.
PRIOR_SD = 0.25
PRIOR_WEIGHT = 4.0
# Spread between vendors' software at the same fraction; counts as much as two vendors. Matched pairs of 910C and H100
# differ by 0.84 to 1.05 once their ceilings are divided out.
PRIOR_VENDOR_SD = 0.15
PRIOR_VENDOR_WEIGHT = 2.0
# Rates over all packages depend also on how prefill and decode share them, which the model takes to be perfect; the
# one publication at hand spreads by as much again as a phase of its own.
MIXED_SD = PRIOR_SD
_EXPOSED = tuple(i / 20 for i in range(21))


class _OfRate(Frozen):
    rate_id: str
    source_id: str
    vendor: str
    phase: RatePhase


class AchievedSample(_OfRate):
    """A published rate in times per token: what it took, and what the model predicts for the parts."""

    measured_s: float
    local_s: float
    link_s: float

    def fraction(self, exposed: float) -> float:
        """Share of the reference point that the rate reaches."""
        return (self.local_s + exposed * self.link_s) / self.measured_s


class AchievedRow(_OfRate):
    """A published rate that made a usual range."""

    fraction: float


class Accuracy(Frozen):
    """How well a usual range predicts rates that it was not made from."""

    rows: int
    coverage: float
    """share of left-out rates inside the stated 90 % interval"""
    median_error: float
    """median of |predicted / published - 1|"""


class AchievedRange(Frozen):
    """Fraction of the reference point, as quantiles for one rate of a new publication."""

    phase: RatePhase
    exposed_link: float
    low90: float
    mid: float
    high90: float
    low99: float
    high99: float
    sd_log: float
    degrees: float
    rows: tuple[AchievedRow, ...]
    sources: tuple[str, ...]
    excluded_sources: tuple[str, ...]
    excluded_vendors: tuple[str, ...]
    loso: Accuracy | None
    """leaving one source out; None where fewer than two sources are left"""
    lovo: Accuracy | None
    """leaving one vendor out; None where fewer than two vendors are left"""


def _local_s(limits: Ceiling) -> float:
    return limits.compute_s + limits.memory_s + limits.activation_s + limits.launch_s


def reference_tok_s(limits: Ceiling, exposed: float) -> float:
    """The reference point of a deployment whose limits are known."""
    return limits.tokens / (_local_s(limits) + exposed * (limits.link_s or 0.0))


def _complete(rate: PublishedRate, spec: Spec) -> Deployment | None:
    """The rate's deployment where it gives all that its phase needs, or None."""
    found = with_context(Deployment.of(rate.conditions))
    if spec.num_nextn_predict_layers == 0 and found.mtp_drafts is None:
        found = found.model_copy(update={"mtp_drafts": 0})
    needed = ["precision", "chips"]
    needed += ["prompt_tokens"] if rate.phase != "decode" else []
    needed += ["batch", "context_tokens", "mtp_drafts", "tokens_per_step"] if rate.phase != "prefill" else []
    needed += ["output_tokens"] if rate.phase in MIXED_PHASES else []
    if rate.phase != "prefill" and cache_open(spec, found):
        return None
    return None if any(getattr(found, name) is None for name in needed) else found


def sample(rate: PublishedRate, catalog: Catalog) -> AchievedSample | None:
    """A published rate beside its limits; None where its source leaves out a condition that the limits need."""
    chip, spec = catalog.chip(rate.chip), catalog.model(rate.model).spec
    found = _complete(rate, spec)
    if found is None:
        return None
    limits = ceiling(spec, chip, found, rate.phase)
    return AchievedSample(
        rate_id=rate.id,
        source_id=rate.source_id,
        vendor=chip.vendor,
        phase=rate.phase,
        measured_s=1 / rate.rate_tok_s,
        local_s=_local_s(limits) / limits.tokens,
        link_s=(limits.link_s or 0.0) / limits.tokens,
    )


def samples(catalog: Catalog) -> tuple[AchievedSample, ...]:
    """All rates that may make a usual range and state every condition that their limits need."""
    found = (sample(rate, catalog) for rate in catalog.rates if rate.calibrates)
    return tuple(s for s in found if s is not None)


@lru_cache(maxsize=1)
def _builtin_samples() -> tuple[AchievedSample, ...]:
    return samples(builtin())


def _applies(have: RatePhase, wanted: RatePhase) -> bool:
    """Whether a rate of one phase counts for another: mixed phases are made of prefill and decode."""
    return have == wanted or wanted in MIXED_PHASES


def _mean(values: Collection[float]) -> float:
    return math.fsum(values) / len(values)


def _squares(values: Collection[float]) -> float:
    """Squares about the mean, summed."""
    centre = _mean(values)
    return math.fsum((x - centre) ** 2 for x in values)


def _source_means(rows: tuple[AchievedSample, ...], exposed: float) -> dict[tuple[str, str], list[float]]:
    """Logarithms of the fractions, by phase and publication."""
    out: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        out.setdefault((row.phase, row.source_id), []).append(math.log(row.fraction(exposed)))
    return out


def _spread(groups: dict[tuple[str, str], list[float]]) -> float:
    """Squares of source means about their phase's mean, summed."""
    by_phase: dict[str, list[float]] = {}
    for (phase, _), values in groups.items():
        by_phase.setdefault(phase, []).append(_mean(values))
    return sum(map(_squares, by_phase.values()))


@lru_cache(maxsize=256)
def exposed_link(rows: tuple[AchievedSample, ...]) -> float:
    """Share of communication that stays exposed: the one with the least spread between publications."""
    return min(_EXPOSED, key=lambda x: _spread(_source_means(rows, x)))


class _Fit(Frozen):
    exposed: float
    centre: float
    sd: float
    degrees: float


def _vendor_variance(rows: tuple[AchievedSample, ...], exposed: float) -> float:
    by_vendor: dict[str, list[float]] = {}
    for row in rows:
        by_vendor.setdefault(row.vendor, []).append(math.log(row.fraction(exposed)))
    squares = _squares([_mean(v) for v in by_vendor.values()])
    return (PRIOR_VENDOR_WEIGHT * PRIOR_VENDOR_SD**2 + squares) / (PRIOR_VENDOR_WEIGHT + len(by_vendor) - 1)


def _fit(pool: tuple[AchievedSample, ...], phase: RatePhase, vendor: str | None) -> _Fit:
    """Centre and spread of the log-fraction for one rate of a new publication of `vendor` (None: a new vendor)."""
    exposed = exposed_link(pool)
    rows = tuple(r for r in pool if _applies(r.phase, phase))
    groups = _source_means(rows, exposed)
    means = [_mean(v) for v in groups.values()]
    n = len(means)
    between = (PRIOR_WEIGHT * PRIOR_SD**2 + _squares(means)) / (PRIOR_WEIGHT + n - 1)
    inside = math.fsum((x - _mean(v)) ** 2 for v in groups.values() for x in v)
    within = inside / (len(rows) - n) if len(rows) > n else 0.0
    extra = 0.0 if any(r.vendor == vendor for r in rows) else _vendor_variance(rows, exposed)
    mixed = MIXED_SD**2 if phase in MIXED_PHASES else 0.0
    sd = math.sqrt(between * (1 + 1 / n) + within + extra + mixed)
    return _Fit(exposed=exposed, centre=_mean(means), sd=sd, degrees=PRIOR_WEIGHT + n - 1)


def _quantile(fit: _Fit, probability: float) -> float:
    from scipy.special import stdtrit

    return math.exp(fit.centre + fit.sd * float(stdtrit(fit.degrees, probability)))


def _accuracy(pool: tuple[AchievedSample, ...], phase: RatePhase, by: str) -> Accuracy | None:
    """Predict each publication's (or vendor's) rows from the others'."""
    own = tuple(r for r in pool if r.phase == phase)
    inside, errors = 0, []
    for group in sorted({getattr(r, by) for r in own}):
        rest = tuple(r for r in pool if getattr(r, by) != group)
        if not any(_applies(r.phase, phase) for r in rest):
            continue
        for row in (r for r in own if getattr(r, by) == group):
            fit = _fit(rest, phase, row.vendor)
            fraction = row.fraction(fit.exposed)
            inside += _quantile(fit, 0.05) <= fraction <= _quantile(fit, 0.95)
            errors.append(abs(math.exp(fit.centre) / fraction - 1))
    if not errors:
        return None
    return Accuracy(rows=len(errors), coverage=inside / len(errors), median_error=median(errors))


def _named(row: AchievedSample) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _OfRate.model_fields}


@lru_cache(maxsize=256)
def _achieved_range(
    pool: tuple[AchievedSample, ...],
    phase: RatePhase,
    vendor: str | None,
    sources: tuple[str, ...],
    vendors: tuple[str, ...],
) -> AchievedRange:
    fit = _fit(pool, phase, vendor)
    rows = tuple(r for r in pool if _applies(r.phase, phase))
    return AchievedRange(
        phase=phase,
        exposed_link=fit.exposed,
        low90=_quantile(fit, 0.05),
        mid=math.exp(fit.centre),
        high90=_quantile(fit, 0.95),
        low99=_quantile(fit, 0.005),
        high99=_quantile(fit, 0.995),
        sd_log=fit.sd,
        degrees=fit.degrees,
        rows=tuple(AchievedRow(**_named(r), fraction=r.fraction(fit.exposed)) for r in rows),
        sources=tuple(dict.fromkeys(r.source_id for r in rows)),
        excluded_sources=sources,
        excluded_vendors=vendors,
        loso=_accuracy(pool, phase, "source_id"),
        lovo=_accuracy(pool, phase, "vendor"),
    )


def achieved_range(
    phase: RatePhase,
    *,
    vendor: str | None = None,
    exclude_sources: tuple[str, ...] = (),
    exclude_vendors: tuple[str, ...] = (),
    catalog: Catalog | None = None,
) -> AchievedRange:
    """The fraction of its reference point that a new publication's rate of `phase` reaches.

    `vendor` is the chip's; where no published rate of that vendor is left, the width has a vendor term. Raises
    UsageError where nothing is left to make a usual range from.
    """
    pool = _builtin_samples() if catalog is None else samples(catalog)
    kept = tuple(r for r in pool if r.source_id not in exclude_sources and r.vendor not in exclude_vendors)
    if not any(_applies(r.phase, phase) for r in kept):
        raise UsageError(f"no published {phase} rate is left to make a usual range from; leave fewer sources out")
    return _achieved_range(kept, phase, vendor, tuple(exclude_sources), tuple(exclude_vendors))
