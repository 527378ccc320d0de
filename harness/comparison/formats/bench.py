"""Rows of `harness bench -o json` and `-o jsonl` as a result table, comparable with the records of other runs.

Reads the few fields that it needs, so that rows of another version of this program remain readable.
"""

from typing import Annotated, Literal

from pydantic import Field

from harness.comparison.formats.record import RATE, TOOL
from harness.comparison.formats.source import ToolObject, decode, decode_lines, read, refuse
from harness.comparison.table import Attribute, ResultTable, Row, Sample, Setting, attributes, key, plain

_Pair = Annotated[tuple[str, str], Field(strict=False)]


class _Row(ToolObject):
    model: str
    phase: Literal["prefill", "decode"]
    batch: int = Field(gt=0)
    prompt_tokens: int
    decode_tokens: int
    depth: int
    precision: str
    threads: int
    samples_s: tuple[float, ...] = Field(strict=False)
    seed: int | None = None
    routing_skew: float | None = None
    invalid: tuple[str, ...] = Field(default=(), strict=False)
    error: str | None = None
    host: str | None = None
    host_fingerprint: str | None = None
    versions: tuple[_Pair, ...] = Field(default=(), strict=False)
    created: str | None = None


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like these rows."""
    rows = data if isinstance(data, list) else [data]
    return bool(rows) and all(
        isinstance(r, dict) and {"model", "phase", "samples_s", "rate_tok_s"} <= r.keys() for r in rows
    )


def parse(text: str, name: str) -> ResultTable:
    """The table of a list of rows, or of one row. Raises UsageError."""
    data = decode(text, name)
    return _table(data if isinstance(data, list) else [data], name)


def parse_lines(text: str, name: str) -> ResultTable:
    """The table of one row a line. Raises UsageError."""
    return _table(decode_lines(text, name), name)


def _table(entries: list[object], name: str) -> ResultTable:
    rows = [read(_Row, entry, f"{name} (row {i})", tool="harness bench") for i, entry in enumerate(entries, 1)]
    if not rows:
        refuse(name, "holds no rows")
    return ResultTable(tool=TOOL, name=name, facts=_facts(rows), rows=tuple(_row(r) for r in rows))


def _facts(rows: list[_Row]) -> tuple[Attribute, ...]:
    def stated(values: set[str | None]) -> str:
        return ", ".join(sorted(v for v in values if v))

    versions = sorted({pair for r in rows for pair in r.versions})
    return (
        *attributes(
            ("host", "cpu", stated({r.host for r in rows}), True),
            ("host", "fingerprint", stated({r.host_fingerprint for r in rows}), True),
        ),
        *(Attribute(kind="version", name=n, value=stated({v for m, v in versions if m == n})) for n in dict(versions)),
        *attributes(("run", "created", min((r.created for r in rows if r.created), default=None), False)),
    )


def _row(row: _Row) -> Row:
    tokens = row.batch * (row.prompt_tokens if row.phase == "prefill" else 1)
    problem = row.error or "; ".join(row.invalid) or None
    if problem is None and (not row.samples_s or tokens <= 0 or min(row.samples_s) <= 0):
        problem = "no duration, or one that is not positive"
    settings = {n: getattr(row, n) for n in ("model", "phase", "batch", "prompt_tokens", "decode_tokens", "depth")}
    inputs = (("routing skew", row.routing_skew), ("seed", row.seed))
    return Row(
        key=key(**settings, precision=row.precision, threads=row.threads),
        metric=RATE,
        sampled="process",
        samples=tuple(Sample(value=tokens / s) for s in row.samples_s) if problem is None else (),
        inputs=tuple(Setting(name=n, value=plain(v)) for n, v in inputs if v is not None),
        problem=problem,
    )
