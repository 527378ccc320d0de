"""Comparisons as blocks: a line for each row with its change of speed and its word, reasons once below, the whole last.

Every change is one of speed, whatever the metric: above zero, the second is faster.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal

from harness.comparison.calibration import Calibration
from harness.comparison.decision import DECISIONS, Decision
from harness.comparison.table import Basis
from harness.comparison.tables import Comparison, RowComparison
from harness.report.blocks import Block, Bullets, Callout, Cell, Column, Report, Table, Text, columns
from harness.report.case_names import Case, CaseNames, name_cases
from harness.report.changes import change, change_interval, counted, is_bare, level, spread
from harness.stats import drift_half_width
from harness.units import UNKNOWN, percent
from harness.vocabulary import Frozen

CHANGED: tuple[Decision, ...] = ("slower", "faster", "warn")
Sorting = Literal["change", "name"]
_SHARED_SHOWN = 10  # settings that all rows share, unless all are asked for
_DIFFERENCES_SHOWN = 8
_REASONS_SHOWN = 20
_LONE_SHOWN = 12
_HEADING = 14  # terminal cells of a table's name over its column
_ALL = "--all prints them"


class View(Frozen):
    """Which rows are shown, and in which order. What is decided does not depend on it."""

    only: tuple[Decision, ...] = DECISIONS
    sort: Sorting | None = None
    everything: bool = False


def build(
    comparisons: Sequence[Comparison], calibration: Calibration | None = None, view: View | None = None
) -> Report:
    """The report on one comparison, or on several tables against the same first one."""
    view = view or View()
    names = name_cases(_cases(comparisons))
    notes = _Footnotes(comparisons, view)
    blocks: list[Block] = [Text(text=headline(comparisons), lead=True, last=True)]
    alike = _alike(comparisons[0].tool, names, view)
    blocks += [Text(text=alike), *_around(comparisons, view)]
    blocks.append(_rows(comparisons, names, notes, view))
    blocks += notes.blocks
    blocks += [Text(text=_missing(c, names, view)) for c in comparisons if c.lone]
    blocks.append(Text(text=_legend(comparisons)))
    blocks += [Callout(tone="note", text=_drift(c)) for c in _distinct_sessions(comparisons)]
    said = tuple(dict.fromkeys(note for c in comparisons for note in (*c.notes, *c.applied.words)))
    blocks += [Bullets(items=said)] if said else []
    if calibration is not None:
        blocks.append(Text(text=f"Reliability: side by side, {calibration.sentence}."))
    elif any(r.way == "interleaved" for c in comparisons for r in c.rows):
        blocks.append(
            Text(text="Reliability: the false-positive rate on this host was not measured; harness calibrate does.")
        )
    return Report(title=_title(comparisons), blocks=tuple(blocks))


def headline(comparisons: Sequence[Comparison]) -> str:
    """How many rows went which way, a sentence a table."""
    if len(comparisons) == 1:
        return _counts(comparisons[0])
    return " ".join(f"{c.b}: {_counts(c)}" for c in comparisons)


def _counts(comparison: Comparison) -> str:
    compared = len(comparison.compared)
    if not compared:
        return f"None of {_rows_counted(len(comparison.rows))} can be compared."
    words: tuple[Decision, ...] = ("slower", "faster", "warn", "same", "undecided")
    parts = [f"{comparison.count(d)} {d}" for d in words]
    unmeasurable = comparison.count("unmeasurable")
    parts += [f"{unmeasurable} unmeasurable"] if unmeasurable else []
    text = f"Of {_rows_counted(compared)} compared: {', '.join(parts)}."
    barred = comparison.count("not comparable")
    return f"{text} {barred} not comparable." if barred else text


def _title(comparisons: Sequence[Comparison]) -> str:
    first = comparisons[0]
    if first.applied.by:
        return f"{first.applied.inside}: {first.applied.by}, against {_value(first.a, first)}"
    if len(comparisons) == 1:
        return f"{first.b} against {first.a}"
    return f"{len(comparisons)} tables against {first.a}"


def _cases(comparisons: Sequence[Comparison]) -> list[Case]:
    rows: list[Case] = [(r.key, r.metric) for c in comparisons for r in c.rows]
    return rows + [(r.key, r.metric) for c in comparisons for r in c.lone]


def _alike(tool: str, names: CaseNames, view: View) -> str:
    """The tool, and what all rows have alike."""
    if not names.common:
        return tool
    shown = names.common if view.everything else names.common[:_SHARED_SHOWN]
    more = len(names.common) - len(shown)
    return f"{tool}; all: {', '.join(shown)}" + (f" and {more} more settings; {_ALL}" if more else "")


def _around(comparisons: Sequence[Comparison], view: View) -> list[Block]:
    """What differs around the tables."""
    blocks: list[Block] = []
    for c in comparisons:
        prefix = f"{c.b}: " if len(comparisons) > 1 else ""
        bars = [d.name for d in c.differences if d.binding and d.a and d.b]
        if bars:
            blocks.append(Callout(tone="warning", text=f"{prefix}not like with like: {', '.join(bars)} differ."))
        if c.differences:
            blocks.append(_differences(c, prefix, view))
    return blocks


def _differences(comparison: Comparison, prefix: str, view: View) -> Table:
    ordered = sorted(comparison.differences, key=lambda d: (not d.binding, _KINDS.index(d.kind)))
    shown = ordered if view.everything else ordered[:_DIFFERENCES_SHOWN]
    notes = ["* rows are not comparable where it differs"] if any(d.binding for d in shown) else []
    notes += [f"{len(ordered) - len(shown)} more differ; {_ALL}"] if len(shown) < len(ordered) else []
    return Table(
        title=f"{prefix}what differs around the measurements",
        columns=columns("what", "first", "second"),
        rows=tuple((f"{d.name}{' *' if d.binding else ''}", d.a or UNKNOWN, d.b or UNKNOWN) for d in shown),
        note="; ".join(notes) or None,
    )


_KINDS = ("host", "version", "input", "run")


class _Footnotes:
    """Each reason once, behind a letter."""

    def __init__(self, comparisons: Sequence[Comparison], view: View) -> None:
        self._times = Counter(r.reason for c in comparisons for r in c.rows if r.decision in view.only and r.reason)
        kept = list(self._times) if view.everything else list(self._times)[:_REASONS_SHOWN]
        self._letters = {reason: _letter(i) for i, reason in enumerate(kept)}

    def of(self, row: RowComparison) -> str:
        letter = self._letters.get(row.reason, "")
        return f"{row.decision} {letter}".rstrip()

    @property
    def blocks(self) -> list[Block]:
        items = [f"{letter}: {reason}" for reason, letter in self._letters.items()]
        more = len(self._times) - len(self._letters)
        return [Bullets(items=(*items, *([f"{more} more reasons; {_ALL}"] if more else [])))] if items else []


def _letter(place: int) -> str:
    """a to z, then aa, ab, ..."""
    before, last = divmod(place, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + last)


def _rows(comparisons: Sequence[Comparison], names: CaseNames, notes: _Footnotes, view: View) -> Table:
    every = [r for c in comparisons for r in c.rows]
    bare = is_bare({r.unit for r in every})
    make = _two_columns if len(comparisons) == 1 else _table_a_line
    heads, rows = make(comparisons, names, notes, view, bare)
    hidden = Counter(r.decision for r in every if r.decision not in view.only)
    title = f"Change of speed{f', values in {every[0].unit}' if bare and every else ''}"
    folded = ", ".join(f"{n} {word}" for word, n in sorted(hidden.items(), key=lambda x: DECISIONS.index(x[0])))
    note = f"not shown: {folded}" if folded else None
    return Table(title=title, columns=heads, rows=tuple(rows), note=note, narrow="scroll", lines=True)


_Found = tuple[tuple[Column, ...], list[tuple[Cell, ...]]]


def _two_columns(
    comparisons: Sequence[Comparison], names: CaseNames, notes: _Footnotes, view: View, bare: bool
) -> _Found:
    """Both tables of one comparison side by side."""
    (c,) = comparisons
    a, b = _headings(c)
    heads = columns("case", f">{a}", "?>±", f">{b}", "?>±", ">change", f">{percent(c.level)}", ">n", "")
    rows: list[tuple[Cell, ...]] = []
    for r in _ordered([r for r in c.rows if r.decision in view.only], names, view):
        sides = (level(r.a, r.unit, bare=bare), spread(r.a), level(r.b, r.unit, bare=bare), spread(r.b))
        rows.append((names[r.key, r.metric], *sides, *_changed(r), notes.of(r)))
    if c.speed is not None and len(c.compared) > 1:
        whole = (change(c.speed.point), change_interval(c.speed, str(c.speed.n)))
        rows.append(("all (geometric mean)", "", "", "", "", *whole, "", ""))
    return heads, rows


def _table_a_line(
    comparisons: Sequence[Comparison], names: CaseNames, notes: _Footnotes, view: View, bare: bool
) -> _Found:
    """More than two tables: a line for each case of each table, below that of the first one."""
    c = comparisons[0]
    several = len({(r.key, r.metric) for x in comparisons for r in x.rows}) > 1
    every = [(x.b, r) for x in comparisons for r in x.rows]
    found: dict[Case, list[tuple[str, RowComparison]]] = {}
    for name, row in every:
        found.setdefault((row.key, row.metric), []).append((name, row))
    tables = (c.a, *(x.b for x in comparisons))
    shown = [_value(t, c) for t in tables] if c.applied.by else _labels(tables)
    labels = dict(zip(tables, shown, strict=True))
    kept = [r for _, r in every if r.decision in view.only]
    order = list(dict.fromkeys((r.key, r.metric) for r in _ordered(kept, names, view)))
    rows: list[tuple[Cell, ...]] = []
    for case in order:
        first = found[case][0][1]
        lines = [(c.a, first.a, first, ("", "", counted(first.a_basis, first.a_basis), "first"))]
        lines += [(name, r.b, r, (*_changed(r), notes.of(r))) for name, r in found[case] if r.decision in view.only]
        for place, (name, value, r, rest) in enumerate(lines):
            title = [names[case] if place == 0 else ""] if several else []
            rows.append((*title, labels[name], level(value, r.unit, bare=bare), spread(value), *rest))
    for x in comparisons:
        if several and x.speed is not None:
            whole = (change(x.speed.point), change_interval(x.speed, str(x.speed.n)))
            rows.append(("all (geometric mean)" if x is c else "", labels[x.b], "", "", *whole, "", ""))
    of = c.applied.by or "table"
    heads = columns(*(["case"] if several else []), of, ">value", "?>±", ">change", f">{percent(c.level)}", ">n", "")
    return heads, rows


def _changed(row: RowComparison) -> tuple[str, str, str]:
    """Change of speed, its interval, and the number of samples."""
    pairs = row.ratio.n if row.way == "interleaved" and row.ratio is not None else None
    count = counted(row.a_basis, row.b_basis, pairs)
    if row.speed is None:
        return UNKNOWN, "", count
    return change(row.speed.point), change_interval(row.speed, count), count


def _ordered(rows: list[RowComparison], names: CaseNames, view: View) -> list[RowComparison]:
    if view.sort == "name":
        return sorted(rows, key=lambda r: _natural(names[r.key, r.metric]))
    if view.sort == "change":
        return sorted(rows, key=lambda r: math.inf if r.speed is None else r.speed.point)
    return rows


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers inside a name by their size: pp64 before pp512."""
    parts: list[str] = [""]
    for c in text:
        if c.isdecimal() == parts[-1][-1:].isdecimal() and parts[-1]:
            parts[-1] += c
        else:
            parts.append(c)
    return tuple((0, int(p), "") if p.isdecimal() and len(p) < 20 else (1, 0, p) for p in parts)


def _labels(names: Sequence[str]) -> list[str]:
    """Names of tables without folders and endings, where that leaves them apart."""
    shorter = ([PurePath(n).stem or n for n in names], [PurePath(n).name or n for n in names])
    return next((s for s in shorter if len(set(s)) == len(set(names))), list(names))


def _value(table: str, comparison: Comparison) -> str:
    """The name of a part of a table by its value alone."""
    return table.removeprefix(f"{comparison.applied.by} ")


def _headings(comparison: Comparison) -> tuple[str, str]:
    """Names of two tables as headings of their columns, where they are short and unlike."""
    names = (comparison.a, comparison.b)
    a, b = names if comparison.applied.by else _labels(names)
    if comparison.applied.by and max(len(a), len(b)) > _HEADING:
        a, b = (_value(n, comparison) for n in names)
    return (a, b) if a != b and max(len(a), len(b)) <= _HEADING else ("first", "second")


def _missing(comparison: Comparison, names: CaseNames, view: View) -> str:
    """Rows that only one table has."""
    parts = []
    for side, table in (("a", comparison.a), ("b", comparison.b)):
        lone = [names[r.key, r.metric] for r in comparison.lone if r.only_in == side]
        shown = lone if view.everything else lone[:_LONE_SHOWN]
        more = f" and {len(lone) - len(shown)} more; {_ALL}" if len(shown) < len(lone) else ""
        parts += [f"Only in {table} ({len(lone)}): {'; '.join(shown)}{more}."] if lone else []
    return " ".join(parts)


def _legend(comparisons: Sequence[Comparison]) -> str:
    c = comparisons[0]
    rows = [r for x in comparisons for r in x.rows]
    first, second = (_bases([getattr(r, side) for r in rows]) for side in ("a_basis", "b_basis"))
    basis = f"Values: {first}" if first == second else f"First: {first}; second: {second}"
    text = (
        f"{basis}; ±: how far their {percent(c.level)} interval reaches. Change: of speed, above zero is faster; from "
        "pairs where both were measured in turn, so that it may differ from the values. Slower, faster: wholly beyond "
        f"the margin of {_margins(rows)}; warn: beyond it, less surely; same: wholly inside."
    )
    compared = max(len(x.compared) for x in comparisons)
    return f"{text} Alarms are decided for {compared} rows together." if compared > 1 else text


def _margins(rows: Sequence[RowComparison]) -> str:
    found = sorted({r.margin for r in rows})
    return percent(found[0]) if len(found) == 1 else f"{percent(found[0])} to {percent(found[-1])}"


def _bases(bases: Sequence[Basis | None]) -> str:
    """What the values of one side rest on, each way once, at most three of them."""
    words = list(dict.fromkeys(b.words for b in bases if b is not None))
    return ", or ".join(words[:3]) + (", and other numbers" if len(words) > 3 else "") if words else "none"


def _distinct_sessions(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The first comparison of rows that were not measured in turn; all share their drift."""
    return [c for c in comparisons if any(r.way == "separate" for r in c.rows)][:1]


def _drift(comparison: Comparison) -> str:
    reach = math.expm1(drift_half_width(comparison.drift, comparison.level))
    source = (
        "as stated for this host"
        if comparison.drift_known
        else "as published for shared runners; 'drift' in harness.toml or --drift states this host's"
    )
    return (
        f"Not measured side by side. Identical code in two sessions differs by up to {percent(reach)} "
        f"({percent(comparison.level)} of the time; drift {percent(comparison.drift, 3)} {source}). "
        "Smaller changes stay undecided; measure both in turn to see them."
    )


def _rows_counted(count: int) -> str:
    return f"{count} row{'s' if count != 1 else ''}"
