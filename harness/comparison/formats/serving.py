"""Results of a serving benchmark: one run against a server is one session, however many requests it made.

Throughput, latencies and each of their percentiles are metrics of their own, with one sample each: a session has no
spread of its own that says how another would go. What the file states beside them is the row's key.
"""

import re
from collections.abc import Mapping, Sequence

from harness.comparison.formats import values
from harness.comparison.formats.source import refuse
from harness.comparison.table import Attribute, Metric, Row, Setting, attributes, key, plain

_RATES = {
    "request_throughput": ("request throughput", "req/s"),
    "request_goodput": ("goodput", "req/s"),
    "input_throughput": ("input throughput", "tok/s"),
    "output_throughput": ("output throughput", "tok/s"),
    "output_throughput_retokenized": ("output throughput (retokenized)", "tok/s"),
    "total_token_throughput": ("total throughput", "tok/s"),
    "total_throughput": ("total throughput", "tok/s"),
    "total_throughput_retokenized": ("total throughput (retokenized)", "tok/s"),
    "prefill_throughput": ("prefill throughput", "tok/s"),
    "median_decode_throughput": ("median decode throughput", "tok/s"),
    "overall_throughput": ("overall throughput", "tok/s"),
    "max_output_tokens_per_s": ("peak output throughput", "tok/s"),
    "tput_per_gpu": ("total throughput per GPU", "tok/s"),
    "output_tput_per_gpu": ("output throughput per GPU", "tok/s"),
    "input_tput_per_gpu": ("input throughput per GPU", "tok/s"),
}
_LATENCY = re.compile(r"(mean|median|min|max|p\d{1,2}(?:\.\d{1,3})?)_(ttft|tpot|itl|e2el|e2e_latency|e2e|intvty)(_ms)?")
_DURATIONS = {
    "prefill_latency": "prefill latency",
    "median_decode_latency": "median decode latency",
    "total_latency": "total latency",
}
_TIMES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2el": "E2EL", "e2e_latency": "E2EL", "e2e": "E2EL"}
_PER_USER = "intvty"  # InferenceX: tokens a second that one user sees
_SPREAD = re.compile(r"std_\w+")
_RESULTS = frozenset(
    (
        *(
            "duration",
            "completed",
            "failed",
            "good_completed",
            "successful_requests",
            "total_input",
            "total_input_tokens",
            "concurrency",
        ),
        *("total_input_text_tokens", "total_input_vision_tokens", "total_output", "total_output_tokens", "goodput"),
        *("total_output_tokens_retokenized", "accept_length", "max_concurrent_requests", "rtfx", "benchmark_duration"),
    )
)
_RUN = ("date", "label", "tag", "start_time", "timestamp")
_VERSIONS = ("version", "vllm_version", "sglang_version", "commit", "image", "git_hash")
LOAD = "input tokens"
_Entry = Mapping[str, object]


def metric_of(field: str) -> tuple[float, Metric] | None:
    """The factor to SI units and the metric of a result's field; None where the field is no value to compare."""
    if field in _RATES:
        name, unit = _RATES[field]
        return 1.0, Metric(name=name, unit=unit, better="higher")
    if field in _DURATIONS:
        return 1.0, Metric(name=_DURATIONS[field], unit="s", better="lower")
    found = _LATENCY.fullmatch(field)
    if found is None:
        return None
    statistic, what, milli = found.groups()
    if what == _PER_USER:
        return 1.0, Metric(name=f"{statistic} interactivity", unit="tok/s", better="higher")
    return (1e-3 if milli else 1.0), Metric(name=f"{statistic} {_TIMES[what]}", unit="s", better="lower")


def rows(entries: Sequence[_Entry], where: str) -> tuple[Row, ...]:
    """All rows of the sessions in a file. Raises UsageError."""
    found: list[Row] = []
    for i, entry in enumerate(entries, 1):
        found += _session(entry, f"{where} (result {i})" if len(entries) > 1 else where)
    if not found:
        refuse(where, "holds no throughput and no latency")
    return tuple(found)


def _session(entry: _Entry, where: str) -> list[Row]:
    named, problem = settings(entry), failure(entry)
    inputs = key(**{LOAD: entry["total_input_tokens"]}) if isinstance(entry.get("total_input_tokens"), int) else ()
    outcomes = key(**{n: entry[n] for n in ("completed", "failed") if isinstance(entry.get(n), int)})
    found: list[Row] = []
    for field, value in entry.items():
        known = metric_of(field)
        read = values.number(value, field, where) if known is not None else None
        if known is None or read is None:
            continue
        factor, metric = known
        if any(row.metric.name == metric.name for row in found):
            continue  # one quantity under the names of two versions
        found.append(
            values.row(
                values.case(named, metric.name),
                metric,
                [read * factor],
                "process",
                problem=problem,
                inputs=inputs,
                outcomes=outcomes,
            )
        )
    return found


def failure(entry: _Entry) -> str | None:
    """Why a session's figures are no values: no request was answered."""
    return "failed: no request was completed" if entry.get("completed") == 0 else None


def settings(entry: _Entry) -> tuple[Setting, ...]:
    """What the file states of how the session was run: every scalar that is no result, known here or not, so that two
    sessions that differ in a new option are never merged."""
    return key(**{name: value for name, value in entry.items() if _is_setting(name, value)})


def _is_setting(name: str, value: object) -> bool:
    if metric_of(name) is not None or _SPREAD.fullmatch(name) or name in _RESULTS:
        return False
    if name in _RUN or name in _VERSIONS or not name or value is None:
        return False
    return isinstance(value, str | int | float)


def facts(entries: Sequence[_Entry]) -> tuple[Attribute, ...]:
    """When and with which version, where the sessions say so."""

    def stated(name: str) -> str:
        return ", ".join(sorted({plain(e[name]) for e in entries if isinstance(e.get(name), str | int | float)}))

    return attributes(
        *(("version", name, stated(name), False) for name in _VERSIONS),
        ("run", "time", _time(stated("date")), False),
        ("run", "label", stated("label"), False),
    )


def _time(text: str) -> str:
    """vLLM writes 20241109-150547."""
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)", text)
    return "{}-{}-{} {}:{}:{}".format(*found.groups()) if found else text
