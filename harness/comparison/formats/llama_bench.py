"""llama-bench's JSON, JSON lines and CSV. Repetitions run inside one process; rates are tokens a second.

Its columns change from version to version. Those that are known to be results, host or build are taken as such;
*every other column is a setting*, known here or not, so that rows that differ in a new option are never merged.
"""

import json

from pydantic import Field

from harness.comparison.formats.source import ToolObject, decode, decode_lines, figure, read, refuse, table
from harness.comparison.table import (
    Attribute,
    AttributeKind,
    Metric,
    ResultTable,
    Row,
    Sample,
    Summary,
    attributes,
    key,
    plain,
)

TOOL = "llama-bench"
_RATE = Metric(name="rate", unit="tok/s", better="higher")
# What a run produces, as opposed to what it was asked to do.
_RESULTS = frozenset(
    (
        *("avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts", "test_time"),
        *("avg_cycles", "stddev_cycles", "avg_ipc", "stddev_ipc"),
    )
)
_HOST: tuple[tuple[str, AttributeKind, bool], ...] = (
    ("cpu_info", "host", True),
    ("gpu_info", "host", True),
    ("backends", "host", True),
    ("build_commit", "version", False),
    ("build_number", "version", False),
)
_CONTEXT = frozenset(name for name, _, _ in _HOST)
_OF_ROWS: tuple[tuple[str, AttributeKind, bool], ...] = (*_HOST, ("test_time", "run", False))
# Settings that builds added over time. Each was added at a default under which a test runs as it did without it.
DEFAULTS = key(
    **{"n_depth": 0, "embeddings": 0, "no_kv_offload": 0, "n_cpu_moe": 0, "no_op_offload": 0, "no_host": 0},
    **{"fit_target": 0, "fit_min_ctx": 0, "cpu_mask": "0x0", "cpu_strict": 0, "poll": 50, "devices": "auto"},
    **{"tensor_buft_overrides": "none", "tensor_split": "0.00"},
)
_Scalar = str | int | float | bool | None


class _Result(ToolObject):
    n_prompt: int
    n_gen: int
    avg_ts: float
    stddev_ts: float | None = None
    samples_ts: tuple[float, ...] | None = Field(default=None, strict=False)


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    rows = data if isinstance(data, list) else [data]
    return bool(rows) and all(isinstance(r, dict) and "n_prompt" in r and "n_gen" in r for r in rows)


def recognises_header(columns: tuple[str, ...]) -> bool:
    """Whether a CSV header looks like this tool's."""
    return {"n_prompt", "n_gen", "avg_ts"} <= set(columns)


def parse(text: str, name: str) -> ResultTable:
    """The table of `-o json`. Raises UsageError."""
    data = decode(text, name)
    return _table(data if isinstance(data, list) else [data], name, ())


def parse_lines(text: str, name: str) -> ResultTable:
    """The table of `-o jsonl`. Raises UsageError."""
    return _table(decode_lines(text, name), name, ())


def parse_csv(text: str, name: str) -> ResultTable:
    """The table of `-o csv`, which keeps mean and deviation but no samples. Raises UsageError."""
    entries: list[object] = []
    for i, row in enumerate(table(text, name), 2):
        entry: dict[str, object] = dict(row)
        for column in ("n_prompt", "n_gen", "avg_ts", "stddev_ts"):
            value = figure(row.get(column, ""), column, f"{name}:{i}")
            entry[column] = int(value) if column.startswith("n_") and value is not None else value
        entries.append(entry)
    note = (
        "llama-bench's CSV keeps neither samples nor their number: the deviation itself stands for the error, which is "
        "enough for five repetitions or more; -o json keeps them"
    )
    return _table(entries, name, (note,))


def _table(entries: list[object], name: str, notes: tuple[str, ...]) -> ResultTable:
    if not entries:
        refuse(name, "holds no results")
    results: list[dict[str, object]] = []
    for i, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            refuse(name, f"result {i} is no object")
        if not recognises(entry):
            refuse(f"{name} (result {i})", "no result of llama-bench: n_prompt or n_gen is missing")
        results.append(entry)
    rows = tuple(_row(entry, f"{name} (result {i})") for i, entry in enumerate(results, 1))
    facts, differ = _facts(results)
    rows = tuple(
        row.model_copy(update={"attributes": _attributes(e, differ)}) for row, e in zip(rows, results, strict=True)
    )
    return ResultTable(tool=TOOL, name=name, facts=facts, rows=rows, notes=notes, defaults=DEFAULTS)


def _facts(entries: list[dict[str, object]]) -> tuple[tuple[Attribute, ...], frozenset[str]]:
    """What holds for the whole file, and the columns that hold for single rows: those of several values."""
    values = {column: {plain(e.get(column)) for e in entries} - {"none", ""} for column, _, _ in _OF_ROWS}
    differ = frozenset(column for column, found in values.items() if len(found) > 1)
    whole = {column: min(found, default=None) for column, found in values.items() if column not in differ}
    return attributes(*((kind, _named(c), whole.get(c), binding) for c, kind, binding in _OF_ROWS)), differ


def _attributes(entry: dict[str, object], differ: frozenset[str]) -> tuple[Attribute, ...]:
    return attributes(*((kind, _named(c), entry.get(c), binding) for c, kind, binding in _OF_ROWS if c in differ))


def _named(column: str) -> str:
    return "time" if column == "test_time" else column


def _row(entry: dict[str, object], where: str) -> Row:
    settings = {n: v for n, v in entry.items() if n not in _RESULTS | _CONTEXT and not _is_samples(v)}
    named = key(**renamed({n: _canonical(n, v) for n, v in settings.items()}))
    if entry.get("avg_ts") in (None, 0):
        return Row(key=named, metric=_RATE, sampled="inside", problem="the test failed: no rate")
    result = read(_Result, entry, where, tool=TOOL)
    if result.avg_ts < 0 or any(s <= 0 for s in result.samples_ts or ()):
        return Row(key=named, metric=_RATE, sampled="inside", problem="a rate that is not positive")
    samples = tuple(Sample(value=s) for s in result.samples_ts or ())
    summary = None if samples else _summary(result)
    return Row(key=named, metric=_RATE, sampled="inside", samples=samples, summary=summary)


def _summary(result: _Result) -> Summary:
    # A deviation of zero comes from one repetition (-r 1), not from a machine without noise.
    return Summary(point=result.avg_ts, deviation=result.stddev_ts or 0.0, n=None if result.stddev_ts else 1)


def renamed(settings: dict[str, object]) -> dict[str, object]:
    """`settings` with `load_mode` in the place of the two columns that it replaced (llama.cpp, pull request 20834):
    direct reads went before memory maps."""
    if "use_mmap" not in settings or "load_mode" in settings:
        return settings
    direct, mapped = (plain(settings.get(n, 0)) for n in ("use_direct_io", "use_mmap"))
    rest = {n: v for n, v in settings.items() if n not in ("use_mmap", "use_direct_io")}
    return {**rest, "load_mode": "dio" if direct == "1" else "mmap" if mapped == "1" else "none"}


def _is_samples(value: object) -> bool:
    """Whether an unknown column holds numbers, one a repetition: a result, no setting."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, int | float) for v in value)


def _canonical(column: str, value: object) -> object:
    """One value for one setting, whichever format it came by, and whatever folder a model's file is in."""
    if isinstance(value, bool):  # JSON writes true and false, CSV 1 and 0
        return "1" if value else "0"
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    text = plain(value)
    if column == "model_filename":
        return text.replace("\\", "/").rsplit("/", 1)[-1]
    return text
