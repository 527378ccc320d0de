"""Each case over time: one series for a case on one host, and the points where its level changed.

Change points are reported and gate nothing: they show that the level of a series changed, not why. Where all cases of a
host change at once, the host changed."""

import datetime as dt
import importlib.util
import itertools
import math
from collections import Counter
from collections.abc import Sequence

from pydantic import Field

from harness.comparison.matching import defaults
from harness.comparison.table import AttributeKind, Metric, ResultTable, Row, Setting, is_revision, stated_time
from harness.stats import Estimate, median
from harness.vocabulary import Frozen

SHORTEST_SEGMENT = 4
"""Runs on either side of a change: with fewer, no rank test reaches its level."""

FEWEST_RUNS = 2 * SHORTEST_SEGMENT

LONGEST_SERIES = 200
"""Only the latest runs are searched: the search takes time that grows with the square of the length."""

PENALTY = 1.5
"""Of a further change point, in robust deviations of the noise times the log of the length. Tried from 1 to 3 on series
of 20 and 60 runs with a spread of 5 % and one run in 20 at 1.6 times its time: at 1.5, a change is found in 1 to 2 of
100 series without one, and a step of 10 % in the middle of 60 runs in 91 of 100 (5 %: in 21)."""

ALARM = 0.005
"""Significance of Mann and Whitney's test between neighbouring segments that a change point must reach to be kept."""


class Point(Frozen):
    """One run's value of a case."""

    table: str = Field(description="the run's id, label or file")
    label: str | None = None
    revision: str | None = Field(default=None, description="of what was measured, as the table states it")
    created: dt.datetime | None
    host_name: str | None = Field(default=None, description="as the table calls it; that of a container means nothing")
    value: Estimate


class Series(Frozen):
    """One case on one host, oldest run first."""

    key: tuple[Setting, ...]
    metric: Metric
    host: str | None
    inputs: tuple[Setting, ...] = Field(default=(), description="what else decides the work, as the tables state it")
    points: tuple[Point, ...] = Field(min_length=1)


class Change(Frozen):
    """A lasting change of a series' level. `speed` is the new level over the old one; above 1 is faster."""

    key: tuple[Setting, ...]
    metric: str
    host: str | None
    since: str = Field(description="the first run at the new level")
    revision: str | None = None
    created: dt.datetime | None
    runs_before: int
    runs_after: int
    speed: float = Field(gt=0)
    p_value: float = Field(ge=0, le=1)


def searchable() -> bool:
    """Whether `changes` can look: `ruptures` comes with harness[history]."""
    return importlib.util.find_spec("ruptures") is not None


def gather(tables: Sequence[ResultTable]) -> tuple[Series, ...]:
    """Series of `tables`, by stated time where every run of a series states one, else in the order given.

    Rows with a problem, and rows that share key, build and time with another of the same table, leave a gap. What bars
    two rows from comparison (hosts, GPUs, backends, inputs) is never joined; what a table does not state bars nothing.
    """
    silent = defaults(tables)
    found: dict[tuple[tuple[Setting, ...], Metric, _Facts, tuple[Setting, ...]], list[Point]] = {}
    for table in tables:
        label = _fact(table, "run", "label")
        times = Counter((row.key, row.metric.name, row.attributes) for row in table.rows)
        for row in table.rows:
            usable = row.problem is None and times[row.key, row.metric.name, row.attributes] == 1
            value = row.estimate() if usable else None
            if value is not None:
                point = Point(
                    table=table.name,
                    label=label,
                    revision=_revision(table, row),
                    created=_created(table, row),
                    host_name=_fact(table, "host", "host name"),
                    value=value,
                )
                named = tuple(s for s in row.key if s not in silent)
                facts = frozenset(table.binding_facts(row).items())
                found.setdefault((named, row.metric, facts, row.inputs), []).append(point)
    joined = _joined({facts for _, _, facts, _ in found})
    series: dict[tuple[tuple[Setting, ...], Metric, _Facts, tuple[Setting, ...]], list[Point]] = {}
    for (key, metric, facts, inputs), points in found.items():
        series.setdefault((key, metric, joined[facts], inputs), []).extend(points)
    hosts = _hosts({facts for _, _, facts, _ in series})
    return tuple(
        Series(key=key, metric=metric, host=hosts[facts], inputs=inputs, points=_in_time(points))
        for (key, metric, facts, inputs), points in series.items()
    )


_Facts = frozenset[tuple[str, str]]


def _joined(stated: set[_Facts]) -> dict[_Facts, _Facts]:
    """Facts that say less than exactly one fuller set are taken for it."""
    fullest = [facts for facts in stated if not any(facts < other for other in stated)]
    found = {}
    for facts in stated:
        fuller = [other for other in fullest if facts <= other]
        found[facts] = fuller[0] if len(fuller) == 1 else facts
    return found


def _hosts(stated: set[_Facts]) -> dict[_Facts, str | None]:
    """A host's name: its fingerprint or processor, and what tells it from the others besides."""
    values: dict[str, set[str | None]] = {}
    for name in {n for facts in stated for n, _ in facts}:
        values[name] = {dict(facts).get(name) for facts in stated}
    names: dict[_Facts, str | None] = {}
    for facts in stated:
        found = dict(facts)
        first = next((n for n in ("fingerprint", "cpu", "cpu_info", "cores") if n in found), None)
        shown = [found[first] + (" cores" if first == "cores" else "")] if first else []
        if first != "fingerprint":
            shown += [v for n, v in sorted(found.items()) if n != first and len(values[n]) > 1]
        names[facts] = ", ".join(shown) or None
    return names


def _in_time(points: list[Point]) -> tuple[Point, ...]:
    if any(p.created is None for p in points):
        return tuple(points)
    return tuple(sorted(points, key=lambda p: p.created.timestamp() if p.created else 0.0))


def changes(series: Series, margin: float) -> tuple[Change, ...]:
    """Where the level of `series` changed by more than `margin`, in order of time.

    Segments of least absolute deviation on logarithms (Killick, Fearnhead and Eckley, 2012, for the search), then the
    weakest boundary is dropped until each is significant. Needs the optional package: see `searchable`.
    """
    points = series.points[-LONGEST_SERIES:]
    if len(points) < FEWEST_RUNS:
        return ()
    logs = [math.log(p.value.point) for p in points]
    kept = _significant(logs, _segments(logs), math.log1p(margin))
    edges = [0, *(start for start, _ in kept), len(points)]
    found = []
    for i, (start, p_value) in enumerate(kept):
        before, after = logs[edges[i] : start], logs[start : edges[i + 2]]
        shift = median(after) - median(before)
        found.append(
            Change(
                key=series.key,
                metric=series.metric.name,
                host=series.host,
                since=points[start].table,
                revision=points[start].revision,
                created=points[start].created,
                runs_before=len(before),
                runs_after=len(after),
                speed=math.exp(shift if series.metric.better == "higher" else -shift),
                p_value=p_value,
            )
        )
    return tuple(found)


def host_changes(found: Sequence[Change], series: Sequence[Series]) -> tuple[str, ...]:
    """Runs since which half or more of a host's cases (three at least) changed the same way: the host, most likely."""
    sizes = Counter(s.host for s in series)
    together = Counter((change.host, change.since, change.speed > 1) for change in found)
    most = (since for (host, since, _), n in together.items() if sizes[host] >= 3 and n >= max(2, sizes[host] / 2))
    return tuple(dict.fromkeys(most))


def _segments(logs: list[float]) -> list[int]:
    """Starts of all segments but the first."""
    import numpy as np
    import ruptures

    steps = [abs(b - a) for a, b in itertools.pairwise(logs)]
    # 0.6745 turns a median absolute deviation of normal noise into its deviation; a difference has two such noises.
    noise = max(median(steps) / (0.6745 * math.sqrt(2)), 1e-6)
    search = ruptures.Pelt(model="l1", min_size=SHORTEST_SEGMENT, jump=1).fit(np.array(logs))
    return [int(end) for end in search.predict(pen=PENALTY * noise * math.log(len(logs)))[:-1]]


def _significant(logs: list[float], starts: list[int], edge: float) -> list[tuple[int, float]]:
    """Boundaries with their p-value, after the weakest was dropped again and again until none is weak."""
    starts = list(starts)
    while starts:
        edges = [0, *starts, len(logs)]
        values = [
            _p_value(logs[edges[i] : edges[i + 1]], logs[edges[i + 1] : edges[i + 2]], edge) for i in range(len(starts))
        ]
        weakest = max(range(len(starts)), key=values.__getitem__)
        if values[weakest] <= ALARM:
            return list(zip(starts, values, strict=True))
        del starts[weakest]
    return []


def _p_value(before: list[float], after: list[float], edge: float) -> float:
    if abs(median(after) - median(before)) < edge:
        return 1.0
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(before, after).pvalue)


def _fact(table: ResultTable, kind: AttributeKind, *names: str) -> str | None:
    """The value of the first of these facts that `table` states."""
    stated = {f.name: f.value for f in table.facts if f.kind == kind}
    return next((stated[name] for name in names if name in stated), None)


def _created(table: ResultTable, row: Row) -> dt.datetime | None:
    """When a row was measured: as the row says, else as its table does."""
    own = next((f.value for f in row.attributes if f.kind == "run" and f.name == "time"), None)
    return stated_time(own or _fact(table, "run", "created", "time", "date"))


def _revision(table: ResultTable, row: Row) -> str | None:
    """Of the code that was measured, of the row before that of its table."""
    facts = (*row.attributes, *table.facts)
    return next((f.value for f in facts if f.kind == "version" and is_revision(f.name)), None)
