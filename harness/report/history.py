"""Series over time as blocks and as JSON: the latest value, a sparkline, and where the level changed."""

import re
from collections.abc import Sequence

from harness.comparison.history import FEWEST_RUNS, Change, Point, Series, host_changes
from harness.comparison.table import TABLE_LEVEL, Setting
from harness.files import strict
from harness.report.blocks import Block, Callout, Report, Table, Text, columns
from harness.report.case_names import CaseNames, described, name_cases, shared
from harness.report.changes import change
from harness.units import UNKNOWN, interval, percent, quantity

BARS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 24


def build(series: Sequence[Series], changes: Sequence[Change] | None) -> Report:
    """The report on stored runs. `changes` is None where nobody looked for them."""
    runs = {(p.table, p.created, p.revision): p for s in series for p in s.points}
    blocks: list[Block] = [Text(text=_headline(series, len(runs), changes), lead=True)]
    names = name_cases((s.key, s.metric.name) for s in series)
    blocks.append(_table(series, names))
    blocks.append(_runs(_in_time(tuple(runs.values()))))
    blocks += _warnings(series)
    if changes:
        blocks.append(_changes(changes, names))
        together = host_changes(changes, series)
        if together:
            runs_named = ", ".join(together)
            text = f"Half or more of the cases changed together since {runs_named}: the host changed, most likely."
            blocks.append(Callout(tone="warning", text=text))
    return Report(title="History", blocks=tuple(blocks))


def _warnings(series: Sequence[Series]) -> list[Block]:
    """Of an order that nobody states, and of hosts of several names that are taken for one."""
    found: list[Block] = []
    if any(p.created is None for s in series if len(s.points) > 1 for p in s.points):
        text = "Some runs do not say when they were: these are in the order in which they were given."
        found.append(Callout(tone="warning", text=text))
    named = {p.host_name for s in series for p in s.points if len({q.host_name for q in s.points}) > 1}
    if named:
        names = ", ".join(sorted(n or "not stated" for n in named)[:4])
        text = f"Host names differ ({names}{', ...' if len(named) > 4 else ''}); nothing else tells the hosts apart."
        found.append(Callout(tone="note", text=text))
    return found


def as_json(series: Sequence[Series], changes: Sequence[Change] | None) -> str:
    """One object: series with their points, and changes (null where nobody looked)."""
    document = {
        "schema": 1,
        "kind": "history",
        "series": [{**s.model_dump(mode="json"), "key": _named(s.key), "inputs": _named(s.inputs)} for s in series],
        "changes": None if changes is None else [{**c.model_dump(mode="json"), "key": _named(c.key)} for c in changes],
    }
    return strict.encode_json(document)


def sparkline(values: Sequence[float], width: int = SPARK_WIDTH) -> str:
    """The latest `width` values as bars from their least to their greatest; all alike are bars of middle height."""
    latest = list(values)[-width:]
    low, high = min(latest), max(latest)
    if high - low <= 1e-12 * high:
        return BARS[3] * len(latest)
    return "".join(BARS[min(len(BARS) - 1, int((v - low) / (high - low) * len(BARS)))] for v in latest)


def _headline(series: Sequence[Series], runs: int, changes: Sequence[Change] | None) -> str:
    text = f"{len(series)} case{'s' if len(series) != 1 else ''} over {runs} run{'s' if runs != 1 else ''}"
    if changes is None:
        return f"{text}; changes of level were not looked for (install harness[history] to find them)."
    short = sum(len(s.points) < FEWEST_RUNS for s in series)
    if short == len(series):
        return f"{text}: too few to find a change of level, which needs {FEWEST_RUNS} runs of a case."
    found = f"{len(changes) or 'no'} change{'s' if len(changes) != 1 else ''} of level"
    unsearched = f" ({short} of the cases have fewer than the {FEWEST_RUNS} runs that this needs)" if short else ""
    return f"{text}; {found}{unsearched}. A change here stops nothing."


def _table(series: Sequence[Series], names: CaseNames) -> Table:
    return Table(
        title=f"Series (all: {', '.join(names.common)})" if names.common else "Series",
        columns=columns(
            "case", "host", ">runs", f">latest [{percent(TABLE_LEVEL)}]", f"latest {SPARK_WIDTH}, low to high"
        ),
        rows=tuple(
            (
                _case(s, series, names),
                s.host or UNKNOWN,
                str(len(s.points)),
                _value(s),
                sparkline([p.value.point for p in s.points]),
            )
            for s in series
        ),
        narrow="scroll",
    )


def _case(one: Series, series: Sequence[Series], names: CaseNames) -> str:
    """A case's name; with its inputs where another series on the same host has the same name."""
    name = names[one.key, one.metric.name]
    like = [s.inputs for s in series if (s.key, s.metric, s.host) == (one.key, one.metric, one.host)]
    if len(like) == 1:
        return name
    return f"{name}, {described(one.inputs, without=shared(like))}"


def _in_time(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Oldest first where every run says when it was; else in the order in which they came up."""
    if any(p.created is None for p in points):
        return points
    return tuple(sorted(points, key=lambda p: (p.created is not None and p.created.timestamp(), p.table)))


def _runs(points: Sequence[Point]) -> Table:
    """What the latest runs are, the newest last."""
    return Table(
        title=f"Latest {SPARK_WIDTH} of {len(points)} runs" if len(points) > SPARK_WIDTH else "Runs",
        columns=columns("run", "created", "label", "revision"),
        rows=tuple(
            (
                p.table,
                p.created.isoformat(sep=" ", timespec="seconds") if p.created else UNKNOWN,
                p.label or UNKNOWN,
                _short(p.revision),
            )
            for p in points[-SPARK_WIDTH:]
        ),
        narrow="scroll",
    )


def _short(revision: str | None) -> str:
    """A commit abbreviated as git does, with its mark for changed files."""
    if revision is None:
        return UNKNOWN
    commit = re.fullmatch(r"([0-9a-f]{40}|[0-9a-f]{64})(.*)", revision)
    return f"{commit[1][:12]}{commit[2]}" if commit else revision


def _changes(changes: Sequence[Change], names: CaseNames) -> Table:
    return Table(
        title="Changes of level",
        columns=columns("case", "since", "revision", ">change of speed", ">runs before, after", ">p"),
        rows=tuple(
            (
                names[c.key, c.metric],
                c.since,
                _short(c.revision),
                change(c.speed),
                f"{c.runs_before}, {c.runs_after}",
                f"{c.p_value:.1g}",
            )
            for c in changes
        ),
        narrow="cards",
    )


def _value(series: Series) -> str:
    value, unit = series.points[-1].value, series.metric.unit
    if value.low is None:
        return quantity(value.point, unit)
    return f"{quantity(value.point, unit)} {interval(value.low, value.high, unit)}"


def _named(settings: tuple[Setting, ...]) -> dict[str, str]:
    return {s.name: s.value for s in settings}
