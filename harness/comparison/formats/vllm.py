"""vLLM's JSON of `bench serve`, `bench latency` and `bench throughput`, one object or (appended) one a line.

A serving run is one session. `bench latency` repeats one batch inside one process; its percentiles are those of the few
iterations. Neither states the hardware, and the last two not even the model.
"""

from pydantic import Field

from harness.comparison.formats import serving, values
from harness.comparison.formats.source import ToolObject, decode, decode_lines, read, refuse
from harness.comparison.table import Metric, ResultTable, Row, key

TOOL = "vllm bench"
_TIMES = ("_ttft_ms", "_e2el_ms")
_ON_TRUST = "vLLM's files do not name the hardware: that both ran on the same one is taken on trust"
_NOR_MODEL = (
    "vLLM's latency and throughput files name neither model nor settings: that both are the same is taken on trust"
)
_LATENCY = Metric(name="latency", unit="s", better="lower")


class _Latency(ToolObject):
    latencies: tuple[float, ...] = Field(min_length=1, strict=False)
    percentiles: dict[str, float] = Field(default={})


class _Throughput(ToolObject):
    num_requests: int
    requests_per_second: float
    tokens_per_second: float
    total_num_tokens: int | None = None


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's."""
    if isinstance(data, list):
        return bool(data) and all(_is_serve(entry) for entry in data)
    return _is_serve(data) or _is_latency(data) or _is_throughput(data)


def _is_serve(data: object) -> bool:
    if not isinstance(data, dict) or "request_throughput" not in data:
        return False
    return "total_output_tokens_retokenized" not in data and any(name.endswith(_TIMES) for name in data)


def _is_latency(data: object) -> bool:
    return isinstance(data, dict) and "avg_latency" in data and isinstance(data.get("latencies"), list)


def _is_throughput(data: object) -> bool:
    return isinstance(data, dict) and {"num_requests", "requests_per_second", "tokens_per_second"} <= data.keys()


def parse(text: str, name: str) -> ResultTable:
    """The table of `--save-result` or `--output-json`. Raises UsageError."""
    data = decode(text, name)
    if _is_latency(data):
        return ResultTable(tool=TOOL, name=name, facts=(), rows=_latency(data, name), notes=(_NOR_MODEL,))
    if _is_throughput(data):
        return ResultTable(tool=TOOL, name=name, facts=(), rows=_throughput(data, name), notes=(_NOR_MODEL,))
    return _served(data if isinstance(data, list) else [data], name)


def parse_lines(text: str, name: str) -> ResultTable:
    """The table of `--append-result`. Raises UsageError."""
    entries = decode_lines(text, name)
    if not recognises(entries):
        refuse(name, "holds lines that are no results of vllm bench serve")
    return _served(entries, name)


def _served(entries: list[dict[str, object]], name: str) -> ResultTable:
    rows = serving.rows(entries, name)
    return ResultTable(tool=TOOL, name=name, facts=serving.facts(entries), rows=rows, notes=(_ON_TRUST,))


def _latency(data: object, name: str) -> tuple[Row, ...]:
    found = read(_Latency, data, name, tool=TOOL)
    named = key(benchmark="latency")
    percentiles = (
        values.row(values.case(named, label), Metric(name=label, unit="s", better="lower"), [v], "process")
        for label, v in ((f"p{p[:8]} latency", v) for p, v in found.percentiles.items())
    )
    return (values.row(values.case(named, _LATENCY.name), _LATENCY, found.latencies, "inside"), *percentiles)


def _throughput(data: object, name: str) -> tuple[Row, ...]:
    found = read(_Throughput, data, name, tool=TOOL)
    named = key(benchmark="throughput", num_requests=found.num_requests)
    inputs = key(total_num_tokens=found.total_num_tokens) if found.total_num_tokens is not None else ()
    rates = (
        ("request throughput", "req/s", found.requests_per_second),
        ("total throughput", "tok/s", found.tokens_per_second),
    )
    return tuple(
        values.row(values.case(named, n), Metric(name=n, unit=u, better="higher"), [v], "process", inputs=inputs)
        for n, u, v in rates
    )
