"""An assessment as blocks: the verdict table, the evidence behind each verdict, and the scaled rows."""

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from harness import units
from harness.files.text import web_address
from harness.report.blocks import Block, Bullets, Callout, Cell, Chart, ClaimName, Details, Heading, Link, Table, Text
from harness.report.blocks import columns as heads
from harness.report.clauses import by_weight
from harness.results.assessment import (
    AsOf,
    Assessment,
    Basis,
    ChainLink,
    Evidence,
    InconsistentSet,
    Outcome,
    Scaled,
    Verdict,
    VerdictChange,
)
from harness.stats import LEVEL, Interval

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
BASES: tuple[Basis, ...] = get_args(Basis)
MEANINGS: dict[Outcome, str] = {
    "refuted": "breaks a bound, an identity or a primary source",
    "implausible": "possible, but above what published systems reach",
    "supported": "confirmed by arithmetic, a primary source or a measured ratio that transfers",
    "consistent": "inside what is usual; nothing here could confirm it",
    "undecided": "the evidence straddles, or a missing condition decides",
    "out of reach": "nothing here can measure, model or cite it",
}


def verdict_blocks(assessment: Assessment, charts: tuple[Chart, ...]) -> tuple[Block, ...]:
    """The table of verdicts, what is out of reach, the sets that cannot all hold, `charts`, and the evidence."""
    blocks: list[Block] = [Heading(level=2, text="Verdicts"), verdict_table(assessment)]
    beyond = [v for v in assessment.verdicts if v.outcome == "out of reach"]
    if beyond:
        blocks.append(_beyond_table(beyond))
    if assessment.inconsistent_sets:
        sets = tuple(map(contradiction, assessment.inconsistent_sets))
        blocks += [Callout(tone="warning", text=_cannot_all_hold(len(sets))), Bullets(items=sets)]
    blocks += charts
    if assessment.verdicts:
        blocks.append(Heading(level=2, text="Evidence", folded=True))
        blocks += [evidence_details(v) for v in assessment.verdicts]
    return tuple(blocks)


def as_of_blocks(found: AsOf) -> tuple[Block, ...]:
    """The day that a sheet was judged for, what has no date, and each verdict that is another one today."""
    day = found.day.isoformat()
    note = Callout(tone="note", text=f"{judged_by(found)} {_undated(found)}".strip())
    if not found.changes:
        return note, Text(text=f"No verdict has changed since {day}.")
    items = tuple(f"{c.id}: {changed(c)}. {c.reason}" for c in found.changes)
    return note, Heading(level=2, text=f"Changed since {day}"), Bullets(items=items)


def judged_by(found: AsOf) -> str:
    return f"Judged by what was public on {found.day.isoformat()}."


def _undated(found: AsOf) -> str:
    if not found.undated:
        return ""
    return f"Without a date, hence used: {', '.join(found.undated)}."


def changed(found: VerdictChange) -> str:
    """Outcomes then and now, or the flags where only these differ."""
    if found.then != found.now:
        return f"{found.then} then, {found.now} now"
    came = [flag for flag in found.flags_now if flag not in found.flags_then]
    went = [f"no longer {flag}" for flag in found.flags_then if flag not in found.flags_now]
    return f"{found.now} then and now, {', '.join((*(f'now {flag}' for flag in came), *went))}"


def contradiction(found: InconsistentSet) -> str:
    """The members of a set that cannot all hold, and why."""
    return f"{'; '.join(found.members or found.claims)}. {found.explanation}"


def _cannot_all_hold(sets: int) -> str:
    if sets == 1:
        return "One set of statements cannot hold together:"
    return f"{units.whole(sets)} sets of statements cannot hold together, each in itself:"


def verdict_table(assessment: Assessment) -> Table:
    """What was judged; claims that nothing here reaches stand in a table of their own."""
    judged = [v for v in assessment.verdicts if v.outcome != "out of reach"]
    seen = {v.outcome for v in judged}
    claimed = f"Claimed; {_level(LEVEL)} interval, bound"
    legend = "; ".join(f"{outcome}: {MEANINGS[outcome]}" for outcome in OUTCOMES if outcome in seen)
    return Table(
        title="Each claim and what became of it",
        columns=heads("Claim", claimed, "Outcome, flags", "Why, and what is missing", outcome="Outcome, flags"),
        rows=tuple(_verdict_row(v) for v in judged),
        note=f"{legend[0].upper()}{legend[1:]}." if legend else None,
        narrow="cards",
    )


def _verdict_row(v: Verdict) -> tuple[Cell, ...]:
    outcome = v.outcome if v.also is None else f"{v.outcome}\nor {v.also}"
    missing = [f"missing: {', '.join(v.missing)}"] if v.missing else []
    claimed = () if v.claimed is None else (units.quantity(v.claimed, v.unit),)
    return (
        _name(v),
        "\n".join((*claimed, *_bounds(v))) or units.UNKNOWN,
        "\n".join((outcome, *v.flags)),
        "\n".join((v.reason, *missing)),
    )


def _beyond_table(verdicts: list[Verdict]) -> Table:
    return Table(
        title=f"Out of reach: {MEANINGS['out of reach']}",
        columns=heads("Claim", "Why"),
        rows=tuple((_name(v), v.reason) for v in verdicts),
        narrow="cards",
    )


def _name(v: Verdict) -> ClaimName:
    return ClaimName(text=f"{v.statement}\n({v.id})", claim=v.id, outcome=v.outcome)


def _bounds(v: Verdict) -> Iterable[str]:
    if v.interval is not None:
        yield interval(v.interval, v.unit)
        if v.interval_of:
            yield v.interval_of
    if v.binding:
        yield f"bound by {v.binding}"


def interval(value: Interval | None, unit: str) -> str:
    """An interval, with its level where that is not the one that headings name."""
    if value is None:
        return units.UNKNOWN
    text = units.interval(value.low, value.high, unit)
    return text if abs(value.level - LEVEL) < 1e-9 else f"{text} ({_level(value.level)})"


def _level(level: float) -> str:
    return units.percent(level, 2)


def evidence_details(v: Verdict) -> Details:
    blocks: list[Bullets | Table] = [Bullets(items=verdict_facts(v))]
    if v.evidence:
        blocks.append(evidence_table(v))
    brief = f"{v.id}: {v.outcome}. {_brief(v)}"
    return Details(summary=v.id, outcome=v.outcome, claim=v.id, brief=brief, folded=True, blocks=tuple(blocks))


def verdict_facts(v: Verdict) -> tuple[str, ...]:
    """The claim in its place, the reason for its outcome, and how sure the outcome is."""
    facts = [f"{v.place}: {v.statement}", v.reason]
    if v.stability is not None:
        share = units.percent(v.stability)
        facts.append(f"In {share} of the scenarios for the missing conditions the outcome is the same.")
    if v.largest_uncertainty:
        facts.append(f"Largest uncertainty: {v.largest_uncertainty}.")
    return tuple(facts)


def _brief(v: Verdict) -> str:
    """How much evidence of which basis, and the one piece that bears most directly."""
    if not v.evidence:
        return "No evidence bears on it."
    counted = Counter(e.basis for e in v.evidence)
    parts = ", ".join(f"{counted[basis]} {basis}" for basis in BASES if counted[basis])
    first = by_weight(v.evidence, v.outcome)[0]
    figure = f" = {units.quantity(first.value, first.unit)}" if first.value is not None else ""
    return f"{parts}; {first.stance}: {first.quantity}{figure} ({first.source})."


def evidence_table(v: Verdict) -> Table:
    return Table(
        title=f"Evidence on {v.id}",
        columns=heads("Basis", "Stance", "Quantity", ">Value", f"{_level(LEVEL)} interval", "Source"),
        rows=tuple(_evidence_row(e) for e in v.evidence),
        narrow="cards",
    )


def _evidence_row(e: Evidence) -> tuple[Cell, ...]:
    quantity = e.quantity if e.note is None else f"{e.quantity}\n{e.note}"
    address = web_address(e.url)
    source: Cell = Link(text=e.source, url=address) if address else e.source
    value = units.quantity(e.value, e.unit)
    return (e.basis, e.stance, quantity, value, interval(e.interval, e.unit), source)


def scaled_blocks(assessment: Assessment) -> tuple[Block, ...]:
    """The scaled table, what of it transfers, then each chain from this host's figure to the reported one."""
    if not assessment.scaled:
        return ()
    return (
        Heading(level=2, text="Scaled against the article"),
        Text(
            text="Each reported figure beside what was measured here: the factor between the two, what the hardware's "
            "own ratio or ceiling would allow, and the fraction of the ceiling that the report implies."
        ),
        scaled_table(assessment),
        Text(text="What transfers, row by row:"),
        Bullets(items=tuple(_grouped((f"{s.transfers}: {s.why}", s.quantity) for s in assessment.scaled))),
        _hardware(assessment),
        *_chains(assessment),
    )


def _hardware(assessment: Assessment) -> Details:
    """What the column 'hardware allows' holds, row by row."""
    items = tuple(_grouped((s.hardware_as, s.quantity) for s in assessment.scaled if s.hardware_as))
    title = "What 'hardware allows' is"
    return Details(summary=title, brief=title, folded=True, blocks=(Bullets(items=items),))


def _grouped(remarks: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Each remark once, with the rows that it belongs to."""
    rows: dict[str, list[str]] = {}
    for remark, row in remarks:
        rows.setdefault(remark, []).append(row)
    return (f"{remark.rstrip('.')} ({'; '.join(names)})." for remark, names in rows.items())


def _chains(assessment: Assessment) -> tuple[Block, ...]:
    chained = [s for s in assessment.scaled if s.chain]
    if not chained:
        return ()
    return (
        Heading(level=3, text="The chains, from this host's figure to the reported one"),
        *(chain_details(s) for s in chained),
    )


def scaled_table(assessment: Assessment) -> Table:
    return Table(
        title="Reported, measured here, and what separates the two",
        columns=heads(
            "Quantity", ">Reported", "Measured here", "Factor", "Hardware allows", ">Of ceiling", "Transfers"
        ),
        rows=tuple(_scaled_row(s) for s in assessment.scaled),
        note=f"Factor: reported over measured. Intervals at {_level(LEVEL)} where no other level is named.",
        narrow="cards",
    )


def _scaled_row(s: Scaled) -> tuple[Cell, ...]:
    measured = [units.quantity(s.measured, s.unit)]
    if s.measured_interval:
        measured.append(interval(s.measured_interval, s.unit))
    if s.measured_as:
        measured.append(s.measured_as)
    ceiling = [units.percent(s.ceiling_fraction)]
    if s.ceiling is not None:
        ceiling.append(f"of {units.quantity(s.ceiling, 'tok/s')}")
    return (
        s.quantity,
        units.quantity(s.reported, s.unit),
        "\n".join(measured),
        interval(s.factor, "ratio"),
        interval(s.hardware, s.unit),
        "\n".join(ceiling),
        s.transfers,
    )


def chain_details(s: Scaled) -> Details:
    """The links from this host's figure to the reported one, as lines and as a table."""
    summary = f"{s.quantity}: {units.quantity(s.reported, s.unit)}"
    return Details(summary=summary, brief="\n".join((summary, *map(_link, s.chain))), blocks=(chain_table(s),))


def _link(step: ChainLink) -> str:
    figure = f": {units.quantity(step.value, step.unit)}" if step.value is not None else ""
    return f"{step.text.rstrip('.')}{figure} ({step.basis}{'' if step.transferable else ', does not transfer'})"


def chain_table(s: Scaled) -> Table:
    return Table(
        title=f"From here to {units.quantity(s.reported, s.unit)} ({s.id})",
        columns=heads("Step", ">Value", "Basis", "Transfers"),
        rows=tuple(_chain_row(step) for step in s.chain),
    )


def _chain_row(step: ChainLink) -> tuple[Cell, ...]:
    return step.text, units.quantity(step.value, step.unit), step.basis, "yes" if step.transferable else "no"
