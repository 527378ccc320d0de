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

from harness.comparison.table import AttributeKind, Metric, ResultTable, Setting
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
    """Series of `tables`, which stand in order of time. Rows with a problem, and rows that share their key with another
    of the same table, leave a gap. Hosts are told apart by their fingerprint, or by their processor where there is
    none; neither they nor different inputs are ever joined."""
    found: dict[tuple[tuple[Setting, ...], Metric, str | None, tuple[Setting, ...]], list[Point]] = {}
    for table in tables:
        host, created = _fact(table, "host", "fingerprint", "cpu", "cpu_info", "host name"), _created(table)
        label, revision = _fact(table, "run", "label"), _fact(table, "version", "commit", "build_commit")
        times = Counter((row.key, row.metric.name) for row in table.rows)
        for row in table.rows:
            usable = row.problem is None and times[row.key, row.metric.name] == 1
            value = row.estimate() if usable else None
            if value is not None:
                point = Point(table=table.name, label=label, revision=revision, created=created, value=value)
                found.setdefault((row.key, row.metric, host, row.inputs), []).append(point)
    return tuple(
        Series(key=key, metric=metric, host=host, inputs=inputs, points=tuple(points))
        for (key, metric, host, inputs), points in found.items()
    )


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


def _created(table: ResultTable) -> dt.datetime | None:
    text = _fact(table, "run", "created", "time", "date")
    try:
        found = dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    # Without an offset it is universal time: pytest-benchmark 3 writes it so.
    return found.replace(tzinfo=dt.UTC) if found is not None and found.tzinfo is None else found
