"""Two result tables compared: what differs around them, each row with its decision, and the geometric mean of all.

Rows that are not comparable are marked and never averaged."""

import math
from collections import Counter
from typing import Literal

from pydantic import Field

from harness.comparison import matching
from harness.comparison.decision import Decided, Decision, decide_pairs, decide_separate
from harness.comparison.matching import Matched, match, nothing_shared, spelled
from harness.comparison.multiple_testing import decide_together
from harness.comparison.table import AttributeKind, Basis, Better, ResultTable, Row, Setting
from harness.comparison.thresholds import Thresholds
from harness.errors import UsageError
from harness.stats import Estimate, drift_half_width, geometric_mean, interleaved_ratio, proportion
from harness.vocabulary import Frozen

Way = Literal["interleaved", "separate"]


class Difference(Frozen):
    """A fact that is not the same for both tables; None where a table does not state it."""

    kind: AttributeKind
    name: str
    a: str | None
    b: str | None
    binding: bool


class RowComparison(Frozen):
    """One row of both tables. `ratio` is the second value over the first, in the metric's own direction."""

    key: tuple[Setting, ...]
    metric: str
    unit: str
    better: Better
    a: Estimate | None
    b: Estimate | None
    a_basis: Basis | None = Field(description="what the first value rests on; None where there is none")
    b_basis: Basis | None
    ratio: Estimate | None = Field(description="None where the two are not comparable")
    decision: Decision
    reason: str
    way: Way | None
    margin: float
    sure_change: float | None = Field(
        default=None, description="the change in speed that the whole interval shown exceeds, as a share; 0 if none is"
    )

    @property
    def speed(self) -> Estimate | None:
        """The ratio as one of speeds: above 1 is faster, whatever the metric."""
        return self.ratio if self.ratio is None or self.better == "higher" else inverse(self.ratio)


class LoneRow(Frozen):
    """A row that only one table has."""

    key: tuple[Setting, ...]
    metric: str
    only_in: Literal["a", "b"]


class Applied(Frozen):
    """What was asked for that decides which rows are compared, and as what."""

    ignore: tuple[str, ...] = Field(default=(), description="settings, inputs and facts that were left out of account")
    across_hosts: bool = False
    filters: tuple[str, ...] = Field(default=(), description="which rows were kept")
    left_out: int = Field(default=0, ge=0, description="rows that the filters left out")
    by: str | None = Field(default=None, description="the setting whose values inside one table are compared")
    inside: str | None = Field(default=None, description="the table inside which they are")

    @property
    def words(self) -> tuple[str, ...]:
        """A sentence for each of them."""
        found = []
        if self.ignore:
            found.append(f"left out of account (--ignore): {', '.join(self.ignore)}")
        if self.across_hosts:
            found.append("compared across hosts (--across-hosts): hosts, and not programs alone")
        if self.filters:
            rows = f"{self.left_out} row{'s' if self.left_out != 1 else ''}"
            found.append(f"only rows with {' and '.join(self.filters)} (--filter): {rows} left out before deciding")
        if self.by:
            found.append(f"values of {self.by} inside one table (--by), the first of them against each other one")
        return tuple(found)


class Comparison(Frozen):
    """A second table against a first. `speed` is the geometric mean of speed ratios over all compared rows."""

    a: str
    b: str
    tool: str
    differences: tuple[Difference, ...]
    rows: tuple[RowComparison, ...]
    lone: tuple[LoneRow, ...]
    speed: Estimate | None = Field(description="above 1, the second table is faster; None where no row compares")
    moved: Estimate | None = Field(description="share of compared rows called faster or slower")
    drift: float
    drift_known: bool
    level: float
    notes: tuple[str, ...]
    applied: Applied = Applied()

    @property
    def compared(self) -> tuple[RowComparison, ...]:
        return tuple(r for r in self.rows if r.ratio is not None)

    def count(self, decision: Decision) -> int:
        return sum(1 for r in self.rows if r.decision == decision)


class _Weighed(Frozen):
    """Two rows that may be compared, and how: in pairs of processes where there are any, else level against level."""

    match: Matched
    margin: float
    pairs: tuple[tuple[float, float], ...]

    @property
    def way(self) -> Way:
        return "interleaved" if self.pairs else "separate"

    def judge(self, thresholds: Thresholds) -> Decided:
        if self.pairs:
            rates, disturbed = _as_speed(self.match.a, self.pairs), self.match.a.disturbed or self.match.b.disturbed
            return decide_pairs(*rates, self.margin, thresholds, disturbed=disturbed)
        new, old = (_levels(row, thresholds) for row in (self.match.b, self.match.a))
        if self.match.a.metric.better == "lower":
            new, old = old, new
        return decide_separate(new, old, self.margin, thresholds)


def compare(
    a: ResultTable,
    b: ResultTable,
    thresholds: Thresholds,
    *,
    ignore: frozenset[str] = frozenset(),
    across_hosts: bool = False,
) -> Comparison:
    """`b` against `a`. `ignore` names settings, inputs and facts whose difference does not matter; `across_hosts` lets
    rows of different hosts be compared, as hosts and not as programs.

    Raises UsageError for tables of different tools, and for tables without any row in common.
    """
    if a.tool != b.tool:
        raise UsageError(
            f"{a.name} is of {a.tool} and {b.name} of {b.tool}: they measure different things; compare like with like"
        )
    matching = match(a, b, ignore, across_hosts=across_hosts)
    if not matching.matched:
        raise UsageError(nothing_shared(a, b, ignore))
    differences = _differences(a, b)
    barrier = _barrier(differences, ignore, across_hosts)
    reasons = [m.problem or _row_problem(m, ignore) or barrier for m in matching.matched]
    weighed = [_weigh(m, thresholds) for m, reason in zip(matching.matched, reasons, strict=True) if not reason]
    decided = zip(weighed, decide_together([w.judge for w in weighed], thresholds), strict=True)
    rows = tuple(
        _barred(m, reason, thresholds) if reason else _row(*next(decided), thresholds)
        for m, reason in zip(matching.matched, reasons, strict=True)
    )
    moved = [r.decision in ("faster", "slower") for r in rows if r.ratio is not None]
    return Comparison(
        a=a.name,
        b=b.name,
        tool=a.tool,
        differences=(*differences, *_output_differences(matching.matched)),
        rows=rows,
        lone=(*_lone(matching.only_a, "a"), *_lone(matching.only_b, "b")),
        speed=_whole(weighed, thresholds),
        moved=proportion(sum(moved), len(moved), thresholds.level) if moved else None,
        drift=thresholds.drift,
        drift_known=thresholds.drift_known,
        level=thresholds.level,
        notes=tuple(dict.fromkeys((*a.notes, *b.notes))),
        applied=Applied(ignore=tuple(sorted(ignore)), across_hosts=across_hosts),
    )


def _lone(rows: tuple[Row, ...], side: Literal["a", "b"]) -> list[LoneRow]:
    return [LoneRow(key=r.key, metric=r.metric.name, only_in=side) for r in rows]


def _differences(a: ResultTable, b: ResultTable) -> tuple[Difference, ...]:
    """Facts that differ, binding ones first, in the first table's order."""
    left, right = (_facts(table) for table in (a, b))
    of_rows = {(f.kind, f.name) for t in (a, b) for r in t.rows for f in r.attributes}
    binding = {(f.kind, f.name): f.binding and (f.kind, f.name) not in of_rows for f in (*b.facts, *a.facts)}
    found = [
        Difference(kind=k[0], name=k[1], a=left.get(k), b=right.get(k), binding=binding.get(k, False))
        for k in dict.fromkeys((*left, *right))
        if left.get(k) != right.get(k)
    ]
    return tuple(sorted(found, key=lambda d: not d.binding))


_Named = tuple[AttributeKind, str]


def _facts(table: ResultTable) -> dict[_Named, str]:
    """The facts of a table; of those that differ from row to row all values, but of times the first."""
    found = {(f.kind, f.name): f.value for f in table.facts}
    values: dict[_Named, list[str]] = {}
    for row in table.rows:
        for f in row.attributes:
            values.setdefault((f.kind, f.name), []).append(f.value)
    for named, stated in values.items():
        found.setdefault(named, min(stated) if named[0] == "run" else ", ".join(sorted(set(stated))))
    return found


def _output_differences(matched: tuple[Matched, ...]) -> tuple[Difference, ...]:
    """Outcomes other than speed that differ between rows: one line for each name, with the number of rows."""
    names: Counter[str] = Counter()
    for m in matched:
        right = {s.name: s.value for s in m.b.outcomes}
        names.update(s.name for s in m.a.outcomes if right.get(s.name, s.value) != s.value)
    return tuple(
        Difference(kind="run", name=name, a=None, b=f"differs in {n} of {len(matched)} rows", binding=False)
        for name, n in sorted(names.items())
    )


def _barrier(differences: tuple[Difference, ...], ignore: frozenset[str], across_hosts: bool) -> str | None:
    """Why no row of the tables is comparable, or None. A fact that only one side states bars nothing: it is shown."""
    stated = (d for d in differences if d.binding and None not in (d.a, d.b) and d.name not in ignore)
    bars = [d for d in stated if not (across_hosts and d.kind == "host")]
    if not bars:
        return None
    names = ", ".join(d.name for d in bars)
    host = any(d.kind == "host" for d in bars)
    advice = "--across-hosts compares hosts" if host else f"--ignore {spelled(bars[0].name)} compares all the same"
    return f"measured on different hosts ({names}); {advice}" if host else f"{names} differ; {advice}"


def _weigh(m: Matched, thresholds: Thresholds) -> _Weighed:
    """How two rows are compared. Where one file kept a mean and no samples, the other side is taken by its mean too."""
    if "mean" in {row.basis.centre for row in (m.a, m.b) if row.basis is not None}:
        m = m.model_copy(update={"a": m.a.as_mean(), "b": m.b.as_mean()})
    margin = thresholds.margin_of(m.a.metric, m.key)
    return _Weighed(match=m, margin=margin, pairs=matching.interleaved_pairs(m.a, m.b))


def _row_problem(m: Matched, ignore: frozenset[str]) -> str | None:
    for side, row in (("first", m.a), ("second", m.b)):
        if row.problem is not None:
            return f"{side} table: {row.problem}"
    begun = [[s.started for s in row.samples] for row in (m.a, m.b)]
    if begun[0] == begun[1] and any(begun[0]):
        return "both sides are the same processes: a run was compared with itself"
    left, right = {s.name: s.value for s in m.a.inputs}, {s.name: s.value for s in m.b.inputs}
    shared = sorted(left.keys() & right.keys() - ignore)
    unlike = [f"{n} is {left[n]} on one side and {right[n]} on the other" for n in shared if left[n] != right[n]]
    return f"inputs differ: {'; '.join(unlike)}" if unlike else None


def _as_speed(row: Row, pairs: tuple[tuple[float, float], ...]) -> tuple[list[float], list[float]]:
    """New and old speeds of pairs of values."""
    old, new = [p[0] for p in pairs], [p[1] for p in pairs]
    return (new, old) if row.metric.better == "higher" else (old, new)


def _levels(row: Row, thresholds: Thresholds) -> tuple[Estimate, Estimate]:
    shown, alarm = row.estimate(thresholds.level), row.estimate(thresholds.alarm_level)
    if shown is None or alarm is None:
        raise ValueError("a row without a problem has a value")
    return shown, alarm


def _row(weighed: _Weighed, decided: Decided, thresholds: Thresholds) -> RowComparison:
    better = weighed.match.a.metric.better
    return _barred(weighed.match, decided.reason, thresholds).model_copy(
        update={
            "ratio": decided.shown if better == "higher" else inverse(decided.shown),
            "decision": decided.decision,
            "way": weighed.way,
            "margin": weighed.margin,
            "sure_change": _sure_change(decided.shown),
        }
    )


def _barred(m: Matched, reason: str, thresholds: Thresholds) -> RowComparison:
    """Two rows side by side, not compared."""
    metric = m.a.metric
    return RowComparison(
        key=m.key,
        metric=metric.name,
        unit=metric.unit,
        better=metric.better,
        a=m.a.estimate(thresholds.level),
        b=m.b.estimate(thresholds.level),
        a_basis=m.a.basis,
        b_basis=m.b.basis,
        ratio=None,
        decision="not comparable",
        reason=reason,
        way=None,
        margin=thresholds.margin_of(metric, m.key),
    )


def _sure_change(speed: Estimate) -> float | None:
    if speed.low is None or speed.high is None:
        return None
    return max(0.0, math.expm1(math.log(speed.low)), math.expm1(-math.log(speed.high)))


def inverse(ratio: Estimate) -> Estimate:
    """The ratio taken the other way round; the bounds change places."""
    return Estimate(
        point=1 / ratio.point,
        low=None if ratio.high is None else 1 / ratio.high,
        high=None if ratio.low is None else 1 / ratio.low,
        level=ratio.level,
        n=ratio.n,
    )


def _whole(weighed: list[_Weighed], thresholds: Thresholds) -> Estimate | None:
    """Geometric mean of speed ratios. Rows share the state of the host, so they are no independent trials: where all
    were interleaved over the same pairs, the mean is taken inside each pair; else the drift stays whole."""
    if not weighed:
        return None
    counts = {len(w.pairs) for w in weighed}
    if len(counts) == 1 and 0 not in counts:
        speeds = [_logs_of_pairs(w) for w in weighed]
        means = [math.exp(math.fsum(column) / len(speeds)) for column in zip(*speeds, strict=True)]
        return interleaved_ratio(means, [1.0] * len(means), thresholds.level)
    steady = thresholds.model_copy(update={"drift": 0.0})  # what is shared enters once, below
    separate = any(w.way == "separate" for w in weighed)
    shared = drift_half_width(thresholds.drift, thresholds.level) if separate else 0.0
    return geometric_mean([w.judge(steady).shown for w in weighed], shared, thresholds.level)


def _logs_of_pairs(weighed: _Weighed) -> list[float]:
    sign = 1 if weighed.match.a.metric.better == "higher" else -1
    return [sign * (math.log(new) - math.log(old)) for old, new in weighed.pairs]
