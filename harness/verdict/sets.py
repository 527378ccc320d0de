"""The equations that a sheet's claims and the published figures form, and the sets of them that contradict."""

import math

from harness.catalog.chips import Chip
from harness.catalog.rates import PublishedRate
from harness.claims import ChipRatio, Claim, Cost, Efficiency, Sheet, StatedConditions, Throughput
from harness.results.assessment import InconsistentSet
from harness.units import count, number
from harness.verdict.architecture import figures
from harness.verdict.equations import Contradiction, Equation, contradictions, implied
from harness.verdict.finding import ARTEFACT_TOLERANCE, IDENTITY_TOLERANCE
from harness.verdict.knowledge import Knowledge
from harness.verdict.limits import stated_peak
from harness.verdict.ratios import like
from harness.verdict.tracing import Trace, described, measured_siblings, per_package, trace

Z95 = 1.96
PRINTED_SD = math.log1p(IDENTITY_TOLERANCE) / Z95
"""A stated figure: right to 3 % in 95 of 100 cases, as figures of two or three digits are."""
ABOUT_SD = math.log1p(ARTEFACT_TOLERANCE) / Z95
"""The same for a figure that the source hedges."""
SYSTEMS_SD = 0.10
"""Between two serving systems on like chips and conditions: the published ratios of 910C to H100 and H800 with one
vendor's own software, 0.84 to 1.05, have a standard deviation of 0.08 in logarithms."""


def inconsistent_sets(sheet: Sheet, knowledge: Knowledge) -> tuple[InconsistentSet, ...]:
    """The smallest sets of claims and published figures that contradict one another."""
    equations = [*_rates(sheet, knowledge), *_sizes(sheet, knowledge)]
    return tuple(_as_set(c) for c in contradictions(equations))


def _sd(claim: Claim) -> float:
    return PRINTED_SD if claim.hedge == "exactly" else ABOUT_SD


def _key(conditions: StatedConditions, chip: str) -> str:
    """The unknown that a rate is: everything given makes it another one, so that only like is set beside like."""
    c = conditions
    shape = (c.phase, c.model, c.batch, c.prompt_tokens, c.context_tokens, c.output_tokens, c.precision, c.chips)
    return " ".join(str(part) for part in ("rate", chip, *shape, c.mtp_drafts, c.idealised or False))


def _stated(name: str, claim: str | None, value: float, sd: float, unknown: str, over: str | None = None) -> Equation:
    """That an unknown, or its ratio to another, has this value."""
    terms = ((unknown, 1.0),) if over is None else ((unknown, 1.0), (over, -1.0))
    return Equation(name=name, claim=claim, terms=terms, value=math.log(value), sd=sd)


def _own_key(claim: Throughput, sheet: Sheet) -> str:
    """The claim's unknown: its own where another rate of the sheet gives the same few conditions and no shape."""
    c = claim.conditions
    key = _key(c, c.chip or "")
    rates = (o.conditions for o in sheet.claims if isinstance(o, Throughput))
    shaped = c.batch is not None or (c.phase == "prefill" and c.prompt_tokens is not None)
    alike = sum(_key(o, o.chip or "") == key for o in rates)
    return key if shaped or alike == 1 else f"{key} of {claim.id}"


def _row_key(row: PublishedRate) -> str:
    return f"rate of {row.chip}, {row.model}, {row.phase}, idealised {row.conditions.idealised}"


def _rates(sheet: Sheet, knowledge: Knowledge) -> list[Equation]:
    """Of every claim that is or implies a rate of a known chip; each equation once."""
    out: list[Equation] = []
    for claim in sheet.claims:
        chip = knowledge.chip(claim.conditions.chip)
        if chip is None:
            continue
        match claim:
            case Throughput():
                out += _throughput(claim, chip, sheet, knowledge)
            case Efficiency():
                out += _efficiency(claim, chip)
            case Cost():
                out += _cost(claim)
    return list(dict.fromkeys(out))


def _throughput(claim: Throughput, chip: Chip, sheet: Sheet, knowledge: Knowledge) -> list[Equation]:
    """The rate itself, its identity, the measured rate beside a projection, and every ratio of chips on it."""
    rate = per_package(claim, chip.dies_per_package)
    if rate is None:
        return []
    traced, key, c = (
        trace(claim, rate, sheet.source.own_publications, knowledge),
        _own_key(claim, sheet),
        claim.conditions,
    )
    out = [_stated(f"{claim.id}: {number(rate, 4)} tok/s", claim.id, rate, _sd(claim), key)]
    if c.batch is not None and c.tpot_s is not None and c.tpot_is_value and c.tpot_independent and c.phase == "decode":
        name = f"{claim.id}: batch {c.batch:g} over {1000 * c.tpot_s:g} ms"
        out.append(_stated(name, claim.id, c.batch / c.tpot_s, PRINTED_SD, key))
    if traced is not None:
        out += _measured_reading(claim, traced, key, knowledge)
        for other in sheet.claims:
            if isinstance(other, ChipRatio) and other.chip == c.chip:
                out += _ratio(other, key, traced, knowledge)
    return out


def _measured_reading(claim: Throughput, traced: Trace, key: str, knowledge: Knowledge) -> list[Equation]:
    """A projection that is not called one is read as measured: then the measured figure contradicts it."""
    row = traced.rate
    if not row.conditions.idealised or claim.conditions.idealised:
        return []
    unknown = f"{key}, read as measured"
    name = f"{claim.id}, read as measured: {number(row.rate_tok_s, 4)} tok/s"
    out = [_stated(name, claim.id, row.rate_tok_s, PRINTED_SD, unknown)]
    for r in measured_siblings(row, knowledge):
        name = f"measured, same source and conditions: {number(r.rate_tok_s, 4)} tok/s ({r.id})"
        out.append(_stated(name, None, r.rate_tok_s, PRINTED_SD, unknown))
    return out


def _ratio(claim: ChipRatio, key: str, traced: Trace, knowledge: Knowledge) -> list[Equation]:
    """Rate of the chip over the reference's, for each published rate of the reference under like conditions."""
    of = claim.conditions
    if of.phase not in (None, traced.conditions.phase) or not _alike(of.model, traced.rate.model, knowledge):
        return []
    if traced.rate.threshold:
        return []
    rows = [r for r in knowledge.rates if r.chip == claim.reference and not r.threshold and like(traced.rate, r)]
    if not rows:
        return []
    unknown = f"{_row_key(rows[0])} beside {key}"
    name = f"{claim.id}: {number(claim.ratio, 2)} of {claim.reference}"
    out = [_stated(name, claim.id, claim.ratio, _sd(claim), key, unknown)]
    for r in rows:
        name = f"published: {number(r.rate_tok_s, 4)} tok/s, {described(r)} ({r.system})"
        out.append(_stated(name, None, r.rate_tok_s, SYSTEMS_SD, unknown))
    return out


def _alike(named: str | None, model: str, knowledge: Knowledge) -> bool:
    """Whether what is said of one model, or of none by name, can be said of this one."""
    return named is None or knowledge.same_model(named, model)


def _efficiency(claim: Efficiency, chip: Chip) -> list[Equation]:
    """Tokens a second for each TFLOPS, times the peak, is the rate under the same conditions."""
    peak = stated_peak(claim, chip) if claim.figure == "tok_s_per_tflops" else None
    if peak is None:
        return []
    tflops = peak.best / 1e12
    name = f"{claim.id}: {number(claim.value, 3)} tok/s for each of {number(tflops, 4)} TFLOPS"
    return [_stated(name, claim.id, claim.value * peak.best / 1e12, PRINTED_SD, _key(claim.conditions, chip.name))]


def _cost(claim: Cost) -> list[Equation]:
    """Price of an hour over the price of a million tokens is the rate under the same conditions."""
    if claim.usd_per_hour is None:
        return []
    rate = claim.usd_per_hour / claim.usd_per_mtok / 3600 * 1e6
    name = f"{claim.id}: price implies {number(rate, 4)} tok/s"
    return [_stated(name, claim.id, rate, _sd(claim), _key(claim.conditions, claim.conditions.chip or ""))]


def _sizes(sheet: Sheet, knowledge: Knowledge) -> list[Equation]:
    """Parameter counts against what was released, where no released model of the name agrees."""
    out: list[Equation] = []
    for claim in sheet.claims:
        if claim.kind != "architecture" or claim.figure not in ("total_parameters", "active_parameters"):
            continue
        models = knowledge.could_be(claim.conditions.model or sheet.subject)
        if not models:
            continue
        off = {m.name: min(abs(math.log(claim.value / v)) for v in figures(m, claim)) for m in models}
        best = min(models, key=lambda m: off[m.name])
        value = min(figures(best, claim), key=lambda v: abs(math.log(claim.value / v)))
        names = ", ".join(f"{m.title} {number(figures(m, claim)[0] / 1e9, 3)} B" for m in models)
        unknown = f"{claim.figure} of {claim.conditions.model or sheet.subject}"
        name = f"{claim.id}: {number(claim.value / 1e9, 3)} B"
        out.append(_stated(name, claim.id, claim.value, ABOUT_SD, unknown))
        out.append(_stated(f"released: {names}", None, value, ABOUT_SD, unknown))
    return out


def _as_set(found: Contradiction) -> InconsistentSet:
    """The members, the one to check last at the end: a published figure where there is one, else the last claim."""
    claims = tuple(dict.fromkeys(m.claim for m in found.members if m.claim is not None))
    last = next((m for m in reversed(found.members) if m.claim is None), found.members[-1])
    rest = [m for m in found.members if m is not last]
    value = implied(last, rest)
    implies = "" if value is None or len(rest) < 2 else f"The rest implies {count(math.exp(value), 4)} for the last. "
    return InconsistentSet(
        claims=claims,
        residual=found.residual,
        explanation=f"{implies}They miss by a factor of {number(math.exp(abs(found.residual)), 3)}, more than rounding "
        "and the spread between systems allow at 95 %.",
        members=tuple(m.name for m in (*rest, last)),
    )
