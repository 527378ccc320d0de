"""hyperfine's JSON and CSV: one fresh process a run, wall time in seconds. They hold nothing about the host.

CSV keeps neither the runs nor their number nor their exit codes.
"""

from pydantic import Field

from harness.comparison.formats.source import ToolObject, decode, figure, read, table
from harness.comparison.table import Metric, ResultTable, Row, Sample, Summary, key

TOOL = "hyperfine"
_WALL = Metric(name="wall time", unit="s", better="lower")
_ON_TRUST = "hyperfine's files do not name the host: that both ran on the same one is taken on trust"
_CSV = (
    "hyperfine's CSV keeps neither runs nor their number nor exit codes: the deviation itself stands for the error, "
    "which is enough for five runs or more; --export-json keeps them"
)
_NOT_POSITIVE = (
    "a duration that is not positive: hyperfine takes the shell's own start off and cuts at zero, --shell=none does not"
)
_PARAMETER = "parameter "  # before the name of a parameter, in a key


class _Result(ToolObject):
    command: str
    mean: float
    stddev: float | None = None
    median: float | None = None
    times: tuple[float, ...] | None = Field(default=None, strict=False)
    exit_codes: tuple[int | None, ...] | None = Field(default=None, strict=False)
    parameters: dict[str, str | int | float] = Field(default={})


class _File(ToolObject):
    results: tuple[_Result, ...] = Field(strict=False)


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    if not isinstance(data, dict) or not isinstance(data.get("results"), list):
        return False
    return all(isinstance(r, dict) and "command" in r for r in data["results"]) and bool(data["results"])


def recognises_header(columns: tuple[str, ...]) -> bool:
    """Whether a CSV header looks like this tool's."""
    return {"command", "mean", "stddev", "user", "system"} <= set(columns)


def parse(text: str, name: str) -> ResultTable:
    """The table of an `--export-json` file. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    rows = tuple(_row(r) for r in file.results)
    return ResultTable(tool=TOOL, name=name, facts=(), rows=rows, notes=(_ON_TRUST,))


def parse_csv(text: str, name: str) -> ResultTable:
    """The table of an `--export-csv` file. Raises UsageError."""
    rows = []
    for i, cells in enumerate(table(text, name), 2):
        where = f"{name}:{i}"
        entry: dict[str, object] = {
            "command": cells["command"],
            "parameters": {n.removeprefix("parameter_"): v for n, v in cells.items() if n.startswith("parameter_")},
            **{n: figure(cells.get(n, ""), n, where) for n in ("mean", "stddev", "median")},
        }
        rows.append(_row(read(_Result, entry, where, tool=TOOL)))
    return ResultTable(tool=TOOL, name=name, facts=(), rows=tuple(rows), notes=(_ON_TRUST, _CSV))


def _row(result: _Result) -> Row:
    parameters = {f"{_PARAMETER}{n}": v for n, v in result.parameters.items()}
    times = result.times or ()
    problem = _problem(result, times)
    return Row(
        key=key(**{"command": result.command, **parameters}),
        metric=_WALL,
        sampled="process",
        samples=tuple(Sample(value=t) for t in times) if not problem else (),
        summary=None if times or problem else _summary(result),
        problem=problem,
    )


def _summary(result: _Result) -> Summary:
    # A deviation of zero comes from one run, not from a machine without noise.
    return Summary(
        point=result.mean if result.median is None else result.median,
        centre="mean" if result.median is None else "median",
        deviation=result.stddev or 0.0,
        n=None if result.stddev else 1,
    )


def _problem(result: _Result, times: tuple[float, ...]) -> str | None:
    failed = [c for c in result.exit_codes or () if c != 0]
    if failed:
        return f"{len(failed)} of {len(result.exit_codes or ())} runs failed"
    if any(t <= 0 for t in times or (result.mean, result.mean if result.median is None else result.median)):
        return _NOT_POSITIVE
    return None
