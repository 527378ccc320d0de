"""What a rate would be that nobody has published yet: the law of published rates, at the conditions given.

Conditions that are left open are drawn as published systems have them (`harness.roofline.practice`). The answer is a
distribution of one rate of a new publication, not of a mean: it has in it how far publications lie apart, how well the
law is known, and what is left open.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.catalog.chips import Chip
from harness.catalog.collection import Catalog, builtin
from harness.catalog.rates import PublishedRate
from harness.errors import UsageError
from harness.model.recurrent import RECURRENT
from harness.model.spec import Spec
from harness.roofline.ceiling import runs
from harness.roofline.deployment import Deployment, number_format
from harness.roofline.law import Array, Law, Prediction, RateSample, Traits, quantiles, share_above
from harness.roofline.parts import Parts, parts
from harness.roofline.practice import draws, missing
from harness.vocabulary import MATURITIES, MIXED_PHASES, Frozen, Maturity, RatePhase

SAMPLE_DRAWS = 24
"""Of a published rate that leaves conditions open, while the law is fitted."""
FORECAST_DRAWS = 64
SHARES: dict[Maturity, float] = {"tuned": 0.5, "default": 0.3, "early": 0.2}
"""How much of each a rate is taken to be where nothing tells how mature its software was: about as the published rates
are spread (78, 58 and 26 of 162)."""


def settled(spec: Spec, deployment: Deployment) -> Deployment:
    """The deployment with what follows from the model: no drafts where it has no layers that draft."""
    if deployment.mtp_drafts is None and spec.num_nextn_predict_layers == 0:
        deployment = deployment.model_copy(update={"mtp_drafts": 0})
    if deployment.mtp_drafts == 0:
        deployment = deployment.model_copy(update={"mtp_acceptance": 0.0})
    return deployment


def traits(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, maturity: Maturity) -> Traits:
    """What of a rate matters beside its parts."""
    precision = deployment.precision
    return Traits(
        maturity=maturity,
        vendor=chip.vendor,
        mixed=phase in MIXED_PHASES,
        compressed=spec.attention == "v4",
        young=spec.attention != "v4" and _is_young(spec),
        widened=float(precision is not None and _is_widened(chip, deployment)),
    )


def _is_young(spec: Spec) -> bool:
    """Whether layers have an index, a window or a recurrent state: attention whose kernels are young."""
    recurrent = any(kind in RECURRENT for kind in spec.mixers)
    return spec.index_topk is not None or spec.sliding_window is not None or recurrent


def _is_widened(chip: Chip, deployment: Deployment) -> bool:
    """Whether weights have fewer bits than the arithmetic that they run in."""
    if deployment.precision in ("int4", "w4a8"):
        return True
    return deployment.precision == "fp4" and not chip.supports(number_format("fp4").peak)


@lru_cache(maxsize=8192)
def _drawn(
    spec: Spec, chip: Chip, given: Deployment, phase: RatePhase, count: int
) -> tuple[tuple[Deployment, ...], tuple[Parts, ...]]:
    """Draws of what is open, and their parts."""
    found = draws(spec, chip, given, phase, count)
    return found, tuple(parts(spec, chip, one, phase) for one in found)


def sample(rate: PublishedRate, spec: Spec, chip: Chip) -> RateSample | None:
    """A published rate as the law takes it; None where the catalog has no figures of the chip for it."""
    stated = settled(spec, Deployment.of(rate.conditions))
    maturity: Maturity = stated.maturity or "default"
    given = stated.model_copy(update={"maturity": maturity})
    try:
        found = _drawn(spec, chip, given, rate.phase, SAMPLE_DRAWS)[1]
    except UsageError:
        return None
    return RateSample(
        rate_id=rate.id,
        source_id=rate.source_id,
        phase=rate.phase,
        traits=traits(spec, chip, given, rate.phase, maturity),
        open=bool(missing(spec, given, rate.phase)),
        log_time_s=-math.log(rate.rate_tok_s),
        draws=found,
    )


@lru_cache(maxsize=64)
def samples(catalog: Catalog) -> tuple[RateSample, ...]:
    """All published rates that the law may be fitted to."""
    chips, models = {c.name: c for c in catalog.chips}, {m.name: m.spec for m in catalog.models}
    found = (
        sample(rate, models[rate.model], chips[rate.chip])
        for rate in catalog.rates
        if rate.calibrates and rate.model in models and rate.chip in chips
    )
    return tuple(s for s in found if s is not None)


@lru_cache(maxsize=128)
def law(
    catalog: Catalog | None = None, without_sources: tuple[str, ...] = (), without_vendors: tuple[str, ...] = ()
) -> Law | None:
    """The law of the catalog's published rates (None: the program's own), without those of the publications and
    vendors named; None where no rate is left."""
    kept = tuple(
        s
        for s in samples(catalog or builtin())
        if s.source_id not in without_sources and s.traits.vendor not in without_vendors
    )
    return Law(kept) if kept else None


class Forecast(Frozen):
    """What the law says of one rate, in tokens a second and package."""

    phase: RatePhase
    rate: Prediction
    maturity: Maturity | None
    """of the software; None: each as often as `SHARES` says"""
    missing: tuple[str, ...]
    """conditions that were drawn"""
    typical: Deployment
    """the draw nearest the middle"""
    part_shares: tuple[tuple[str, float], ...]
    """shares of the time at the middle, by part, the largest first"""
    moves_most: str | None
    """the open condition that moves the rate most; None where the software does"""
    rates: int
    """published rates that the law is fitted to"""
    sources: tuple[str, ...]
    made_of: str
    """the same in words"""


@dataclass(frozen=True)
class Mixture:
    """Draws of one deployment under each maturity that comes into question."""

    deployments: tuple[Deployment, ...]
    parts: tuple[Parts, ...]
    weighted: tuple[tuple[float, Array, float], ...]
    """weight, log seconds a token of each draw, and the scale of the deviation, for each maturity"""
    missing: tuple[str, ...]

    @property
    def moves_most(self) -> str | None:
        """The open condition whose halves of the draws, low and high, lie furthest apart, if by more than the scale."""
        scale = math.fsum(weight * scale for weight, _, scale in self.weighted)
        effects = {n: _effect([getattr(d, _FIELDS[n]) for d in self.deployments], self.log_times) for n in self.missing}
        name = max(effects, key=lambda n: effects[n], default=None)
        return name if name is not None and effects[name] > scale else None

    @property
    def log_times(self) -> list[float]:
        return [float(t) for _, times, _ in self.weighted for t in times]


def mixture(
    spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, fitted: Law, count: int = FORECAST_DRAWS
) -> Mixture:
    """The draws of a deployment with what the law makes of them."""
    given = settled(spec, deployment)
    open_ = missing(spec, given, phase)
    wanted = MATURITIES if given.maturity is None else (given.maturity,)
    deployments: list[Deployment] = []
    found: list[Parts] = []
    weighted = []
    for maturity in wanted:
        drawn, these = _drawn(spec, chip, given.model_copy(update={"maturity": maturity}), phase, count)
        times, scale = fitted.times(these, traits(spec, chip, drawn[0], phase, maturity), bool(open_))
        weighted.append((SHARES[maturity] if len(wanted) > 1 else 1.0, times, scale))
        deployments += drawn
        found += these
    return Mixture(deployments=tuple(deployments), parts=tuple(found), weighted=tuple(weighted), missing=open_)


def forecast(
    spec: Spec,
    chip: Chip,
    deployment: Deployment,
    phase: RatePhase,
    fitted: Law,
    cap_tok_s: float = math.inf,
    count: int = FORECAST_DRAWS,
) -> Forecast:
    """One rate of a new publication under these conditions; none above `cap_tok_s`, a bound.

    Raises UsageError where the chip has no arithmetic for it, or no source gives its bandwidth.
    """
    drawn = mixture(spec, chip, deployment, phase, fitted, count)
    rate = quantiles(drawn.weighted, cap_tok_s)
    log_times = drawn.log_times
    middle = min(range(len(log_times)), key=lambda i: abs(log_times[i] + math.log(rate.mid)))
    return Forecast(
        phase=phase,
        rate=rate,
        maturity=deployment.maturity,
        missing=drawn.missing,
        typical=drawn.deployments[middle].model_copy(update={"maturity": deployment.maturity}),
        part_shares=_shares(drawn.parts[middle], fitted.factors),
        moves_most=drawn.moves_most,
        rates=len(fitted.samples),
        sources=fitted.sources,
        made_of=fitted.made_of,
    )


def _shares(of: Parts, factors: Parts) -> tuple[tuple[str, float], ...]:
    times = {name: seconds * factor for name, seconds, factor in zip(Parts._fields, of, factors, strict=True)}
    whole = math.fsum(times.values())
    ranked = sorted(((name, time / whole) for name, time in times.items() if time), key=lambda item: -item[1])
    return tuple(ranked)


_FIELDS = {
    "precision": "precision", "chips": "chips", "batch": "batch", "cache": "kv_bytes", "context": "context_tokens",
    "prompt": "prompt_tokens", "output": "output_tokens", "mtp": "mtp_drafts", "acceptance": "mtp_acceptance",
}  # fmt: skip


def _effect(values: list[object], log_times: list[float]) -> float:
    """Distance of the mean log times of the halves of the draws, ordered by a condition's values."""
    order = sorted(
        range(len(values)), key=lambda i: (isinstance(values[i], str), values[i] if values[i] is not None else 0)
    )
    half = len(order) // 2
    if half == 0 or values[order[0]] == values[order[-1]]:
        return 0.0
    low, high = (math.fsum(log_times[i] for i in of) / len(of) for of in (order[:half], order[half:]))
    return abs(high - low)


def each_per_s(drawn: Mixture, tokens: Callable[[Deployment], float]) -> Prediction:
    """How often a second a package does so many tokens, which may depend on the draw: 1 over the seconds it takes."""
    offset = np.log([tokens(d) for d in drawn.deployments])
    ends = np.cumsum([len(times) for _, times, _ in drawn.weighted])[:-1]
    pieces = np.split(offset, ends)
    return quantiles([(w, times + own, scale) for (w, times, scale), own in zip(drawn.weighted, pieces, strict=True)])


def share_of_rates_above(drawn: Mixture, rate_tok_s: float) -> float:
    """Probability that one rate of a new publication is above this one."""
    return share_above(list(drawn.weighted), rate_tok_s)


def can_run(chip: Chip, deployment: Deployment) -> bool | None:
    """Whether the chip computes in the format given; None where no source says, True where none is given."""
    return True if deployment.precision is None else runs(chip, deployment.precision)
