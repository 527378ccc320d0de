"""hyperfine's JSON export: one fresh process a run, wall time in seconds. It holds nothing about the host."""

from pydantic import Field

from harness.tables.source import Foreign, decode, read
from harness.tables.table import Metric, ResultTable, Row, Sample, Summary, key

TOOL = "hyperfine"
_WALL = Metric(name="wall time", unit="s", better="lower")


class _Result(Foreign):
    command: str
    mean: float
    stddev: float | None = None
    times: tuple[float, ...] | None = Field(default=None, strict=False)
    exit_codes: tuple[int | None, ...] | None = Field(default=None, strict=False)
    parameters: dict[str, str | int | float] = Field(default={})


class _File(Foreign):
    results: tuple[_Result, ...] = Field(strict=False)


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    if not isinstance(data, dict) or not isinstance(data.get("results"), list):
        return False
    return all(isinstance(r, dict) and "command" in r for r in data["results"]) and bool(data["results"])


def parse(text: str, name: str) -> ResultTable:
    """The table of an `--export-json` file. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    return ResultTable(
        tool=TOOL,
        name=name,
        facts=(),
        rows=tuple(_row(r) for r in file.results),
        notes=("hyperfine's files do not name the host: that both ran on the same one is taken on trust",),
    )


def _row(result: _Result) -> Row:
    settings = key(**{"command": result.command, **{f"parameter {n}": v for n, v in result.parameters.items()}})
    times = result.times or ()
    problem = _problem(result, times)
    summary = None
    if not times and not problem:
        summary = Summary(point=result.mean, deviation=result.stddev or 0.0, n=None if result.stddev else 1)
    return Row(
        key=settings,
        metric=_WALL,
        sampled="process",
        samples=tuple(Sample(value=t) for t in times) if not problem else (),
        summary=summary,
        problem=problem,
    )


def _problem(result: _Result, times: tuple[float, ...]) -> str | None:
    failed = [c for c in result.exit_codes or () if c != 0]
    if failed:
        return f"{len(failed)} of {len(result.exit_codes or ())} runs failed"
    if any(t <= 0 for t in times or (result.mean,)):
        return "a duration that is not positive"
    return None
