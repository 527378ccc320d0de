"""A sheet of claims, judged: one judge for each kind, and what is added to the findings of all."""

import datetime as dt

from harness.catalog.collection import Catalog
from harness.catalog.facts import Fact
from harness.claims import ChipRatio, Claim, Sheet
from harness.results.assessment import AsOf, Assessment, Verdict, VerdictChange
from harness.results.record import Record
from harness.verdict.architecture import judge_architecture
from harness.verdict.design import judge_design
from harness.verdict.economics import judge_cost_ratio
from harness.verdict.finding import Finding, verdict
from harness.verdict.knowledge import Knowledge, knowledge_of
from harness.verdict.latency import judge_latency
from harness.verdict.limits import judge_arithmetic, judge_capacity, judge_cost, judge_efficiency
from harness.verdict.model_ratios import judge_model_ratio
from harness.verdict.public_record import attribution, judge_fact, judge_out_of_reach
from harness.verdict.ratios import as_evidence, judge_chip_ratio, pairs
from harness.verdict.scale import scale, transfers
from harness.verdict.sets import inconsistent_sets
from harness.verdict.throughput import judge_throughput


def judge(claim: Claim, knowledge: Knowledge, sheet: Sheet, record: Record | None = None) -> Finding:
    """What is found of one claim, by its kind."""
    match claim.kind:
        case "throughput":
            return judge_throughput(claim, knowledge, sheet)
        case "chip_ratio":
            return _normalised(claim, judge_chip_ratio(claim, knowledge, sheet), knowledge)
        case "model_ratio":
            return judge_model_ratio(claim, knowledge)
        case "architecture":
            return judge_architecture(claim, knowledge, sheet)
        case "capacity":
            return judge_capacity(claim, knowledge, sheet)
        case "latency":
            return judge_latency(claim, knowledge, sheet)
        case "efficiency":
            return judge_efficiency(claim, knowledge, sheet)
        case "cost":
            return judge_cost(claim, knowledge, sheet)
        case "cost_ratio":
            return judge_cost_ratio(claim, knowledge, sheet)
        case "design":
            return judge_design(claim, knowledge, sheet, record)
        case "arithmetic":
            return judge_arithmetic(claim)
        case "fact":
            return judge_fact(claim, knowledge)
        case "out_of_reach":
            return judge_out_of_reach(claim)


def _normalised(claim: ChipRatio, finding: Finding, knowledge: Knowledge) -> Finding:
    """The finding with its best-graded pairs under every normaliser, one for each phase."""
    chip, reference = knowledge.chip(claim.chip), knowledge.chip(claim.reference)
    if chip is None or reference is None:
        return finding
    by_phase = {
        p.rate.phase: p for p in reversed(pairs(claim.chip, claim.reference, knowledge, claim.conditions.phase))
    }
    shown = (as_evidence(p, chip, reference) for p in by_phase.values())
    return finding.model_copy(update={"evidence": (*finding.evidence, *shown)})


def _attributed(claim: Claim, finding: Finding, knowledge: Knowledge) -> Finding:
    """The finding with what the public record shows of who made the statement."""
    if claim.attribution is None:
        return finding
    flags, evidence, remark = attribution(claim.attribution, knowledge)
    return finding.model_copy(
        update={
            "flags": tuple(dict.fromkeys((*finding.flags, *flags))),
            "evidence": (*finding.evidence, *evidence),
            "reason": f"{finding.reason} {remark}".strip(),
        }
    )


_NAMELESS = ("fact", "out_of_reach", "arithmetic")
"""Kinds that are judged without looking up a model or a chip."""


def _named(claim: Claim, finding: Finding, knowledge: Knowledge) -> Finding:
    """The finding with the names among its conditions that nothing is known by, and the nearest known ones."""
    model, chip = claim.conditions.model, claim.conditions.chip
    notes = []
    if model is not None and not knowledge.could_be(model) and f"'{model}'" not in finding.reason:
        notes.append(knowledge.unknown_model(model))
    if chip is not None and knowledge.chip(chip) is None and f"'{chip}'" not in finding.reason:
        notes.append(knowledge.unknown_chip(chip))
    if claim.kind in _NAMELESS or not notes:
        return finding
    return finding.model_copy(update={"reason": " ".join((finding.reason, *notes))})


def verdicts(sheet: Sheet, knowledge: Knowledge, record: Record | None = None) -> tuple[Verdict, ...]:
    """A verdict for every claim, in the sheet's order."""
    found = []
    for claim in sheet.claims:
        finding = _named(claim, judge(claim, knowledge, sheet, record), knowledge)
        found.append(verdict(claim, _attributed(claim, finding, knowledge), _unit(claim, knowledge)))
    return tuple(found)


def recognised(sheet: Sheet, knowledge: Knowledge) -> Sheet:
    """The sheet with every catalogued publication of the same address or title known as this very source: a source is
    no evidence for itself, whether it says that it is catalogued or not."""

    def plain(text: str | None) -> str:
        return (text or "").casefold().removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")

    source = sheet.source
    own = {plain(source.title), plain(source.url)} - {""}
    found = {r.source_id for r in knowledge.rates if own & {plain(r.source.title), plain(r.source.url)}}
    known = tuple(dict.fromkeys((*source.catalogued_as, *sorted(found))))
    return sheet.model_copy(update={"source": source.model_copy(update={"catalogued_as": known})})


def _unit(claim: Claim, knowledge: Knowledge) -> str | None:
    """The unit of a public fact's figure, which its topic names."""
    fact = knowledge.fact(claim.topic) if claim.kind == "fact" else None
    return fact.unit if fact is not None and fact.value is not None else None


def assess(
    sheet: Sheet,
    *,
    record: Record | None = None,
    catalog: Catalog | None = None,
    facts: tuple[Fact, ...] | None = None,
    chips: tuple[str, ...] = (),
    as_of: dt.date | None = None,
) -> Assessment:
    """Judge every claim of `sheet`, with the measured ratios of `record` where they apply.

    `catalog` and `facts` default to those that come with the program. `chips` are set beside the scaled figures.
    With `as_of`, what is dated later is not used, and the claims that today's knowledge judges otherwise are named.
    Raises UsageError for a chip of `chips` that the catalog does not know.
    """
    today = knowledge_of(catalog, facts)
    for name in chips:
        today.catalog.chip(name)
    sheet = recognised(sheet, today)
    knowledge = today if as_of is None else today.as_of(as_of)
    found = verdicts(sheet, knowledge, record)
    since = () if as_of is None else changes(found, verdicts(sheet, today, record))
    return Assessment(
        sheet_id=sheet.id,
        sheet_title=sheet.source.title,
        record_id=record.record_id if record is not None else None,
        scaled=scale(sheet, record, knowledge, chips),
        verdicts=found,
        inconsistent_sets=inconsistent_sets(sheet, knowledge),
        transfers=transfers(record),
        as_of=None if as_of is None else AsOf(day=as_of, undated=knowledge.undated, changes=since),
    )


def changes(then: tuple[Verdict, ...], now: tuple[Verdict, ...]) -> tuple[VerdictChange, ...]:
    """The claims of one sheet, judged twice, whose outcome or flags differ."""
    return tuple(
        VerdictChange(id=b.id, then=a.outcome, now=b.outcome, flags_then=a.flags, flags_now=b.flags, reason=b.reason)
        for a, b in zip(then, now, strict=True)
        if (a.outcome, set(a.flags)) != (b.outcome, set(b.flags))
    )
