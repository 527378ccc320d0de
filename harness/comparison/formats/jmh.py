"""JMH's JSON (`-rf json`). Each fork is a fresh JVM, whose sample is the mean of its iterations; with one fork the
iterations are repetitions inside one process.

In mode `sample` the percentiles of single invocations are metrics of their own. Secondary metrics are read where their
unit tells which values are better.
"""

import math
import re
from typing import Any

from pydantic import Field

from harness.comparison.formats import values
from harness.comparison.formats.source import ToolObject, decode, read
from harness.comparison.table import Attribute, Metric, ResultTable, Row, Sampled, Setting, attributes, key, plain

TOOL = "jmh"
_MODES = {"thrpt": "throughput", "avgt": "average time", "sample": "sampled time", "ss": "single shot time"}
_UNIT = re.compile(r"(ops/(ns|us|ms|s|min))|((ns|us|ms|s|min)/op)")
_SHOWN = ("50.0", "90.0", "95.0", "99.0", "99.9")
_VERSIONS = (("jmhVersion", "jmh"), ("jdkVersion", "jdk"), ("vmName", "vm"), ("vmVersion", "vm version"))


class _Score(ToolObject):
    score: float | str
    unit: str = Field(alias="scoreUnit")
    forks: list[list[float | str]] = Field(default=[], alias="rawData")
    histograms: list[Any] = Field(default=[], alias="rawDataHistogram")
    percentiles: dict[str, float | str] = Field(default={}, alias="scorePercentiles")


class _Result(ToolObject):
    benchmark: str
    mode: str
    threads: int | None = None
    jvm_arguments: tuple[str, ...] = Field(default=(), strict=False, alias="jvmArgs")
    params: dict[str, str] | None = None
    primary: _Score = Field(alias="primaryMetric")
    secondary: dict[str, _Score] = Field(default={}, alias="secondaryMetrics")


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    rows = data if isinstance(data, list) else []
    return bool(rows) and all(isinstance(r, dict) and {"benchmark", "mode", "primaryMetric"} <= r.keys() for r in rows)


def parse(text: str, name: str) -> ResultTable:
    """The table of a result file. Raises UsageError."""
    data = decode(text, name)
    rows: list[Row] = []
    for i, entry in enumerate(data, 1):
        rows += _rows(read(_Result, entry, f"{name} (result {i})", tool=TOOL))
    return ResultTable(tool=TOOL, name=name, facts=_facts(data), rows=tuple(rows))


def _facts(entries: list[dict[str, Any]]) -> tuple[Attribute, ...]:
    def stated(field: str) -> str:
        return ", ".join(sorted({plain(e[field]) for e in entries if isinstance(e.get(field), str)}))

    return attributes(*(("version", name, stated(field), False) for field, name in _VERSIONS))


def _rows(result: _Result) -> list[Row]:
    settings: dict[str, object] = {f"parameter {n}": v for n, v in (result.params or {}).items()}
    settings |= {"benchmark": result.benchmark, "mode": result.mode, "threads": result.threads}
    named, inputs = key(**settings), key(**{"JVM arguments": " ".join(result.jvm_arguments)})
    label = _MODES.get(result.mode, result.mode)
    rows = [_row(named, label, result.primary, inputs)]
    if result.mode == "sample":
        rows += _percentiles(named, label, result.primary, inputs)
    rows += [
        _row(named, name.lstrip("·+"), score, inputs)
        for name, score in result.secondary.items()
        if _metric("", score.unit) is not None
    ]
    return rows


def _metric(label: str, unit: str) -> tuple[float, Metric] | None:
    found = _UNIT.fullmatch(unit)
    if found is None:
        return (1.0, Metric(name=label, unit="B", better="lower")) if unit == "B/op" else None
    if found[1]:
        return 1 / values.unit(found[2])[0], Metric(name=label, unit="ops/s", better="higher")
    return values.unit(found[4])[0], Metric(name=label, unit="s", better="lower")


def _row(named: tuple[Setting, ...], label: str, score: _Score, inputs: tuple[Setting, ...]) -> Row:
    known, named = _metric(label, score.unit), values.case(named, label)
    if known is None:
        return values.undirected(named, label, score.unit)
    factor, metric = known
    samples, sampled = _samples(score)
    return values.row(named, metric, [v * factor for v in samples], sampled, inputs=inputs)


def _samples(score: _Score) -> tuple[list[float], Sampled]:
    forks = [[_plain(v) for v in fork] for fork in score.forks]
    if not any(forks):
        forks = [[_mean_of(iteration) for iteration in fork] for fork in _histograms(score)]
    forks = [fork for fork in forks if fork]
    if not forks:
        return [_plain(score.score)], "process"
    if len(forks) == 1:
        return forks[0], "inside"
    return [math.fsum(fork) / len(fork) for fork in forks], "process"


def _plain(value: float | str) -> float:
    """JMH writes 'NaN' as text."""
    return math.nan if isinstance(value, str) else value


def _histograms(score: _Score) -> list[list[object]]:
    return [list(fork) for fork in score.histograms if isinstance(fork, list)]


def _mean_of(iteration: object) -> float:
    """The mean of [value, count] pairs."""
    total, count = 0.0, 0
    for pair in iteration if isinstance(iteration, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(v, int | float) for v in pair):
            total, count = total + _product(pair), count + int(min(max(pair[1], 0), 2**53))
    return total / count if count else math.nan


def _product(pair: list[float]) -> float:
    try:
        return float(pair[0]) * float(pair[1])
    except OverflowError:
        return math.nan


def _percentiles(named: tuple[Setting, ...], label: str, score: _Score, inputs: tuple[Setting, ...]) -> list[Row]:
    rows = []
    for which in _SHOWN:
        known = _metric(f"p{float(which):g} {label}", score.unit)
        if which in score.percentiles and known is not None:
            value = _plain(score.percentiles[which]) * known[0]
            case = values.case(named, known[1].name)
            rows.append(values.row(case, known[1], [value], "process", inputs=inputs))
    return rows
