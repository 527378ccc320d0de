"""asv's results of one commit on one machine, below results/MACHINE: versions 1 and 2 of its file.

The file names no units: asv times what is called time_* in seconds and counts the bytes of mem_* and peakmem_*; what is
called track_* has any unit and no known direction. Samples of several processes come in one list, so they are
repetitions inside.
"""

import datetime as dt
import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from harness.comparison.formats import values
from harness.comparison.formats.source import ToolObject, decode, read, refuse
from harness.comparison.table import Attribute, Metric, ResultTable, Row, Setting, attributes, key, plain

TOOL = "asv"
_TIME = Metric(name="time", unit="s", better="lower")
_MEMORY = Metric(name="memory", unit="B", better="lower")
_METRICS = {"time": _TIME, "timeraw": _TIME, "mem": _MEMORY, "peakmem": _MEMORY}
_KIND = re.compile(r"(?:.*\.)?(time|timeraw|mem|peakmem|track)(?:_.*|[A-Z].*)?")
_STATISTICS = ("samples", "stats_q_25", "stats_q_75", "stats_repeat")
_QUARTILES = 1.349  # between the quartiles of a normal distribution, in standard deviations
_MOST_PARAMETERS = 100_000  # combinations of one benchmark
_HOST = (("cpu", True), ("num_cpu", True), ("arch", True), ("machine", False), ("os", False))


class _File(ToolObject):
    version: int
    commit_hash: str
    params: dict[str, Any] = Field(default={})
    requirements: dict[str, Any] = Field(default={})
    date: int | None = None
    python: str | None = None
    result_columns: tuple[str, ...] | None = Field(default=None, strict=False)
    results: dict[str, Any]


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like a result file of this tool."""
    return isinstance(data, dict) and "commit_hash" in data and isinstance(data.get("results"), dict)


def parse(text: str, name: str) -> ResultTable:
    """The table of a result file. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    rows: list[Row] = []
    for benchmark, stored in file.results.items():
        rows += _rows(benchmark, _entry(stored, file.result_columns, f"{name}: {benchmark[:80]}"), name)
    return ResultTable(tool=TOOL, name=name, facts=_facts(file), rows=tuple(rows))


def _entry(stored: Any, columns: tuple[str, ...] | None, where: str) -> dict[str, Any]:
    """A benchmark's results by name: version 2 has columns, version 1 a bare value or an object."""
    if isinstance(stored, dict):
        return stored
    if columns is None:
        return {"result": [stored]}
    if stored is None:
        return {"result": [None]}
    if not isinstance(stored, list) or len(stored) > len(columns):
        refuse(where, "not as its columns say")
    return dict(zip(columns, stored, strict=False))


def _rows(benchmark: str, entry: dict[str, Any], name: str) -> Iterator[Row]:
    where = f"{name}: {benchmark[:80]}"
    results = entry.get("result")
    cases = _cases(entry.get("params"), where)
    if not isinstance(results, list):
        results = [results] * (len(cases) if results is None else 1)  # null: every case failed
    if len(results) != len(cases):
        refuse(where, f"{len(results)} results, expected {len(cases)}, one for each combination of parameters")
    for i, (case, result) in enumerate(zip(cases, results, strict=True)):
        named = key(**{"benchmark": benchmark, **{f"parameter {n}": v for n, v in enumerate(case, 1)}})
        value = values.number(result, "result", where)
        if value is not None and math.isnan(value):
            continue  # asv's mark of a combination that was skipped
        yield _row(named, benchmark, value, {n: _at(entry, n, i) for n in _STATISTICS}, where)


def _at(entry: dict[str, Any], name: str, place: int) -> object:
    """A statistic of one case: a column of its own, in version 1 a field of `stats`."""
    column = entry.get(name, entry.get("stats"))
    found = column[place] if isinstance(column, list) and place < len(column) else None
    return found.get(name.removeprefix("stats_")) if isinstance(found, dict) else found


def _cases(params: object, where: str) -> list[tuple[str, ...]]:
    """Each combination of parameters, in the order of the results."""
    lists = params if isinstance(params, list) else []
    if not all(isinstance(p, list) for p in lists) or math.prod(len(p) for p in lists) > _MOST_PARAMETERS:
        refuse(where, "parameters that are not as asv writes them")
    return [tuple(map(plain, case)) for case in itertools.product(*lists)]


def _row(named: tuple[Setting, ...], benchmark: str, value: float | None, more: dict[str, object], where: str) -> Row:
    kind = _KIND.fullmatch(benchmark)
    metric = _METRICS.get(kind[1]) if kind else None
    if metric is None:
        return values.undirected(named, "value", "1")
    if value is None:
        return values.row(named, metric, [], "inside", problem="failed: no result")
    samples = more["samples"]
    if isinstance(samples, list) and samples:
        return values.row(named, metric, [values.number(s, "samples", where) for s in samples], "inside")
    low, high = (values.number(more[n], n, where) for n in ("stats_q_25", "stats_q_75"))
    repeat = more["stats_repeat"]
    if low is None or high is None or not isinstance(repeat, int) or repeat < 1:
        return values.row(named, metric, [value], "inside")
    return values.summarised(named, metric, value, abs(high - low) / _QUARTILES, n=repeat, centre="median")


def _facts(file: _File) -> tuple[Attribute, ...]:
    def text(name: str) -> object:
        return file.params[name] if isinstance(file.params.get(name), str | int | float) else None

    wanted = ((n, v) for n, v in sorted(file.requirements.items()) if isinstance(v, str))
    return attributes(
        *(("host", name, text(name), binding) for name, binding in _HOST),
        ("version", "commit", file.commit_hash, False),
        ("version", "python", file.python or text("python"), False),
        *(("version", n, v, False) for n, v in wanted),
        ("run", "time", _time(file.date), False),
    )


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None or not 0 <= milliseconds < 253_402_300_800_000:  # the year 9999
        return None
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).isoformat(sep=" ", timespec="seconds")
