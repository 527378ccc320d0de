"""Comparisons as blocks: what differs around the tables first, then each row with its decision, then the whole.

Of a row's settings, what names a case is said first, then the rest by name; what all rows share is said once.
"""

import math
from collections.abc import Iterable, Sequence

from harness.comparison.calibration import Calibration
from harness.comparison.table import Basis, Setting
from harness.comparison.tables import Comparison, Difference, LoneRow, RowComparison
from harness.report.blocks import Block, Bullets, Callout, Column, Report, Table, Text, columns
from harness.stats import Estimate, drift_half_width
from harness.units import UNKNOWN, interval, number, percent, quantity, times


def build(comparisons: Sequence[Comparison], calibration: Calibration | None = None) -> Report:
    """The report on one comparison, or on several tables against the same first one."""
    if len(comparisons) == 1:
        (one,) = comparisons
        blocks = [*_before(one), _rows(one), *_after(one)]
        title = f"{one.b} against {one.a}"
    else:
        blocks = [block for c in comparisons for block in _before(c, named=True)]
        blocks += [_side_by_side(comparisons), *(block for c in comparisons for block in _after(c, named=True))]
        title = f"{len(comparisons)} tables against {comparisons[0].a}"
    if calibration is not None:
        blocks.append(Text(text=f"Reliability: side by side, {calibration.sentence}."))
    elif any(r.way == "interleaved" for c in comparisons for r in c.rows):
        blocks.append(
            Text(text="Reliability: the false-positive rate on this host was not measured; harness calibrate does.")
        )
    return Report(title=title, blocks=tuple(blocks))


def headline(comparison: Comparison) -> str:
    """One sentence: how many rows went which way, and the whole."""
    compared = len(comparison.compared)
    if not compared:
        return f"None of {_rows_counted(len(comparison.rows))} can be compared."
    parts = [f"{comparison.count(d)} {d}" for d in ("slower", "faster", "warn", "same", "undecided")]
    unmeasurable = comparison.count("unmeasurable")
    parts += [f"{unmeasurable} unmeasurable"] if unmeasurable else []
    text = f"Of {_rows_counted(compared)} compared: {', '.join(parts)}."
    barred = comparison.count("not comparable")
    return f"{text} {barred} not comparable." if barred else text


def _before(comparison: Comparison, *, named: bool = False) -> list[Block]:
    prefix = f"{comparison.b}: " if named else ""
    blocks: list[Block] = [Text(text=prefix + headline(comparison), lead=True)]
    if any(d.binding and d.a and d.b for d in comparison.differences):
        names = ", ".join(d.name for d in comparison.differences if d.binding and d.a and d.b)
        blocks.append(Callout(tone="warning", text=f"{prefix}not like with like: {names} differ."))
    if any(r.way == "separate" for r in comparison.rows):
        blocks.append(Callout(tone="note", text=prefix + _drift(comparison)))
    if comparison.differences:
        blocks.append(_differences(comparison))
    return blocks


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


def _differences(comparison: Comparison) -> Table:
    ordered = sorted(comparison.differences, key=lambda d: ("host", "version", "input", "run").index(d.kind))
    return Table(
        title="What differs around the measurements",
        columns=columns("kind", "what", "first", "second"),
        rows=tuple((d.kind, _marked(d), d.a or UNKNOWN, d.b or UNKNOWN) for d in ordered),
        note="Marked *: rows are not comparable where it differs." if any(d.binding for d in ordered) else None,
    )


def _marked(difference: Difference) -> str:
    return f"{difference.name} *" if difference.binding else difference.name


def _rows(comparison: Comparison) -> Table:
    common = _shared((comparison,))
    return Table(
        title=titled("Rows", common),
        columns=columns("case", ">first", ">second", ">second / first", "decision", "why", outcome="decision"),
        rows=tuple(
            (_case(r, common), _value(r.a, r.unit), _value(r.b, r.unit), _ratio(r.ratio), r.decision, _why(r))
            for r in comparison.rows
        ),
        note=_note(comparison),
        narrow="cards",
    )


def _side_by_side(comparisons: Sequence[Comparison]) -> Table:
    """More than two tables: the first one's rows, and what each other table made of them."""
    every = [r for c in comparisons for r in c.rows]
    common = _shared(comparisons)
    found = [{(r.key, r.metric): r for r in c.rows} for c in comparisons]
    keys = list(dict.fromkeys((r.key, r.metric) for r in every))
    rows = []
    for key in keys:
        present = [f[key] for f in found if key in f]
        cases = [f"{_ratio(f[key].ratio)} {f[key].decision}" if key in f else "missing" for f in found]
        rows.append((_case(present[0], common), _value(present[0].a, present[0].unit), *cases))
    return Table(
        title=titled(f"Rows, each table over {comparisons[0].a}", common),
        columns=(
            *columns("case"),
            Column(name=comparisons[0].a, align="right"),
            *(Column(name=c.b) for c in comparisons),
        ),
        rows=tuple(rows),
        note=_note(comparisons[0]),
        narrow="scroll",
    )


def _after(comparison: Comparison, *, named: bool = False) -> list[Block]:
    prefix = f"{comparison.b}: " if named else ""
    blocks: list[Block] = []
    if comparison.lone:
        blocks.append(_missing(comparison))
    if comparison.speed is not None and comparison.moved is not None:
        speed, moved = comparison.speed, comparison.moved
        blocks.append(
            Text(
                text=f"{prefix}Geometric mean of speeds, second over first: {_ratio(speed)} over "
                f"{_rows_counted(len(comparison.compared))}; {percent(moved.point)} of them called faster or slower "
                f"({percent(moved.level)} interval of that share: "
                f"{interval(moved.low, moved.high, 'fraction', 2)}). Above 1, the second is faster."
            )
        )
    if comparison.notes:
        blocks.append(Bullets(items=comparison.notes))
    return blocks


def _missing(comparison: Comparison) -> Table:
    common = _shared((comparison,))
    sides = {"a": comparison.a, "b": comparison.b}
    return Table(
        title=f"Rows that only one table has ({len(comparison.lone)})",
        columns=columns("only in", "case", "metric"),
        rows=tuple((sides[lone.only_in], _case(lone, common), lone.metric) for lone in comparison.lone),
        narrow="cards",
    )


def _rows_counted(count: int) -> str:
    return f"{count} row{'s' if count != 1 else ''}"


def _note(comparison: Comparison) -> str:
    text = (
        f"Intervals hold {percent(comparison.level)}. Faster or slower: wholly beyond the margin, and "
        "off 1 more surely still; warn: off 1 and beyond the margin, less surely; same: wholly inside the margin."
    )
    rows = len(comparison.compared)
    if rows > 1:
        text += f" Alarms and warnings are decided for {rows} rows together, so that many rows raise no more by chance."
    text += f" First: {_bases([r.a_basis for r in comparison.rows])}"
    text += f"; second: {_bases([r.b_basis for r in comparison.rows])}"
    return f"{text}."


def _bases(bases: Sequence[Basis | None]) -> str:
    """What the values of one side rest on, each way once, at most three of them."""
    words = list(dict.fromkeys(b.words for b in bases if b is not None))
    return ", or ".join(words[:3]) + (", and other numbers" if len(words) > 3 else "") if words else "no value"


def _shared(comparisons: Sequence[Comparison]) -> frozenset[Setting]:
    """Settings that every row has alike, those of one table only too."""
    return shared([*(r.key for c in comparisons for r in c.rows), *(lone.key for c in comparisons for lone in c.lone)])


def _case(row: RowComparison | LoneRow, common: frozenset[Setting]) -> str:
    return described(row.key, without=common) or row.metric


def _value(estimate: Estimate | None, unit: str) -> str:
    if estimate is None or estimate.low is None:
        return quantity(estimate.point if estimate else None, unit)
    point = quantity(estimate.point, unit) if unit == "s" else number(estimate.point)
    return f"{point} {interval(estimate.low, estimate.high, unit)}"


def _ratio(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None:
        return times(estimate.point if estimate else None)
    return f"{times(estimate.point)} {interval(estimate.low, estimate.high)}"


def _why(row: RowComparison) -> str:
    pairs = f"{row.ratio.n} pairs: " if row.way == "interleaved" and row.ratio is not None else ""
    return pairs + row.reason


# What a reader looks for first; every other setting follows by name.
_FIRST = (
    *("model", "model_filename", "model_type", "test", "benchmark"),
    *("command", "phase", "batch", "n_prompt", "n_gen"),
)


def described(settings: Iterable[Setting], *, without: frozenset[Setting] = frozenset()) -> str:
    """`settings` in words, those in `without` and those that say nothing left out."""
    kept = [s for s in settings if s not in without and s.value not in ("none", "")]
    return ", ".join(f"{s.name} {s.value}" for s in sorted(kept, key=_place))


def shared(keys: Iterable[tuple[Setting, ...]]) -> frozenset[Setting]:
    """Settings that all of several different keys have alike; nothing where there is only one key."""
    distinct = {frozenset(key) for key in keys}
    return frozenset.intersection(*distinct) if len(distinct) > 1 else frozenset()


def titled(title: str, common: frozenset[Setting]) -> str:
    """`title` with what all rows share behind it."""
    words = described(common)
    return f"{title} (all: {words})" if words else title


def _place(setting: Setting) -> tuple[int, str]:
    return (_FIRST.index(setting.name) if setting.name in _FIRST else len(_FIRST), setting.name)
