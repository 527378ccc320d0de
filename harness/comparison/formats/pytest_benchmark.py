"""pytest-benchmark's JSON: `--benchmark-json` files and those below .benchmarks. Rounds run inside one process.

Durations are seconds an iteration. Where this program's own plugin has noted how many tokens an iteration
processes, the row is a rate in tokens a second instead, so that higher is better.
"""

from typing import Any

from pydantic import Field

from harness.comparison.formats.source import ToolObject, decode, read
from harness.comparison.table import (
    Attribute,
    Metric,
    ResultTable,
    Row,
    Sample,
    Setting,
    Summary,
    attributes,
    key,
    plain,
)

TOOL = "pytest-benchmark"
TOKENS = "harness_tokens"
FINGERPRINT = "harness_host_fingerprint"
INPUT_PREFIX = "harness_input_"
VERSION_PREFIX = "harness_version_"
_TIME = Metric(name="time", unit="s", better="lower")
_RATE = Metric(name="rate", unit="tok/s", better="higher")
_NO_BRANCH = ("(unknown)", "(detached head)")
_SCALARS = (str, int, float, bool)


class _Stats(ToolObject):
    mean: float
    median: float
    stddev: float
    rounds: int
    data: tuple[float, ...] | None = Field(default=None, strict=False)


class _Benchmark(ToolObject):
    fullname: str
    name: str
    group: str | None = None
    params: Any = None
    extra_info: dict[str, Any] = Field(default={})
    stats: _Stats


class _File(ToolObject):
    machine_info: dict[str, Any] = Field(default={})
    commit_info: dict[str, Any] = Field(default={})
    datetime: str | None = None
    version: str
    benchmarks: tuple[_Benchmark, ...] = Field(strict=False)


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    return isinstance(data, dict) and "machine_info" in data and isinstance(data.get("benchmarks"), list)


def parse(text: str, name: str) -> ResultTable:
    """The table of a saved file. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    return ResultTable(tool=TOOL, name=name, facts=_facts(file), rows=tuple(_row(b) for b in file.benchmarks))


def _facts(file: _File) -> tuple[Attribute, ...]:
    machine, commit = file.machine_info, file.commit_info
    cpu = machine.get("cpu") if isinstance(machine.get("cpu"), dict) else {}
    assert isinstance(cpu, dict)
    prints = {b.extra_info.get(FINGERPRINT) for b in file.benchmarks} - {None}
    stated = attributes(
        ("host", "cpu", cpu.get("brand_raw") or cpu.get("brand"), True),  # py-cpuinfo before 5 writes brand
        ("host", "cores", cpu.get("count"), True),
        ("host", "architecture", machine.get("machine"), True),
        ("host", "host name", machine.get("node"), False),
        ("host", "system", machine.get("system"), False),
        ("host", "kernel", machine.get("release"), False),
        ("host", "fingerprint", ", ".join(sorted(map(plain, prints))) or None, True),
        ("version", "python", machine.get("python_version"), False),
        ("version", TOOL, file.version, False),
        ("version", "commit", _commit(commit), False),
        ("run", "branch", None if commit.get("branch") in _NO_BRANCH else commit.get("branch"), False),
        ("run", "time", file.datetime, False),
    )
    return stated + _versions(file.benchmarks)


def _commit(info: dict[str, Any]) -> str | None:
    """The revision, marked where files had been changed; None outside a repository."""
    revision = info.get("id")
    if not isinstance(revision, str) or revision == "unversioned":
        return None
    return f"{revision} with changes" if info.get("dirty") is True else revision


def _versions(benchmarks: tuple[_Benchmark, ...]) -> tuple[Attribute, ...]:
    """Versions that our plugin noted beside each benchmark."""
    seen: dict[str, set[str]] = {}
    for info in (b.extra_info for b in benchmarks):
        for name in info:
            if name.startswith(VERSION_PREFIX):
                seen.setdefault(name.removeprefix(VERSION_PREFIX), set()).add(plain(info[name]))
    return tuple(Attribute(kind="version", name=n, value=", ".join(sorted(v))) for n, v in sorted(seen.items()))


def _row(benchmark: _Benchmark) -> Row:
    stats, info = benchmark.stats, benchmark.extra_info
    tokens = _tokens(info)
    parameters = _parameters(benchmark.params)
    problem = "a duration that is not positive" if min(stats.data or (stats.median,)) <= 0 else None
    samples, summary = stats.data if stats.data and not problem else (), None
    if not problem and not samples:
        scale = tokens / stats.median if tokens else stats.median
        deviation = scale * stats.stddev / stats.mean if stats.mean > 0 else 0.0
        summary = Summary(point=scale, centre="median", deviation=deviation, n=stats.rounds)
    return Row(
        key=key(test=benchmark.fullname, group=benchmark.group),
        metric=_RATE if tokens else _TIME,
        sampled="inside",
        samples=tuple(Sample(value=tokens / t if tokens else t) for t in samples),
        summary=summary,
        inputs=_settings(info, ours=True),
        outcomes=_settings(info, ours=False),
        parameters=parameters,
        family=key(test=benchmark.fullname.partition("[")[0]) if parameters else (),
        problem=problem,
    )


def _parameters(params: Any) -> tuple[Setting, ...]:
    """Of a parametrised test, by name."""
    if not isinstance(params, dict):
        return ()
    return key(**{str(n): v for n, v in params.items() if isinstance(v, _SCALARS)})


def _tokens(info: dict[str, Any]) -> float | None:
    noted = info.get(TOKENS)
    usable = isinstance(noted, int | float) and not isinstance(noted, bool) and noted > 0
    return float(noted) if usable and noted is not None else None


def _settings(info: dict[str, Any], *, ours: bool) -> tuple[Setting, ...]:
    """Plain values of extra_info: those that our plugin marks as inputs, or all that it does not write."""
    return tuple(
        Setting(name=name.removeprefix(INPUT_PREFIX), value=plain(value))
        for name, value in sorted(info.items())
        if isinstance(value, _SCALARS) and (name.startswith(INPUT_PREFIX) if ours else not name.startswith("harness_"))
    )
