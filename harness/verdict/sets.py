"""A sheet as a whole: its claims beside one another and beside published figures. Writes equations, solves none."""

import math

from harness.catalog.rates import PublishedRate
from harness.claims import ChipRatio, Claim, Cost, Efficiency, Sheet, StatedConditions, Throughput
from harness.results.assessment import InconsistentSet
from harness.roofline.deployment import number_format
from harness.units import count, number
from harness.verdict.architecture import figures
from harness.verdict.equations import Contradiction, Equation, contradictions, implied
from harness.verdict.finding import ARTEFACT_TOLERANCE, IDENTITY_TOLERANCE, claimed
from harness.verdict.knowledge import Knowledge
from harness.verdict.ratios import like
from harness.verdict.tracing import Trace, described, per_package, trace

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


def _own_key(claim: Throughput, sheet: Sheet) -> str:
    """The claim's unknown: its own where another rate of the sheet gives the same few conditions and no shape."""
    chip, c = claim.conditions.chip or "", claim.conditions
    key = _key(c, chip)
    shaped = c.batch is not None or (c.phase == "prefill" and c.prompt_tokens is not None)
    alike = [
        o for o in sheet.claims if isinstance(o, Throughput) and _key(o.conditions, o.conditions.chip or "") == key
    ]
    return key if shaped or len(alike) == 1 else f"{key} of {claim.id}"


def _row_key(row: PublishedRate) -> str:
    return f"rate of {row.chip}, {row.model}, {row.phase}, idealised {row.conditions.idealised}"


def _rates(sheet: Sheet, knowledge: Knowledge) -> list[Equation]:
    out: list[Equation] = []
    own = (*sheet.source.derived_from, *sheet.source.catalogued_as)
    for claim in sheet.claims:
        chip = knowledge.chip(claim.conditions.chip) if claim.conditions.chip else None
        if chip is None:
            continue
        if isinstance(claim, Throughput):
            rate = per_package(claim, chip.dies_per_package)
            if rate is not None:
                traced = trace(claim, rate, own, knowledge)
                out += _throughput(claim, rate, traced, sheet, knowledge)
        elif isinstance(claim, Efficiency):
            out += _efficiency(claim, knowledge)
        elif isinstance(claim, Cost) and claim.usd_per_hour is not None:
            out.append(_cost(claim))
    return _used(out)


def _throughput(
    claim: Throughput, rate: float, traced: Trace | None, sheet: Sheet, knowledge: Knowledge
) -> list[Equation]:
    """The rate itself, its identity, its measured sibling, and every ratio of chips that bears on it."""
    conditions = traced.conditions if traced else claim.conditions
    key = _own_key(claim, sheet)
    out = [
        Equation(
            name=f"{claim.id}: {number(rate, 4)} tok/s",
            claim=claim.id,
            terms=((key, 1.0),),
            value=math.log(rate),
            sd=_sd(claim),
        )
    ]
    c = claim.conditions
    if c.batch is not None and c.tpot_s is not None and c.tpot_independent and c.phase == "decode":
        name = f"{claim.id}: batch {c.batch:g} over {1000 * c.tpot_s:g} ms"
        value = math.log(c.batch / c.tpot_s)
        out.append(Equation(name=name, claim=claim.id, terms=((key, 1.0),), value=value, sd=PRINTED_SD))
    if traced is not None:
        out += _measured_reading(claim, traced, key, knowledge)
    for other in sheet.claims:
        if isinstance(other, ChipRatio) and other.chip == claim.conditions.chip:
            out += _ratio(other, key, conditions, traced, knowledge)
    return out


def _measured_reading(claim: Throughput, traced: Trace, key: str, knowledge: Knowledge) -> list[Equation]:
    """A projection told without saying so is read as measured: then the measured figure contradicts it."""
    row = traced.rate
    if not row.conditions.idealised or claim.conditions.idealised:
        return []
    unknown = f"{key}, read as measured"
    said = f"{claim.id}, read as measured: {number(row.rate_tok_s, 4)} tok/s"
    value = math.log(row.rate_tok_s)
    return [Equation(name=said, claim=claim.id, terms=((unknown, 1.0),), value=value, sd=PRINTED_SD)] + [
        Equation(
            name=f"measured, same source and conditions: {number(r.rate_tok_s, 4)} tok/s ({r.id})",
            claim=None,
            terms=((unknown, 1.0),),
            value=math.log(r.rate_tok_s),
            sd=PRINTED_SD,
        )
        for r in knowledge.rates
        if r.source_id == row.source_id
        and (r.model, r.chip, r.phase) == (row.model, row.chip, row.phase)
        and not r.conditions.idealised
        and r.conditions.prompt_tokens == row.conditions.prompt_tokens
    ]


def _ratio(
    claim: ChipRatio, key: str, conditions: StatedConditions, traced: Trace | None, knowledge: Knowledge
) -> list[Equation]:
    """Rate of the chip over the reference's, for each published rate of the reference under like conditions."""
    if claim.conditions.phase not in (None, conditions.phase) or traced is None:
        return []
    rows = [r for r in knowledge.rates if r.chip == claim.reference and like(traced.rate, r)]
    if not rows:
        return []
    unknown = f"{_row_key(rows[0])} beside {key}"
    out = [
        Equation(
            name=f"{claim.id}: {number(claim.ratio, 2)} of {claim.reference}",
            claim=claim.id,
            terms=((key, 1.0), (unknown, -1.0)),
            value=math.log(claim.ratio),
            sd=_sd(claim),
        )
    ]
    out += [
        Equation(
            name=f"published: {number(r.rate_tok_s, 4)} tok/s, {described(r)} ({r.system})",
            claim=None,
            terms=((unknown, 1.0),),
            value=math.log(r.rate_tok_s),
            sd=SYSTEMS_SD,
        )
        for r in rows
    ]
    return out


def _efficiency(claim: Efficiency, knowledge: Knowledge) -> list[Equation]:
    """Tokens a second for each TFLOPS, times the peak, is the rate under the same conditions."""
    chip = knowledge.chip(claim.conditions.chip or "")
    if chip is None or claim.figure != "tok_s_per_tflops":
        return []
    name = number_format(claim.conditions.precision).peak if claim.conditions.precision else "fp8"
    peak = chip.peak(name) or chip.peak("int8")
    if peak is None:
        return []
    key = _key(claim.conditions, chip.name)
    said = f"{claim.id}: {number(claim.value, 3)} tok/s for each of {number(peak.best / 1e12, 4)} TFLOPS"
    value = math.log(claim.value * peak.best / 1e12)
    return [Equation(name=said, claim=claim.id, terms=((key, 1.0),), value=value, sd=PRINTED_SD)]


def _cost(claim: Cost) -> Equation:
    """Price of an hour over the price of a million tokens is the rate under the same conditions."""
    assert claim.usd_per_hour is not None
    rate = claim.usd_per_hour / claim.usd_per_mtok / 3600 * 1e6
    return Equation(
        name=f"{claim.id}: price implies {number(rate, 4)} tok/s",
        claim=claim.id,
        terms=((_key(claim.conditions, claim.conditions.chip or ""), 1.0),),
        value=math.log(rate),
        sd=_sd(claim),
    )


def _used(equations: list[Equation]) -> list[Equation]:
    """Each equation once."""
    return list(dict.fromkeys(equations))


def _sizes(sheet: Sheet, knowledge: Knowledge) -> list[Equation]:
    """Parameter counts against what was released, where no released model of the name agrees."""
    out: list[Equation] = []
    for claim in sheet.claims:
        if claim.kind != "architecture" or claim.figure not in ("total_parameters", "active_parameters"):
            continue
        models = knowledge.could_be(claim.conditions.model or sheet.subject or "")
        if not models:
            continue
        best = min(models, key=lambda m: min(abs(math.log(claim.value / v)) for v in figures(m, claim.figure)))
        value = min(figures(best, claim.figure), key=lambda v: abs(math.log(claim.value / v)))
        names = ", ".join(f"{m.title} {number(figures(m, claim.figure)[0] / 1e9, 3)} B" for m in models)
        unknown = f"{claim.figure} of {sheet.subject}"
        shown = claimed(claim)[0] or claim.value
        out += [
            Equation(
                name=f"{claim.id}: {number(shown / 1e9, 3)} B",
                claim=claim.id,
                terms=((unknown, 1.0),),
                value=math.log(claim.value),
                sd=ABOUT_SD,
            ),
            Equation(
                name=f"released: {names}", claim=None, terms=((unknown, 1.0),), value=math.log(value), sd=ABOUT_SD
            ),
        ]
    return out


def _as_set(found: Contradiction) -> InconsistentSet:
    """The members with what is checked last: a published figure where there is one, else the last claim."""
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
