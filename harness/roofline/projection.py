"""What a model could do on a chip: limits, the usual range of published systems, and all that follows from a rate.

Conditions that the deployment leaves open are ranged over. The ceiling is then the largest over the range, the ends of
an interval are the outermost over it, and its middle is that of the conditions in which published systems work. So
giving a condition can only narrow an interval.
"""

import math
from typing import Literal

from harness.catalog.chips import Chip
from harness.catalog.collection import Catalog
from harness.errors import UsageError
from harness.model.routing import RoutingCase, routing_cases
from harness.model.spec import Spec
from harness.roofline.achieved import AchievedRange, achieved_range, reference_tok_s
from harness.roofline.bound import highest
from harness.roofline.ceiling import Binding, Ceiling, Share, arithmetic_of, ceiling, runs
from harness.roofline.deployment import Deployment
from harness.roofline.scenarios import scenarios
from harness.roofline.work import PREFILL_TOKENS_PER_PACKAGE
from harness.vocabulary import MIXED_PHASES, Frozen, RatePhase


class Spread(Frozen):
    """An interval of a rate with its middle, tokens per second and package."""

    low: float
    mid: float
    high: float


class Normaliser(Frozen):
    """The middle of the usual range over one property of the package, with the interval."""

    per: Literal["package", "die", "TFLOP/s", "TB/s", "GB", "W"]
    of: str
    value: Spread | None
    """None where the property is unknown"""


class Identity(Frozen):
    """An equation that any rate of this deployment must satisfy, with its value at the middle of the usual range."""

    text: str
    value: float
    unit: str


class Projection(Frozen):
    """The answer to one question: this model, this chip, this phase, these conditions."""

    chip: str
    vendor: str
    phase: RatePhase
    deployment: Deployment
    missing: tuple[str, ...]
    scenarios: int
    """how many scenarios of the missing conditions were looked at"""
    typical: Deployment
    """the scenario that the components and the memory are of"""
    ceiling_tok_s: float
    generous_tok_s: float
    """the ceiling to refute with: largest sourced figures, open choices in the rate's favour"""
    binding: Binding
    serial_tok_s: float
    reference_tok_s: float
    usual90_tok_s: Spread
    usual99_tok_s: Spread
    achieved: AchievedRange
    limits: Ceiling
    """of the typical scenario"""
    components: tuple[Share, ...]
    memory_bytes: float
    memory_limit_bytes: float | None
    fits: bool | None
    """whether any scenario fits"""
    tpot_floor_s: float | None
    normalisers: tuple[Normaliser, ...]
    routing: tuple[RoutingCase, ...]
    """experts of a layer that the group touches in a step, routed evenly and with skew; empty for a dense model"""
    identities: tuple[Identity, ...]


class _Point(Frozen):
    """One scenario, with its limits."""

    deployment: Deployment
    limits: Ceiling
    reference: float


def _point(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, exposed: float) -> _Point:
    limits = ceiling(spec, chip, deployment, phase)
    return _Point(deployment=deployment, limits=limits, reference=reference_tok_s(limits, exposed))


class _Survey(Frozen):
    """All scenarios of one question."""

    missing: tuple[str, ...]
    points: tuple[_Point, ...]
    centre: float
    """geometric mean of the reference points of likely scenarios"""
    typical: _Point
    bound: Ceiling
    """over all that is left open"""

    @property
    def cap_tok_s(self) -> float:
        return self.bound.rate_tok_s

    @property
    def best(self) -> Ceiling:
        return max((p.limits for p in self.points), key=lambda c: c.rate_tok_s)

    @property
    def fits(self) -> bool | None:
        return self.bound.fits

    @property
    def tpot_floor_s(self) -> float | None:
        return min((p.limits.tpot_floor_s for p in self.points if p.limits.tpot_floor_s), default=None)

    def interval(self, low: float, mid: float, high: float) -> Spread:
        """Outermost ends over the scenarios. No end passes the cap, and the middle stays inside."""
        top = min(self.cap_tok_s, high * max(p.reference for p in self.points))
        bottom = min(top, low * min(p.reference for p in self.points))
        return Spread(low=bottom, mid=min(max(mid * self.centre, bottom), top), high=top)


def _survey(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, exposed: float) -> _Survey:
    found = scenarios(spec, chip, deployment, phase)
    likely = tuple(_point(spec, chip, d, phase, exposed) for d in found.likely)
    points = likely
    if found.missing:
        points += tuple(_point(spec, chip, d, phase, exposed) for d in found.admissible)
    centre = math.fsum(math.log(p.reference) for p in likely) / len(likely)
    return _Survey(
        missing=found.missing,
        points=points,
        centre=math.exp(centre),
        typical=min(likely, key=lambda p: abs(math.log(p.reference) - centre)),
        bound=highest(spec, chip, deployment, phase),
    )


def _scaled(spread: Spread, by: float) -> Spread:
    return Spread(low=spread.low / by, mid=spread.mid / by, high=spread.high / by)


def _normalisers(chip: Chip, typical: Deployment, rate: Spread) -> tuple[Normaliser, ...]:
    peak = chip.peak(arithmetic_of(chip, typical.precision)) if typical.precision else None
    bandwidth, memory, power = chip.bandwidth, chip.memory, chip.power
    rows: tuple[tuple[Literal["package", "die", "TFLOP/s", "TB/s", "GB", "W"], str, float | None], ...] = (
        ("package", "package", 1.0),
        ("die", f"{chip.dies_per_package} dies a package", float(chip.dies_per_package)),
        ("TFLOP/s", f"dense {typical.precision} peak", peak.best / 1e12 if peak else None),
        ("TB/s", "memory bandwidth", bandwidth.best / 1e12 if bandwidth else None),
        ("GB", "memory", memory.best / 1e9 if memory else None),
        ("W", "design power", power.best if power else None),
    )
    return tuple(Normaliser(per=per, of=of, value=None if by is None else _scaled(rate, by)) for per, of, by in rows)


def _identities(phase: RatePhase, typical: Deployment, rate: float) -> tuple[Identity, ...]:
    out = []
    if phase == "decode" and typical.batch is not None:
        kept = typical.tokens_per_step or 1.0
        tpot = typical.batch / rate
        out.append(Identity(text="time per output token = batch / rate", value=tpot, unit="s"))
        out.append(Identity(text="step time = batch * tokens kept a step / rate", value=tpot * kept, unit="s"))
    if typical.chips is not None:
        out.append(Identity(text="rate of the group = rate * chips", value=rate * typical.chips, unit="tok/s"))
    if phase in MIXED_PHASES and typical.prompt_tokens and typical.output_tokens:
        ratio = 1 + typical.prompt_tokens / typical.output_tokens
        text = "total_all = output_all * (1 + prompt / output)"
        value = rate * ratio if phase == "output_all" else rate / ratio
        out.append(Identity(text=text, value=value, unit="tok/s"))
    return tuple(out)


def _group_positions(typical: _Point) -> float:
    """Positions of a step over the whole group."""
    found = typical.deployment
    if typical.limits.phase == "prefill":
        return PREFILL_TOKENS_PER_PACKAGE * (found.chips or 1)
    return (found.batch or 1.0) * (found.positions or 1.0) * (found.chips or 1)


def _refuse_unsupported(chip: Chip, deployment: Deployment) -> None:
    if deployment.precision is not None and runs(chip, deployment.precision) is False:
        have = ", ".join(p.precision for p in chip.peaks if p.supported)
        raise UsageError(
            f"{chip.name} has no arithmetic for {deployment.precision} (it has {have}); choose another precision"
        )


def project(
    spec: Spec,
    chip: Chip,
    deployment: Deployment,
    phase: RatePhase,
    *,
    exclude_sources: tuple[str, ...] = (),
    exclude_vendors: tuple[str, ...] = (),
    catalog: Catalog | None = None,
) -> Projection:
    """Limits and usual range of `spec` on `chip`, over every scenario of the conditions that `deployment` leaves open.

    The usual range leaves the named publications and vendors out. Raises UsageError for arithmetic that the chip does
    not have, and where no published rate is left for a usual range.
    """
    _refuse_unsupported(chip, deployment)
    reached = achieved_range(
        phase,
        vendor=chip.vendor,
        exclude_sources=exclude_sources,
        exclude_vendors=exclude_vendors,
        catalog=catalog,
    )
    survey = _survey(spec, chip, deployment, phase, reached.exposed_link)
    typical, limits = survey.typical, survey.typical.limits
    usual90 = survey.interval(reached.low90, reached.mid, reached.high90)
    return Projection(
        chip=chip.name,
        vendor=chip.vendor,
        phase=phase,
        deployment=deployment,
        missing=survey.missing,
        scenarios=len(survey.points),
        typical=typical.deployment,
        ceiling_tok_s=min(survey.best.rate_tok_s, survey.cap_tok_s),
        generous_tok_s=survey.cap_tok_s,
        binding="capacity" if survey.fits is False else survey.best.binding,
        serial_tok_s=limits.serial_tok_s,
        reference_tok_s=typical.reference,
        usual90_tok_s=usual90,
        usual99_tok_s=survey.interval(reached.low99, reached.mid, reached.high99),
        achieved=reached,
        limits=limits,
        components=limits.shares,
        memory_bytes=limits.memory_bytes,
        memory_limit_bytes=limits.memory_limit_bytes,
        fits=survey.fits,
        tpot_floor_s=survey.tpot_floor_s,
        routing=routing_cases(spec, _group_positions(typical)),
        normalisers=_normalisers(chip, typical.deployment, usual90),
        identities=_identities(phase, typical.deployment, usual90.mid),
    )
