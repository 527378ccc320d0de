"""MLPerf LoadGen's summary and detail logs. One run is one session; an INVALID run, or one for accuracy, has no values.

Written for the summary of LoadGen 5.1 and from its source (loadgen/results.cc); of a detail log only the head was at
hand. The logs name neither model nor hardware.
"""

import re

from harness.comparison.formats import values
from harness.comparison.formats.source import decode, refuse
from harness.comparison.table import Attribute, Metric, ResultTable, Row, attributes, key

TOOL = "mlperf loadgen"
_TITLE = re.compile(r"^MLPerf Results Summary[ \t\r]*$", re.MULTILINE)
_DETAIL = ":::MLLOG {"
_LINE = re.compile(r"[ \t*]*([A-Za-z0-9][^:\n]{0,80}?)\s*:\s*([^\s][^\n]{0,400})")
_LONGEST = 1000  # characters of a line that is a name and a value
_ON_TRUST = "LoadGen's logs name neither model nor hardware: that both are the same is taken on trust"
_RATES = {
    "samples per second": ("samples", "samples/s"),
    "scheduled samples per second": ("scheduled samples", "samples/s"),
    "completed samples per second": ("completed samples", "samples/s"),
    "tokens per second": ("tokens", "tok/s"),
    "completed tokens per second": ("completed tokens", "tok/s"),
    "qps w/ loadgen overhead": ("queries with overhead of LoadGen", "samples/s"),
    "qps w/o loadgen overhead": ("queries without overhead of LoadGen", "samples/s"),
    "tps w/ loadgen overhead": ("tokens with overhead of LoadGen", "tok/s"),
    "tps w/o loadgen overhead": ("tokens without overhead of LoadGen", "tok/s"),
}
_DETAIL_RATES = {
    "result_samples_per_second": "samples per second",
    "result_scheduled_samples_per_sec": "scheduled samples per second",
    "result_completed_samples_per_sec": "completed samples per second",
    "result_tokens_per_second": "tokens per second",
    "result_qps_with_loadgen_overhead": "qps w/ loadgen overhead",
    "result_qps_without_loadgen_overhead": "qps w/o loadgen overhead",
    "result_token_throughput_with_loadgen_overhead": "tps w/ loadgen overhead",
}
_KINDS = {"": "latency", "first token": "TTFT", "time to output token": "TPOT", "time per output token": "TPOT"}
_TIME = re.compile(
    r"(min|max|mean|\d{1,2}(?:\.\d{1,3})?(?:th)?)(?: percentile)?(?: (first token|time (?:to|per) output token))?"
    r"(?: percentile)?(?: latency)? \(ns\)"
)
_DETAIL_TIME = re.compile(
    r"result_(?:(first_token|time_(?:per|to)_output_token)_)?(min|max|mean|\d{1,2}(?:\.\d{1,3})?)"
    r"(?:_percentile)?(?:_latency)?(?:_ns)?"
)
_LOAD = ("samples_per_query", "ttft_latency (ns)", "tpot_latency (ns)", "target_latency (ns)")
_SHOWN = ("target_qps", "min_query_count", "performance_sample_count")
_DETAIL_LOAD = {
    "effective_samples_per_query": "samples_per_query",
    "effective_server_ttft_latency": "ttft_latency (ns)",
    "effective_server_tpot_latency": "tpot_latency (ns)",
    "effective_target_latency_ns": "target_latency (ns)",
    "effective_target_qps": "target_qps",
    "effective_min_query_count": "min_query_count",
    "effective_performance_sample_count": "performance_sample_count",
}


def recognises_text(text: str) -> bool:
    """Whether a text is a summary or a detail log."""
    return text.startswith(_DETAIL) or _TITLE.search(text) is not None


def parse(text: str, name: str) -> ResultTable:
    """The table of mlperf_log_summary.txt or mlperf_log_detail.txt. Raises UsageError."""
    stated = _detail(text, name) if text.startswith(_DETAIL) else _summary(text, name)
    return ResultTable(tool=TOOL, name=name, facts=_facts(stated), rows=_rows(stated, name), notes=(_ON_TRUST,))


def stated(text: str, name: str) -> dict[str, str]:
    """What a log states, by the summary's names in small letters: for `harness catalog import`. Raises UsageError."""
    return _detail(text, name) if text.startswith(_DETAIL) else _summary(text, name)


def problem(found: dict[str, str]) -> str | None:
    """Why the figures of a log are no values; None for a valid performance run."""
    if "performanceonly" not in found.get("mode", "PerformanceOnly").lower():
        return f"a run of mode {found['mode'][:40]}, not of performance"
    result = found.get("result is")
    if result is None:
        return "the log does not say whether the run is VALID"
    if result.strip().upper() == "VALID":
        return None
    failed = [name for name, value in found.items() if name.endswith("satisfied") and value.lower() == "no"]
    why = found.get("result_invalid_reason", "").strip() or ", ".join(f"not {name}" for name in failed)
    return f"INVALID: {why[:300] or 'no reason given'}"


def _summary(text: str, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    title = _TITLE.search(text)
    if title is None:
        refuse(name, "has no line 'MLPerf Results Summary'")
    for line in text[title.end() :].splitlines():
        if _TITLE.fullmatch(line):
            refuse(name, "holds two summaries", "name a file of one run")
        pair = _LINE.fullmatch(line.rstrip()) if len(line) < _LONGEST else None
        if pair is not None:
            found.setdefault(" ".join(pair[1].lower().split()), pair[2])
    return found


def _detail(text: str, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for i, line in enumerate(text.split("\n"), 1):
        if not line.startswith(_DETAIL):
            continue
        entry = decode(line.removeprefix(":::MLLOG "), f"{name}:{i}")
        if isinstance(entry, dict) and isinstance(entry.get("key"), str):
            _take(entry["key"], entry.get("value"), found)
    if "result is" not in found:
        refuse(name, "a detail log of LoadGen that ends before its results", "name the whole log, or the summary")
    return found


def _take(field: str, value: object, found: dict[str, str]) -> None:
    """One line of a detail log, under the name that the summary gives it."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return
    timed = _DETAIL_TIME.fullmatch(field)
    names = {
        **_DETAIL_RATES,
        **_DETAIL_LOAD,
        "result_validity": "result is",
        "effective_scenario": "scenario",
        "effective_test_mode": "mode",
        "sut_name": "sut name",
        "test_datetime": "test_datetime",
        "loadgen_version": "loadgen_version",
        "result_invalid_reason": "result_invalid_reason",
    }
    if field in names:
        found[names[field]] = str(value)
    elif timed is not None:
        what = (timed[1] or "").replace("_", " ")
        middle = " percentile" if timed[2][0].isdigit() else ""
        found[f"{timed[2]}{middle}{f' {what}' if what else ''} (ns)"] = str(value)


def _facts(found: dict[str, str]) -> tuple[Attribute, ...]:
    return attributes(
        ("host", "SUT", found.get("sut name"), False),
        ("version", "LoadGen", found.get("loadgen_version"), False),
        ("run", "time", found.get("test_datetime"), False),
    )


def _rows(found: dict[str, str], name: str) -> tuple[Row, ...]:
    named, bad = key(scenario=found.get("scenario", "none")), problem(found)
    inputs = key(**{n: found[n] for n in _LOAD if n in found})
    outcomes = key(**{n: found[n] for n in _SHOWN if n in found})
    rows: dict[str, Row] = {}
    for label, shown in found.items():
        known = _metric(label)
        if known is None or known[1].name in rows:
            continue
        factor, metric = known
        value = values.written(shown.split()[0])
        rows[metric.name] = values.row(
            values.case(named, metric.name),
            metric,
            [None if value is None else value * factor],
            "process",
            problem=bad,
            inputs=inputs,
            outcomes=outcomes,
        )
    if not rows:
        refuse(name, "a log of LoadGen without a rate or a latency")
    return tuple(rows.values())


def _metric(label: str) -> tuple[float, Metric] | None:
    if label in _RATES:
        rate, unit = _RATES[label]
        return 1.0, Metric(name=rate, unit=unit, better="higher")
    timed = _TIME.fullmatch(label)
    if timed is None:
        return None
    statistic = timed[1].removesuffix("th")
    if statistic[0].isdigit():
        statistic = f"p{float(statistic):g}"
    return 1e-9, Metric(name=f"{statistic} {_KINDS[timed[2] or '']}", unit="s", better="lower")
