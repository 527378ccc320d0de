"""pyperf's JSON (file format 1.0): each run is a fresh process, whose sample is the mean of its values.

Runs that only calibrate have no values and are left out, and so are warm-ups.
"""

import math
from typing import Any

from pydantic import Field

from harness.comparison.formats import values
from harness.comparison.formats.source import ToolObject, decode, read
from harness.comparison.table import Attribute, Metric, ResultTable, Row, attributes, key

TOOL = "pyperf"
_METRICS = {
    "second": Metric(name="time", unit="s", better="lower"),
    "byte": Metric(name="memory", unit="B", better="lower"),
}


class _Run(ToolObject):
    values: tuple[float, ...] = Field(default=(), strict=False)


class _Benchmark(ToolObject):
    metadata: dict[str, Any] = Field(default={})
    runs: tuple[_Run, ...] = Field(strict=False)


class _File(ToolObject):
    benchmarks: tuple[_Benchmark, ...] = Field(strict=False)
    metadata: dict[str, Any] = Field(default={})


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    if not isinstance(data, dict) or not isinstance(data.get("benchmarks"), list) or not data["benchmarks"]:
        return False
    return all(isinstance(b, dict) and isinstance(b.get("runs"), list) for b in data["benchmarks"])


def parse(text: str, name: str) -> ResultTable:
    """The table of `-o FILE`. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    rows = tuple(_row(benchmark, file.metadata, i) for i, benchmark in enumerate(file.benchmarks, 1))
    # What all benchmarks share stands in the file's metadata; of one benchmark all stands in its own.
    shared = {**(file.benchmarks[0].metadata if len(file.benchmarks) == 1 else {}), **file.metadata}
    return ResultTable(tool=TOOL, name=name, facts=_facts(shared), rows=rows)


def _row(benchmark: _Benchmark, shared: dict[str, Any], place: int) -> Row:
    stated = {**shared, **benchmark.metadata}
    named = key(benchmark=stated.get("name") or f"benchmark {place}")
    unit = stated.get("unit", "second")
    metric = _METRICS.get(unit) if isinstance(unit, str) else None
    if metric is None:
        return values.undirected(named, "value", str(unit), "process")
    samples = [math.fsum(run.values) / len(run.values) for run in benchmark.runs if run.values]
    return values.row(named, metric, samples, "process")


def _facts(stated: dict[str, Any]) -> tuple[Attribute, ...]:
    def text(name: str) -> object:
        value = stated.get(name)
        return value if isinstance(value, str | int | float) else None

    return attributes(
        ("host", "cpu", text("cpu_model_name"), True),
        ("host", "cores", text("cpu_count"), True),
        ("host", "host name", text("hostname"), False),
        ("host", "system", text("platform"), False),
        ("host", "affinity", text("cpu_affinity"), False),
        ("version", "python", text("python_version"), False),
        ("version", "python implementation", text("python_implementation"), False),
        ("version", TOOL, text("perf_version"), False),
        ("run", "time", text("date"), False),
    )
