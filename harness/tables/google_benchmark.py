"""Google Benchmark's JSON and CSV. Repetitions run inside one process; times come in the unit that each row names.

Rows that the tool itself averaged are used only where the repetitions were left out of the file. Real time, not
processor time, is read: it is what a user waits for.
"""

from typing import Any, Literal

from pydantic import Field

from harness.tables.source import Foreign, decode, figure, read, refuse, table
from harness.tables.table import Fact, Metric, ResultTable, Row, Sample, Summary, key, plain

TOOL = "google-benchmark"
_REAL = Metric(name="real time", unit="s", better="lower")
_SECONDS: dict[str, float] = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_HEADER = ["name", "iterations", "real_time", "cpu_time", "time_unit"]
_AGGREGATES = ("_mean", "_median", "_stddev", "_cv")
# A frequency read once on a virtual machine says little; a debug build says all.
_BINDING = ("num_cpus", "library_build_type")
_NAMES = {"host_name": "host name", "num_cpus": "cores", "library_version": TOOL, "library_build_type": "library build"}


class _Benchmark(Foreign):
    name: str
    run_name: str | None = None
    run_type: Literal["iteration", "aggregate"] = "iteration"
    aggregate_name: str | None = None
    repetitions: int | None = None
    threads: int | None = None
    real_time: float | None = None
    time_unit: Literal["ns", "us", "ms", "s"] = "ns"
    label: str | None = None
    error_occurred: bool = False
    error_message: str | None = None
    skipped: bool = False
    skip_message: str | None = None


class _File(Foreign):
    context: dict[str, Any]
    benchmarks: tuple[_Benchmark, ...] = Field(strict=False)


_Key = tuple[str, str, str]


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    return isinstance(data, dict) and isinstance(data.get("context"), dict) and isinstance(data.get("benchmarks"), list)


def parse(text: str, name: str) -> ResultTable:
    """The table of `--benchmark_format=json`. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    return ResultTable(tool=TOOL, name=name, facts=_facts(file.context), rows=_rows(file.benchmarks))


def csv_start(text: str) -> int | None:
    """Where the header of a CSV table begins: lines about the host may stand before it. None where there is none."""
    place = 0
    for line in text.splitlines(keepends=True):
        if line.rstrip("\r\n").split(",")[: len(_HEADER)] == _HEADER:
            return place
        place += len(line)
    return None


def parse_csv(text: str, name: str) -> ResultTable:
    """The table of `--benchmark_format=csv`. Raises UsageError."""
    start = csv_start(text)
    if start is None:
        refuse(name, f"no line starts with {','.join(_HEADER)}")
    entries = []
    for i, row in enumerate(table(text[start:], name), 1):
        where = f"{name} (row {i})"
        base, aggregate = _split(row["name"])
        entry = {
            "name": row["name"],
            "run_name": base,
            "run_type": "aggregate" if aggregate else "iteration",
            "aggregate_name": aggregate,
            "real_time": figure(row["real_time"], "real_time", where),
            "time_unit": row["time_unit"] or "ns",
            "label": row.get("label") or None,
            "error_occurred": row.get("error_occurred", "").lower() == "true",
            "error_message": row.get("error_message") or None,
        }
        entries.append(read(_Benchmark, entry, where, tool=TOOL))
    note = "CSV does not name the host: that both ran on the same one is taken on trust"
    return ResultTable(tool=TOOL, name=name, facts=(), rows=_rows(tuple(entries)), notes=(note,))


def _split(name: str) -> tuple[str, str | None]:
    ending = next((a for a in _AGGREGATES if name.endswith(a)), None)
    return (name.removesuffix(ending), ending[1:]) if ending else (name, None)


def _facts(context: dict[str, Any]) -> tuple[Fact, ...]:
    found = []
    for name, value in context.items():
        if isinstance(value, dict | list) or name in ("load_avg",):
            continue
        kind: Literal["host", "version", "run"] = "host"
        if name.startswith("library"):
            kind = "version"
        elif name in ("date", "executable", "json_schema_version"):
            kind = "run"
        found.append(Fact(kind=kind, name=_NAMES.get(name, name), value=plain(value), binding=name in _BINDING))
    return tuple(found)


def _rows(benchmarks: tuple[_Benchmark, ...]) -> tuple[Row, ...]:
    groups: dict[_Key, list[_Benchmark]] = {}
    for b in benchmarks:
        if b.aggregate_name not in ("cv", "BigO", "RMS"):
            groups.setdefault((b.run_name or b.name, plain(b.threads), b.label or "none"), []).append(b)
    return tuple(_row(k, entries) for k, entries in groups.items())


def _row(group: _Key, entries: list[_Benchmark]) -> Row:
    settings = key(benchmark=group[0], threads=group[1], label=group[2])
    bad = next((e for e in entries if e.error_occurred or e.skipped), None)
    if bad is not None:
        reason = bad.error_message or bad.skip_message or "no reason given"
        return Row(key=settings, metric=_REAL, sampled="inside", problem=f"failed: {reason}")
    runs = [_seconds(e) for e in entries if e.run_type == "iteration"]
    means = {e.aggregate_name: e for e in entries if e.run_type == "aggregate"}
    centre = means.get("median") or means.get("mean")
    if not runs and centre is None:
        return Row(key=settings, metric=_REAL, sampled="inside", problem="no real time in the file")
    values = runs or [_seconds(centre)] if centre else runs
    if any(v is None or v <= 0 for v in values):
        return Row(key=settings, metric=_REAL, sampled="inside", problem="a duration that is missing or not positive")
    if runs:
        samples = tuple(Sample(value=v) for v in runs if v is not None)
        return Row(key=settings, metric=_REAL, sampled="inside", samples=samples)
    assert centre is not None
    spread = _seconds(means["stddev"]) if "stddev" in means else None
    summary = Summary(
        point=_seconds(centre) or 0.0,
        deviation=spread or 0.0,
        n=centre.repetitions if spread is not None else 1,
    )
    return Row(key=settings, metric=_REAL, sampled="inside", summary=summary)


def _seconds(benchmark: _Benchmark) -> float | None:
    return None if benchmark.real_time is None else benchmark.real_time * _SECONDS[benchmark.time_unit]
