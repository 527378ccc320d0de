"""The end of a run or a judgement on a screenful: what was measured, the verdicts by outcome, and where to read more.

The firmest news stands last, where a terminal shows it. A long sheet folds its groups to ids until the lines suffice.
"""

import math
from collections import Counter
from collections.abc import Sequence

from harness import units
from harness.errors import UsageError, unknown
from harness.files.text import printable_line
from harness.report import text
from harness.report.blocks import Block, Bullets, Heading, Report, columns
from harness.report.clauses import basis, by_weight, clause
from harness.report.run_tables import conditions, estimated
from harness.report.verdicts import MEANINGS, changed, contradiction, interval, judged_by, verdict_facts
from harness.results.assessment import AsOf, Assessment, Evidence, InconsistentSet, Outcome, Verdict
from harness.results.gains import MeasuredRow, gain_rows, measured_rows
from harness.results.record import Record
from harness.stats import LEVEL
from harness.vocabulary import COUNTERPARTS

LINES = 60
"""At a width of 100; a narrower page has as many more as its lines are shorter."""
_ROWS = 8  # of the table of what was measured
_IDS = 3  # lines of ids of a folded group
_TITLE = 2  # lines
_SENTENCE = 3  # lines
_ID_WIDTH = 26
_ORDER: tuple[Outcome, ...] = ("out of reach", "supported", "consistent", "undecided", "implausible", "refuted")
_COLOURS: dict[Outcome, str] = {
    "out of reach": "2",
    "supported": "32",
    "consistent": "36",
    "undecided": "33",
    "implausible": "33",
    "refuted": "31",
}
_CARRIES_OVER = "Ratios carry over where the same limit binds; this CPU's tokens a second do not."
_NOTHING_MEASURED = "Nothing was measured: modelled and published evidence only."


def render(
    record: Record | None,
    assessment: Assessment | None,
    *,
    width: int = text.WIDTH,
    colour: bool = False,
    page: str | None = None,
    run: str | None = None,
) -> str:
    """At most `LINES` lines. `page` and `run` name where the whole report and the run can be found."""
    head = _head(record, assessment, width)
    tail = _tail(assessment, width, colour, page, run)
    most = LINES * max(1, text.WIDTH / width)
    folded: set[Outcome] = set()
    groups: list[list[str]] = []
    for outcome in _ORDER:
        folded.add(outcome)
        groups = [] if assessment is None else _groups(assessment, folded, width, colour)
        if len(head) + sum(len(group) for group in groups) + len(tail) <= most:
            break
    return "\n".join((*head, *(line for group in groups for line in group), *tail)) + "\n"


def claim(record: Record | None, assessment: Assessment, claim_id: str, *, width: int, colour: bool) -> str:
    """One claim in full. Raises UsageError for an id that the sheet does not have."""
    v = next((v for v in assessment.verdicts if v.id == claim_id), None)
    if v is None:
        raise UsageError(unknown("claim", claim_id, (v.id for v in assessment.verdicts)))
    sets = tuple(contradiction(s) for s in assessment.inconsistent_sets if v.id in s.claims)
    evidence = tuple(map(_piece, by_weight(v.evidence, v.outcome))) or ("No evidence bears on it.",)
    blocks: list[Block] = [Bullets(items=(*verdict_facts(v), *_figures(v, record)))]
    blocks += [Heading(level=2, text="Evidence"), Bullets(items=evidence)]
    blocks += [Heading(level=2, text="Contradictions"), Bullets(items=sets)] if sets else []
    since = () if assessment.as_of is None else assessment.as_of.changes
    today = tuple(f"{changed(c)}. {c.reason}" for c in since if c.id == v.id)
    blocks += [Heading(level=2, text="Today"), Bullets(items=today)] if today else []
    shown = text.render(Report(title=v.id, blocks=tuple(blocks)), width=width, details=True)
    return shown.replace(f"- outcome: {v.outcome}", f"- outcome: {_coloured(v.outcome, v.outcome, colour)}", 1)


def _figures(v: Verdict, record: Record | None) -> list[str]:
    """Outcome, claim, interval, ceiling and what is missing, each that there is on a line."""
    limits = interval(v.interval, v.unit) + (f" ({v.interval_of})" if v.interval_of else "")
    facts = {
        "outcome": f"{v.outcome}{f' or {v.also}' if v.also else ''} ({MEANINGS[v.outcome]})",
        "claimed": units.quantity(v.claimed, v.unit) if v.claimed is not None else "",
        f"{units.percent(v.interval.level if v.interval else LEVEL, 2)} interval": limits if v.interval else "",
        "ceiling that binds": v.binding or "",
        "missing conditions": ", ".join(v.missing),
        "flags": ", ".join(v.flags),
        "judged with run": record.record_id if record else "",
    }
    return [f"{name}: {value}" for name, value in facts.items() if value]


def _piece(e: Evidence) -> str:
    """One piece of evidence on a few lines: a table of so long texts would be hard to read."""
    spread = "" if e.interval is None else f", {interval(e.interval, e.unit)}"
    figure = f": {units.quantity(e.value, e.unit)}" if e.value is not None else ""
    return "\n".join(filter(None, (f"{e.stance}, {e.basis}: {e.quantity}{figure}{spread}", e.note, e.source, e.url)))


def _head(record: Record | None, assessment: Assessment | None, width: int) -> list[str]:
    """The title, what ran where, and the table of what was measured."""
    title = assessment.sheet_title if assessment else (record.label or record.name) if record else "Nothing to report"
    lines = text.wrap(title, width)
    if len(lines) > _TITLE:
        lines = [*lines[: _TITLE - 1], f"{text.wrap(lines[_TITLE - 1], width - 4)[0]} ..."]
    if assessment is not None and assessment.as_of is not None:
        lines += text.wrap(judged_by(assessment.as_of), width)
    if record is None:
        known = assessment.record_id if assessment else None
        return [*lines, *text.wrap(f"Measured figures are of run {known}." if known else _NOTHING_MEASURED, width)]
    rows = measured_rows(record)
    return [*lines, *text.wrap(_host(record, rows), width), "", *_measured(record, rows, width)]


def _subjects(rows: Sequence[MeasuredRow]) -> list[MeasuredRow]:
    """Cases of the mixtures of experts; of all models where there is none."""
    return [r for r in rows if r.role == "moe"] or list(rows)


def _host(record: Record, rows: Sequence[MeasuredRow]) -> str:
    """Processor, models and precision, without anything that names the machine."""
    shown = _subjects(rows)
    models = list(dict.fromkeys(r.model for r in shown))
    sizes = {m.model: m.counts for m in record.measurements if m.counts is not None}
    named = [
        f"{m} {units.count(sizes[m].parameters_total)}, {units.count(sizes[m].parameters_active)} active"
        for m in models[:2]
        if m in sizes
    ] or models[:2]
    more = len(models) - len(named)
    precisions = " and ".join(dict.fromkeys(r.precision for r in shown))
    parts = [*named, *([f"{more} more"] if more > 0 else []), "random weights", precisions, _processes(shown)]
    where = f"{record.host.cpu or record.host.architecture}, {units.whole(record.host.cores)} core"
    return f"{where}{'' if record.host.cores == 1 else 's'}; {', '.join(filter(None, parts))}"


def _processes(rows: Sequence[MeasuredRow]) -> str:
    """How many processes stand behind a row."""
    runs = sorted({r.rate_tok_s.n for r in rows if r.rate_tok_s is not None})
    if not runs:
        return ""
    spread = units.whole(runs[0]) if len(runs) == 1 else f"{units.whole(runs[0])} to {units.whole(runs[-1])}"
    return f"{spread} process{'' if runs == [1] else 'es'} a row"


def _measured(record: Record, rows: Sequence[MeasuredRow], width: int) -> list[str]:
    """Rate, ratio to each dense counterpart and share of the limit, one line a case; what is not shown is counted."""
    usable = sorted(filter(_good, _subjects(rows)), key=lambda r: r.phase != "prefill")
    left = [(len(usable) - _ROWS, "not shown"), (sum(not _good(r) for r in rows), "not measured or set aside")]
    said = [f"{units.whole(n)} case{'' if n == 1 else 's'} {what}" for n, what in left if n > 0]
    said += [f"this run is {record.state}"] if record.state != "complete" else []
    remark = f" {'; '.join(said).capitalize()}: --details." if said else ""
    if not usable:
        return text.wrap(f"Nothing valid was measured.{remark}", width)
    ratios_to = ("/ dense, equal total", "/ dense, equal active")
    heads = columns("Measured here", f"tok/s [{units.percent(LEVEL, 2)}]", *ratios_to, ">of limit")
    table = text.grid(heads, _measured_cells(record, usable), width).split("\n")
    return [*table, *text.wrap(_CARRIES_OVER + remark, width)]


def _measured_cells(record: Record, usable: Sequence[MeasuredRow]) -> list[list[tuple[str]]]:
    gains = {(g.key, g.counterpart): g.ratio for g in gain_rows(record)}
    varying, _ = conditions(usable)
    several = len({r.model for r in usable}) > 1
    found = []
    for r in usable[:_ROWS]:
        named = [*([r.model] if several else []), r.phase, f"batch {units.whole(r.batch)}"]
        label = ", ".join((*named, *(f"{name} {read(r)}" for name, read in varying)))
        ratios = [estimated(gains.get((r.key, counterpart)), units.times) for counterpart in COUNTERPARTS]
        limit = f"{units.percent(r.ceiling_fraction)} {r.binding}" if r.binding else units.UNKNOWN
        found.append([(cell,) for cell in (label, estimated(r.rate_tok_s), *ratios, limit)])
    return found


def _good(r: MeasuredRow) -> bool:
    return r.rate_tok_s is not None and not r.problem


def _groups(assessment: Assessment, folded: set[Outcome], width: int, colour: bool) -> list[list[str]]:
    shown = [v for v in assessment.verdicts if v.outcome not in folded]
    ids = min(_ID_WIDTH, max((text.cells(v.id) for v in shown), default=0))
    out = []
    for outcome in _ORDER:
        verdicts = [v for v in assessment.verdicts if v.outcome == outcome]
        if not verdicts:
            continue
        name = f"{outcome.upper()} {units.whole(len(verdicts))}"
        first, *below = text.wrap(f"({MEANINGS[outcome]})", width - text.cells(name) - 2)
        group = ["", f"{_coloured(outcome, name, colour)}  {first}", *(f"  {line}" for line in below)]
        if outcome in folded:
            group += _listed([v.id for v in verdicts], width)
        else:
            group += [line for v in verdicts for line in _row(v, assessment, ids, width)]
        out.append(group)
    return out


def _row(v: Verdict, assessment: Assessment, ids: int, width: int) -> list[str]:
    """Id, clause, basis; what is missing below an open verdict. A longer id stands on a line of its own."""
    room = max(20, width - ids - 2 - 2 - 2 - len("published"))
    said = text.wrap(clause(v, assessment), room)
    if v.outcome == "undecided" and v.missing:
        said += text.wrap(f"missing: {', '.join(v.missing)}", room)
    name = printable_line(v.id)
    alone = [f"  {name}"] if text.cells(name) > ids else []
    first = "" if alone else name
    pads = [first + " " * (ids - text.cells(first)), *[" " * ids] * (len(said) - 1)]
    lines = [f"  {pad}  {part}" for pad, part in zip(pads, said, strict=True)]
    lines[0] += " " * (room - text.cells(said[0])) + f"  {basis(v) or units.UNKNOWN}"
    return [*alone, *lines]


def _listed(ids: Sequence[str], width: int) -> list[str]:
    """Ids on a few lines; those that do not fit are counted."""
    for shown in range(len(ids), 0, -1):
        rest = [f"and {units.whole(len(ids) - shown)} more"] if shown < len(ids) else []
        lines = text.wrap(", ".join((*ids[:shown], *rest)), width - 2)
        if len(lines) <= _IDS:
            break
    return [f"  {line}" for line in lines]


def _tail(assessment: Assessment | None, width: int, colour: bool, page: str | None, run: str | None) -> list[str]:
    """The sharpest contradiction, the counts, and where the rest can be read."""
    lines = []
    if assessment is not None:
        sets = assessment.inconsistent_sets
        if sets:
            # Between claims first: one that a single claim has with the record stands among the verdicts already.
            sharpest = max(sets, key=lambda s: (len(s.claims) > 1, abs(s.residual)))
            said = text.wrap(f"Contradictions: {len(sets)}, e.g. {_contradiction(sharpest)}", width)
            lines += ["", *(said if len(said) <= _SENTENCE else [f"Contradictions: {len(sets)}."])]
        if assessment.as_of is not None:
            lines += ["", *_since(assessment.as_of, width)]
        lines += ["", *_counts(assessment, width, colour)]
    else:
        lines += [""]
    places = [f"Page: {page}"] if page else []
    places += [f"Run: {run}"] if run else []
    places += [f"Why: {'harness show --details' if run else '--details'}"]
    joined = "    ".join(map(printable_line, places))
    if text.cells(joined) <= width:
        return [*lines, joined]
    return [*lines, *(part for place in places for part in text.wrap(place, width))]


def _since(found: AsOf, width: int) -> list[str]:
    """The verdicts that are others today, or how many they are."""
    day = found.day.isoformat()
    if not found.changes:
        return text.wrap(f"No verdict has changed since {day}.", width)
    said = text.wrap(f"Changed since {day}: {'; '.join(f'{c.id} {changed(c)}' for c in found.changes)}.", width)
    if len(said) <= _SENTENCE:
        return said
    return text.wrap(f"Changed since {day}: {units.whole(len(found.changes))} verdicts (--details).", width)


def _contradiction(found: InconsistentSet) -> str:
    """The members' figures and by how much they miss, the one that is checked last behind the others."""
    off = f"off by a factor of {units.number(math.exp(abs(found.residual)))}."
    if len(found.members) < 2:
        return f"{' and '.join(found.members or found.claims)}: {off}"
    parts = [(name, rest.split(", ")[0]) for name, _, rest in (m.partition(": ") for m in found.members)]
    said = " with ".join(f"{name} ({figure})" for name, figure in parts[:-1])
    return f"{said} against {' '.join(parts[-1])}: {off}"


def _counts(assessment: Assessment, width: int, colour: bool) -> list[str]:
    seen = Counter(v.outcome for v in assessment.verdicts)
    total = len(assessment.verdicts)
    lines, used = [f"{units.whole(total)} claim{'' if total == 1 else 's'}:"], 0
    for outcome in reversed(_ORDER):
        if seen[outcome]:
            words = f"{units.whole(seen[outcome])} {outcome.upper() if outcome == 'refuted' else outcome}"
            gap = "  " if used else " "
            used = (used or text.cells(lines[0])) + len(gap + words)
            if used > width:
                lines, gap, used = [*lines, ""], "  ", len("  " + words)
            lines[-1] += gap + _coloured(outcome, words, colour)
    return lines


def _coloured(outcome: Outcome, words: str, colour: bool) -> str:
    return f"\x1b[{_COLOURS[outcome]}m{words}\x1b[0m" if colour else words
