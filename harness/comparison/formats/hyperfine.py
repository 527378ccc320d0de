"""hyperfine's JSON and CSV: one fresh process a run, wall time in seconds. They hold nothing about the host.

CSV keeps neither the runs nor their number nor their exit codes.
"""

import itertools
from collections.abc import Sequence

from pydantic import Field

from harness.comparison.formats.source import ToolObject, decode, figure, read, table
from harness.comparison.splitting import PARAMETER, template
from harness.comparison.table import Metric, ResultTable, Row, Sample, Setting, Summary, key, plain

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
    return ResultTable(tool=TOOL, name=name, facts=(), rows=_rows(file.results), notes=(_ON_TRUST,))


def parse_csv(text: str, name: str) -> ResultTable:
    """The table of an `--export-csv` file. Raises UsageError."""
    results = []
    for i, cells in enumerate(table(text, name), 2):
        where = f"{name}:{i}"
        entry: dict[str, object] = {
            "command": cells["command"],
            "parameters": {n.removeprefix("parameter_"): v for n, v in cells.items() if n.startswith("parameter_")},
            **{n: figure(cells.get(n, ""), n, where) for n in ("mean", "stddev", "median")},
        }
        results.append(read(_Result, entry, where, tool=TOOL))
    return ResultTable(tool=TOOL, name=name, facts=(), rows=_rows(results), notes=(_ON_TRUST, _CSV))


def _rows(results: Sequence[_Result]) -> tuple[Row, ...]:
    """A row for each command. Where no two have the same parameters, one command was given and all are of it."""
    rows = tuple(_row(r) for r in results)
    given = {r.parameters for r in rows}
    if not all(r.parameters for r in rows) or len(given) < len(rows):
        return rows
    family = rows[0].family
    if len({r.family for r in rows}) > 1:  # a value that is part of a word
        commands = [r.command for r in results]
        pairs = zip(min(commands), max(commands), strict=False)
        family = key(command="".join(x for x, _ in itertools.takewhile(lambda p: p[0] == p[1], pairs)) + "…")
    return tuple(r.model_copy(update={"family": family}) for r in rows)


def _row(result: _Result) -> Row:
    parameters = {f"{PARAMETER}{n}": v for n, v in result.parameters.items()}
    times = result.times or ()
    problem = _problem(result, times)
    return Row(
        key=key(**{"command": result.command, **parameters}),
        metric=_WALL,
        sampled="process",
        samples=tuple(Sample(value=t) for t in times) if not problem else (),
        summary=None if times or problem else _summary(result),
        parameters=key(**parameters),
        family=_family(result) if parameters else (),
        problem=problem,
        inputs=_ended(result),
    )


def _family(result: _Result) -> tuple[Setting, ...]:
    """The command before its parameters were put in."""
    return key(command=template(result.command, [(n, plain(v)) for n, v in result.parameters.items()]))


def _summary(result: _Result) -> Summary:
    # A deviation of zero comes from one run, not from a machine without noise.
    return Summary(
        point=result.mean if result.median is None else result.median,
        centre="mean" if result.median is None else "median",
        deviation=result.stddev or 0.0,
        n=None if result.stddev else 1,
    )


def _ended(result: _Result) -> tuple[Setting, ...]:
    """The exit code of all runs, where they have one: a command that always fails alike was asked for (-i)."""
    codes = set(result.exit_codes or ())
    return key(**{"exit code": codes.pop()}) if len(codes) == 1 and None not in codes else ()


def _problem(result: _Result, times: tuple[float, ...]) -> str | None:
    failed = [c for c in result.exit_codes or () if c != 0]
    if failed and not _ended(result):
        return f"{len(failed)} of {len(result.exit_codes or ())} runs failed"
    if any(t <= 0 for t in times or (result.mean, result.mean if result.median is None else result.median)):
        return _NOT_POSITIVE
    return None
