"""BenchmarkDotNet's JSON (`--exporters json`, full or brief): repetitions inside one process.

Times are nanoseconds an operation; allocated bytes are a metric of their own.
"""

import re
from typing import Any

from pydantic import Field

from harness.comparison.formats import values
from harness.comparison.formats.source import ToolObject, decode, read
from harness.comparison.table import Attribute, Metric, ResultTable, Row, attributes, key

TOOL = "benchmarkdotnet"
_TIME = Metric(name="time", unit="s", better="lower")
_ALLOCATED = Metric(name="allocated", unit="B", better="lower")
_JOB_ID = re.compile(r"Job-[A-Z]{6}")  # a digest of the job's settings, which stand behind it
_HOST = (("ProcessorName", "cpu", True), ("LogicalCoreCount", "cores", True), ("OsVersion", "system", False))
_VERSIONS = (("RuntimeVersion", "runtime"), ("BenchmarkDotNetVersion", TOOL), ("DotNetCliVersion", "dotnet"))


class _Statistics(ToolObject):
    OriginalValues: tuple[float, ...] | None = Field(default=None, strict=False)
    N: int | None = None
    Median: float | None = None
    StandardDeviation: float | None = None


class _Memory(ToolObject):
    BytesAllocatedPerOperation: float | None = None


class _Benchmark(ToolObject):
    DisplayInfo: str = ""
    Namespace: str | None = None
    Type: str | None = None
    Method: str | None = None
    Parameters: str | None = None
    FullName: str | None = None
    Statistics: _Statistics | None = None
    Memory: _Memory | None = None


class _File(ToolObject):
    HostEnvironmentInfo: dict[str, Any] = Field(default={})
    Benchmarks: tuple[_Benchmark, ...] = Field(strict=False)


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    return isinstance(data, dict) and "HostEnvironmentInfo" in data and isinstance(data.get("Benchmarks"), list)


def parse(text: str, name: str) -> ResultTable:
    """The table of a report. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    rows = [row for benchmark in file.Benchmarks for row in _rows(benchmark)]
    return ResultTable(tool=TOOL, name=name, facts=_facts(file.HostEnvironmentInfo), rows=tuple(rows))


def _rows(benchmark: _Benchmark) -> list[Row]:
    parts = (benchmark.Namespace, benchmark.Type, benchmark.Method)
    title = benchmark.FullName or ".".join(p for p in parts if p) or "not stated"
    job = _JOB_ID.sub("Job", benchmark.DisplayInfo.partition(": ")[2].partition(" [")[0])
    named = key(benchmark=title, parameters=benchmark.Parameters or "none", job=job or "none")
    found = [_time(values.case(named, _TIME.name), benchmark.Statistics)]
    allocated = benchmark.Memory.BytesAllocatedPerOperation if benchmark.Memory else None
    if allocated is not None:
        found.append(values.row(values.case(named, _ALLOCATED.name), _ALLOCATED, [allocated], "inside"))
    return found


def _time(named: Any, found: _Statistics | None) -> Row:
    if found is None:
        return values.row(named, _TIME, [], "inside", problem="failed: no statistics")
    if found.OriginalValues:
        return values.row(named, _TIME, [v * 1e-9 for v in found.OriginalValues], "inside")
    if found.Median is None or found.StandardDeviation is None:
        return values.row(named, _TIME, [], "inside")
    n = found.N if found.N is not None and found.N > 0 else None
    return values.summarised(named, _TIME, found.Median * 1e-9, found.StandardDeviation * 1e-9, n=n, centre="median")


def _facts(host: dict[str, Any]) -> tuple[Attribute, ...]:
    def text(name: str) -> object:
        return host[name] if isinstance(host.get(name), str | int) else None

    return attributes(
        *(("host", name, text(field), binding) for field, name, binding in _HOST),
        *(("version", name, text(field), False) for field, name in _VERSIONS),
        ("input", "configuration", text("Configuration"), False),
    )
