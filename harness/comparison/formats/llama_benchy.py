"""llama-benchy's JSON (`--format json`): rates and times of prefill and decode at depths and concurrencies.

Runs of one case follow one another against one server, so they are repetitions inside one session.
"""

from typing import Any

from pydantic import Field

from harness.comparison.formats import values
from harness.comparison.formats.source import ToolObject, decode, read
from harness.comparison.table import Metric, ResultTable, Row, attributes, key

TOOL = "llama-benchy"
_RATES = {
    "pp_throughput": "prefill rate",
    "pp_req_throughput": "prefill rate of a request",
    "tg_throughput": "decode rate",
    "tg_req_throughput": "decode rate of a request",
    "peak_throughput": "peak decode rate",
    "peak_req_throughput": "peak decode rate of a request",
}
_TIMES = {"ttfr": "time to first response", "est_ppt": "estimated prefill time", "e2e_ttft": "TTFT"}
_METRICS = {n: (1.0, Metric(name=label, unit="tok/s", better="higher")) for n, label in _RATES.items()}
_METRICS |= {n: (1e-3, Metric(name=label, unit="s", better="lower")) for n, label in _TIMES.items()}
_NOTE = "llama-benchy's files do not name the hardware: that both ran on the same one is taken on trust"


class _Measured(ToolObject):
    values: tuple[float, ...] = Field(default=(), strict=False)


class _File(ToolObject):
    version: str
    timestamp: str | None = None
    model: str
    latency_mode: str
    prefix_caching_enabled: bool | None = None
    benchmarks: tuple[dict[str, Any], ...] = Field(strict=False)


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    return isinstance(data, dict) and {"latency_mode", "prefix_caching_enabled", "benchmarks"} <= data.keys()


def parse(text: str, name: str) -> ResultTable:
    """The table of a result file. Raises UsageError."""
    file = read(_File, decode(text, name), name, tool=TOOL)
    common: dict[str, object] = {
        "model": file.model,
        "prefix caching": file.prefix_caching_enabled,
        "latency mode": file.latency_mode,
    }
    rows: list[Row] = []
    for i, entry in enumerate(file.benchmarks, 1):
        rows += _rows(entry, common, f"{name} (benchmark {i})")
    facts = attributes(("version", TOOL, file.version, False), ("run", "time", file.timestamp, False))
    return ResultTable(tool=TOOL, name=name, facts=facts, rows=tuple(rows), notes=(_NOTE,))


def _rows(entry: dict[str, Any], common: dict[str, object], where: str) -> list[Row]:
    settings = {n: v for n, v in entry.items() if isinstance(v, str | int | float)}
    named = key(**{**common, **settings})
    found = []
    for field, (factor, metric) in _METRICS.items():
        if entry.get(field) is None:
            continue  # a rate of decode has no place beside one of prefill alone
        measured = read(_Measured, entry[field], f"{where}.{field}", tool=TOOL)
        samples = [v * factor for v in measured.values]
        found.append(values.row(values.case(named, metric.name), metric, samples, "inside"))
    return found
