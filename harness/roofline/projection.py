"""What a model could do on a chip: limits, what published systems would reach, and all that follows from a rate.

Conditions that the deployment leaves open are ranged over: the bound takes the best that any value of them allows, the
forecast draws them as published systems have them. Giving a condition can only lower the bound.
"""

from typing import Literal

from harness.catalog.chips import Chip
from harness.catalog.collection import Catalog
from harness.errors import UsageError
from harness.model.routing import RoutingCase, routing_cases
from harness.model.spec import Spec
from harness.roofline.bound import highest
from harness.roofline.ceiling import Binding, Ceiling, Share, arithmetic_of, ceiling, runs
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import Forecast, forecast, law
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
    typical: Deployment
    """the draw that the components and the memory are of"""
    bound: Ceiling
    """over all that is left open; a claim above it is refuted"""
    limits: Ceiling
    """of the typical deployment"""
    components: tuple[Share, ...]
    forecast: Forecast
    without_sources: tuple[str, ...]
    without_vendors: tuple[str, ...]
    normalisers: tuple[Normaliser, ...]
    routing: tuple[RoutingCase, ...]
    """experts of a layer that the group touches in a step, routed evenly and with skew; empty for a dense model"""
    identities: tuple[Identity, ...]

    @property
    def ceiling_tok_s(self) -> float:
        """The rate that nothing can pass."""
        return self.bound.rate_tok_s

    @property
    def binding(self) -> Binding:
        """What sets the ceiling; capacity where nothing fits."""
        return "capacity" if self.fits is False else self.bound.binding

    @property
    def usual90_tok_s(self) -> Spread:
        rate = self.forecast.rate
        return Spread(low=rate.low90, mid=rate.mid, high=rate.high90)

    @property
    def usual99_tok_s(self) -> Spread:
        rate = self.forecast.rate
        return Spread(low=rate.low99, mid=rate.mid, high=rate.high99)

    @property
    def fits(self) -> bool | None:
        """Whether any deployment fits; None where no source gives the chip's memory."""
        return self.bound.fits

    @property
    def tpot_floor_s(self) -> float | None:
        """Least time per output token of the typical deployment."""
        return self.limits.tpot_floor_s


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


def _group_positions(found: Deployment, phase: RatePhase) -> float:
    """Positions of a step over the whole group."""
    if phase == "prefill":
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
    """Limits of `spec` on `chip`, and what published systems would reach, over all that `deployment` leaves open.

    The named publications and vendors are left out of the law. Raises UsageError for arithmetic that the chip does not
    have, and where no published rate is left.
    """
    _refuse_unsupported(chip, deployment)
    fitted = law(catalog, exclude_sources, exclude_vendors)
    if fitted is None:
        raise UsageError("no published rate is left to make a usual range from; leave fewer sources out")
    bound = highest(spec, chip, deployment, phase)
    found = forecast(spec, chip, deployment, phase, fitted, bound.rate_tok_s)
    limits = ceiling(spec, chip, found.typical, phase)
    usual = Spread(low=found.rate.low90, mid=found.rate.mid, high=found.rate.high90)
    return Projection(
        chip=chip.name,
        vendor=chip.vendor,
        phase=phase,
        deployment=deployment,
        missing=found.missing,
        typical=found.typical,
        bound=bound,
        limits=limits,
        components=limits.shares,
        forecast=found,
        without_sources=exclude_sources,
        without_vendors=exclude_vendors,
        routing=routing_cases(spec, _group_positions(found.typical, phase)),
        normalisers=_normalisers(chip, found.typical, usual),
        identities=_identities(phase, found.typical, usual.mid),
    )
