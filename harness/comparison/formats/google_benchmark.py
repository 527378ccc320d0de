"""Google Benchmark's JSON and CSV. Repetitions run inside one process; times come in the unit that each row names.

Rows that the tool itself averaged are used only where the repetitions were left out of the file. Real time, not
processor time, is read: it is what a user waits for. Counters (items_per_second and those of the user) follow from the
time or describe the work, so they are no rows of their own: those that are the same in every repetition are shown where
two files differ in them.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from harness.comparison.formats.source import ToolObject, decode, figure, read, refuse, table
from harness.comparison.splitting import named_parts
from harness.comparison.table import (
    Attribute,
    AttributeKind,
    Metric,
    ResultTable,
    Row,
    Sample,
    Setting,
    Summary,
    is_revision,
    key,
    plain,
)

TOOL = "google-benchmark"
_REAL = Metric(name="real time", unit="s", better="lower")
_SECONDS: dict[str, float] = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_HEADER = ["name", "iterations", "real_time", "cpu_time", "time_unit"]
_AGGREGATES = ("mean", "median", "stddev")  # of every repeated benchmark; `cv` and the user's own stand beside them
_NO_TIMES = ("BigO", "RMS")  # rows of a fit, not of a time
# Numbers of a JSON row that are no counters.
_OWN_NUMBERS = frozenset(
    (
        *("family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations"),
        *("real_time", "cpu_time"),
    )
)
# A frequency read once on a virtual machine says little; a debug build says all.
_BINDING = ("num_cpus", "library_build_type")
_OF_A_RUN = ("date", "executable", "json_schema_version")
_NAMES = {"host_name": "host name", "num_cpus": "cores", "library_version": TOOL, "library_build_type": "library build"}


class _Benchmark(ToolObject):
    name: str
    run_name: str | None = None
    family_index: int | None = None
    per_family_instance_index: int | None = None
    run_type: Literal["iteration", "aggregate"] = "iteration"
    aggregate_name: str | None = None
    repetitions: int | None = None
    iterations: float | None = None
    threads: int | None = None
    real_time: float | None = None
    time_unit: Literal["ns", "us", "ms", "s"] = "ns"
    label: str | None = None
    error_occurred: bool = False
    error_message: str | None = None
    skipped: bool = False
    skip_message: str | None = None
    counters: tuple[Setting, ...] = ()


class _File(ToolObject):
    context: dict[str, Any]
    benchmarks: tuple[_Benchmark, ...] = Field(strict=False)


_Group = tuple[str, str, int | None, int | None]


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    return isinstance(data, dict) and isinstance(data.get("context"), dict) and isinstance(data.get("benchmarks"), list)


def parse(text: str, name: str) -> ResultTable:
    """The table of `--benchmark_format=json`. Raises UsageError."""
    data = decode(text, name)
    file = read(_File, data, name, tool=TOOL)
    counted = [
        benchmark.model_copy(update={"counters": _counters(entry)})
        for benchmark, entry in zip(file.benchmarks, data["benchmarks"], strict=True)
    ]
    return ResultTable(tool=TOOL, name=name, facts=_facts(file.context), rows=_rows(counted))


def _counters(entry: dict[str, Any]) -> tuple[Setting, ...]:
    found = [
        Setting(name=n, value=plain(v))
        for n, v in entry.items()
        if n not in _OWN_NUMBERS and isinstance(v, int | float) and not isinstance(v, bool)
    ]
    return tuple(sorted(found, key=lambda s: s.name))


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
    # A failed benchmark's line ends after the reason, where counters would follow.
    lines = [row for row in table(text[start:], name, cut_if=("error_occurred", "error_message")) if not _is_fit(row)]
    names = {row["name"] for row in lines}
    entries = [_entry(row, names, f"{name} (row {i})") for i, row in enumerate(lines, 1)]
    note = "Google Benchmark's CSV does not name the host: that both ran on the same one is taken on trust"
    return ResultTable(tool=TOOL, name=name, facts=(), rows=_rows(entries), notes=(note,))


def _is_fit(row: dict[str, str]) -> bool:
    return not row["iterations"] and row["name"].endswith(tuple(f"_{fit}" for fit in _NO_TIMES))


def _entry(row: dict[str, str], names: set[str], where: str) -> _Benchmark:
    """One line of CSV in the fields of JSON."""
    base, aggregate = _split(row["name"], names)
    failed = row.get("error_occurred") == "true"
    entry = {
        "name": row["name"],
        "run_name": base,
        "run_type": "aggregate" if aggregate else "iteration",
        "aggregate_name": aggregate,
        "iterations": figure(row["iterations"], "iterations", where),
        "real_time": figure(row["real_time"], "real_time", where),
        "time_unit": row["time_unit"] or "ns",
        "label": row.get("label") or None,
        "error_occurred": failed,
        "error_message": row.get("error_message") if failed else None,
        "skipped": bool(row.get("error_message")) and not failed,
        "skip_message": None if failed else row.get("error_message") or None,
    }
    return read(_Benchmark, entry, where, tool=TOOL)


def _split(name: str, names: set[str]) -> tuple[str, str | None]:
    """A benchmark's name and that of the average, if the line is one: its siblings must be there too, since a benchmark
    may itself be called BM_mean."""
    base, mark, ending = name.rpartition("_")
    if mark and all(f"{base}_{a}" in names for a in _AGGREGATES):
        return base, ending
    return name, None


def _facts(context: dict[str, Any]) -> tuple[Attribute, ...]:
    def kind(name: str) -> AttributeKind:
        return "version" if name.startswith("library") or is_revision(name) else "run" if name in _OF_A_RUN else "host"

    return tuple(
        Attribute(kind=kind(name), name=_NAMES.get(name, name), value=plain(value), binding=name in _BINDING)
        for name, value in context.items()
        if not isinstance(value, dict | list) and name != "load_avg"
    )


def _rows(benchmarks: Sequence[_Benchmark]) -> tuple[Row, ...]:
    """Repetitions of one benchmark together. Two that were registered under one name stay apart where the file tells
    (JSON), and come out as two rows of one key, which are never averaged."""
    groups: dict[_Group, list[_Benchmark]] = {}
    for b in benchmarks:
        if b.aggregate_name not in _NO_TIMES:
            place = (b.run_name or b.name, b.label or "none", b.family_index, b.per_family_instance_index)
            groups.setdefault(place, []).append(b)
    return tuple(_row(group, entries) for group, entries in groups.items())


def _row(group: _Group, entries: list[_Benchmark]) -> Row:
    runs = [_seconds(e) for e in entries if e.run_type == "iteration"]
    means = {e.aggregate_name: e for e in entries if e.run_type == "aggregate"}
    centre = means.get("median") or means.get("mean")
    problem = _problem(entries, runs or ([_seconds(centre)] if centre else []))
    row = Row(
        key=key(benchmark=group[0], label=group[1]),  # the number of threads is part of the name
        metric=_REAL,
        sampled="inside",
        samples=tuple(Sample(value=v) for v in runs if v is not None) if problem is None else (),
        summary=_summary(centre, means.get("stddev")) if centre and not (problem or runs) else None,
        outcomes=_steady_counters(entries),
        problem=problem,
    )
    return named_parts(row, ":")


def _problem(entries: list[_Benchmark], values: list[float | None]) -> str | None:
    bad = next((e for e in entries if e.error_occurred or e.skipped), None)
    if bad is not None:
        word, reason = ("failed", bad.error_message) if bad.error_occurred else ("skipped", bad.skip_message)
        return f"{word}: {reason or 'no reason given'}"
    if not values:
        return "no real time in the file"
    return "a duration that is missing or not positive" if any(v is None or v <= 0 for v in values) else None


def _summary(centre: _Benchmark, deviation: _Benchmark | None) -> Summary:
    spread = _seconds(deviation) if deviation is not None else None
    return Summary(
        point=_seconds(centre) or 0.0,
        centre="median" if centre.aggregate_name == "median" else "mean",
        deviation=spread or 0.0,
        n=_repetitions(centre) if spread is not None else 1,
    )


def _repetitions(aggregate: _Benchmark) -> int | None:
    """How many were averaged. Version 1.5 writes 0 where the command line gave the number; it stands in the iterations
    of the average. None where neither says."""
    for count in (aggregate.repetitions, aggregate.iterations):
        if count is not None and count >= 1:
            return int(count)
    return None


def _steady_counters(entries: list[_Benchmark]) -> tuple[Setting, ...]:
    """Counters that are the same in every repetition, of two or more: those that vary follow from the time."""
    runs = [e for e in entries if e.run_type == "iteration"]
    if len(runs) < 2:
        return ()
    return tuple(s for s in runs[0].counters if all(s in other.counters for other in runs[1:]))


def _seconds(benchmark: _Benchmark) -> float | None:
    return None if benchmark.real_time is None else benchmark.real_time * _SECONDS[benchmark.time_unit]
