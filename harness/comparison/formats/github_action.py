"""github-action-benchmark's custom JSON, and the data that it keeps of all commits (dev/bench/data.js).

The custom file does not say whether bigger or smaller is better: its name may (customSmallerIsBetter), else the unit
(times are better lower, rates higher). A figure behind ± is taken for the deviation; a value alone is one sample.
"""

import re
from typing import Any

from pydantic import Field

from harness.comparison.formats import values
from harness.comparison.formats.source import ToolObject, decode, read, refuse
from harness.comparison.table import Attribute, Better, Metric, ResultTable, Row, attributes, key

TOOL = "github-action-benchmark"
_DATA = re.compile(r"\s*window\.BENCHMARK_DATA\s*=\s*")
_RANGE = re.compile(r"\s*(?:±|\+/-|\+-)?\s*([0-9][0-9.,eE+-]{0,30})\s*(%?)\s*")
_TOOLS: dict[str, Better] = {"benchmarkjs": "higher", "pytest": "higher", "customBiggerIsBetter": "higher"}
_TOOLS |= dict.fromkeys(("cargo", "go", "googlecpp", "catch2", "benchmarkdotnet", "customSmallerIsBetter"), "lower")


class _Value(ToolObject):
    name: str
    value: float
    unit: str
    range: str | float | None = None


class _Run(ToolObject):
    tool: str
    benches: tuple[_Value, ...] = Field(strict=False)
    date: int | None = None
    commit: dict[str, Any] = Field(default={})


class _Data(ToolObject):
    entries: dict[str, tuple[_Run, ...]] = Field(strict=False)


def recognises(data: object) -> bool:
    """Whether decoded JSON is the custom list, or the data of all commits."""
    if isinstance(data, dict):
        return isinstance(data.get("entries"), dict) and ("lastUpdate" in data or "repoUrl" in data)
    if not isinstance(data, list) or not data:
        return False
    return all(isinstance(v, dict) and {"name", "value", "unit"} <= v.keys() for v in data)


def recognises_text(text: str) -> bool:
    """Whether a text is data.js."""
    return _DATA.match(text) is not None


def parse(text: str, name: str) -> ResultTable:
    """The table of the JSON. Raises UsageError."""
    data = decode(text, name)
    if isinstance(data, dict):
        return _of_data(data, name)
    found = [read(_Value, entry, f"{name} (result {i})", tool=TOOL) for i, entry in enumerate(data, 1)]
    stated = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    way: Better | None = "lower" if "smallerisbetter" in stated else "higher" if "biggerisbetter" in stated else None
    return ResultTable(tool=TOOL, name=name, facts=(), rows=tuple(_row(v, way, None) for v in found))


def parse_script(text: str, name: str) -> ResultTable:
    """The table of data.js: the latest run of each suite. Raises UsageError."""
    start = _DATA.match(text)
    if start is None:
        refuse(name, "does not start with window.BENCHMARK_DATA")
    data = decode(text[start.end() :].rstrip().rstrip(";"), name)
    if not recognises(data) or not isinstance(data, dict):
        refuse(name, "holds no data of github-action-benchmark")
    return _of_data(data, name)


def _of_data(data: dict[str, Any], name: str) -> ResultTable:
    entries = {
        suite: tuple(read(_Run, run, f"{name}: {suite[:40]}", tool=TOOL) for run in runs)
        for suite, runs in data["entries"].items()
        if isinstance(runs, list)
    }
    latest = {suite: runs[-1] for suite, runs in entries.items() if runs}
    rows = [_row(v, _TOOLS.get(run.tool), suite) for suite, run in latest.items() for v in run.benches]
    if not rows:
        refuse(name, "holds no runs")
    count = max(len(runs) for runs in entries.values())
    notes = (f"the latest of up to {count} runs a suite is read",) if count > 1 else ()
    return ResultTable(tool=TOOL, name=name, facts=_facts(latest), rows=tuple(rows), notes=notes)


def _facts(latest: dict[str, _Run]) -> tuple[Attribute, ...]:
    ids = sorted({run.commit["id"] for run in latest.values() if isinstance(run.commit.get("id"), str)})
    return attributes(("version", "commit", ", ".join(ids), False))


def _row(found: _Value, way: Better | None, suite: str | None) -> Row:
    named = key(benchmark=found.name, **({"suite": suite} if suite else {}))
    factor, si = values.unit(found.unit)
    better = way or values.better(si)
    if better is None:
        return values.undirected(named, "value", found.unit)
    metric = Metric(name="value", unit=si or "1", better=better)
    spread = _RANGE.fullmatch(str(found.range)[:80]) if found.range else None
    size = values.written(spread[1]) if spread else None
    if spread is None or size is None:
        return values.row(named, metric, [found.value * factor], "inside")
    deviation = abs(found.value) * size / 100 if spread[2] else size
    return values.summarised(named, metric, found.value * factor, deviation * factor)
