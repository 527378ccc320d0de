"""Shapes of files that are known and cannot be compared, each with the sentence that says what to do instead."""

import re
from collections.abc import Callable

_JSON: tuple[tuple[Callable[[object], bool], str], ...] = (
    (
        lambda d: isinstance(d, list) and _has(d, "benchmark", "metric", "model"),
        "this is vLLM's file for PyTorch's dashboard; name the JSON beside it, without .pytorch in its name",
    ),
    (
        lambda d: isinstance(d, list) and _has(d, "seq_id", "qsl_idx"),
        "this is the accuracy log of MLPerf LoadGen; name mlperf_log_summary.txt of a performance run",
    ),
    (
        lambda d: isinstance(d, dict) and "traceEvents" in d,
        "this is a trace of events; name the results of the run",
    ),
    (
        lambda d: isinstance(d, dict) and {"machine", "cpu", "arch", "version"} <= d.keys(),
        "this is asv's description of a machine; name a file of a commit beside it",
    ),
    (
        lambda d: isinstance(d, dict) and "version" in d and any(_has([v], "code", "unit") for v in d.values()),
        "this is asv's list of benchmarks; name a file below results/MACHINE",
    ),
    (
        lambda d: isinstance(d, dict) and {"sampling_mode", "iters", "times"} <= d.keys(),
        "these are criterion's raw samples without their name; name estimates.json beside it",
    ),
    (
        lambda d: isinstance(d, dict) and {"group_id", "function_id", "directory_name"} <= d.keys(),
        "this is criterion's description of a benchmark; name estimates.json beside it",
    ),
    (
        lambda d: isinstance(d, dict) and {"metadata", "metrics"} <= d.keys() and "error" in d,
        "these are aiperf's records of single requests; name profile_export_aiperf.json or .csv",
    ),
    (
        lambda d: isinstance(d, dict) and {"experiments", "service_kind"} <= d.keys(),
        "these are genai-perf's records of single requests; name profile_export_genai_perf.json or .csv",
    ),
)
_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"^\| *(?:Benchmark|Command) *\| *(?:Mean|Min) *\[", re.MULTILINE),
        "this is hyperfine's table; write it with --export-json FILE",
    ),
    (
        re.compile(r"^Benchmark +(?:\([\w.]+\) +)*Mode +Cnt +Score", re.MULTILINE),
        "this is what JMH prints; write it with -rf json -rff FILE",
    ),
    (
        re.compile(r"^Benchmark +Time +CPU +Iterations", re.MULTILINE),
        "this is what Google Benchmark prints; write it with --benchmark_out=FILE --benchmark_out_format=json",
    ),
    (
        re.compile(r"^-+ benchmark[ ':].*tests? -+", re.MULTILINE),
        "this is what pytest-benchmark prints; write it with --benchmark-json=FILE",
    ),
    (
        re.compile(r"^\| *Method *\|(?:[^\n]*\|)? *Mean *\|", re.MULTILINE),
        "this is BenchmarkDotNet's table; write it with --exporters json",
    ),
    (
        re.compile(r"^Method[,;]Job[,;]", re.MULTILINE),
        "this is BenchmarkDotNet's CSV, whose numbers carry units; write it with --exporters json",
    ),
    (
        re.compile(r"NVIDIA (?:AIPerf|GenAI-Perf) \| ", re.MULTILINE),
        "this is the table that aiperf and genai-perf print; name profile_export_aiperf.csv (or _genai_perf.csv)",
    ),
    (
        re.compile(r"^\| *model *\| *test *\|[^\n]*ttfr \(ms\)", re.MULTILINE),
        "this is llama-benchy's table; write it with --format json --save-result FILE",
    ),
    (
        re.compile(r"^.{0,200}: Mean \+- std dev: ", re.MULTILINE),
        "this is what pyperf prints; write it with -o FILE",
    ),
    (
        re.compile(r"^[ \t]*│ .{1,200} │ *$|^name +old .{0,40} new ", re.MULTILINE),
        "this is a comparison that benchstat made; name the two files that it compares",
    ),
    (
        re.compile(r"^group,function,value,throughput_num,", re.MULTILINE),
        "this is criterion's raw.csv; name estimates.json beside it",
    ),
    (
        re.compile(r"^ *Performance counter stats for ", re.MULTILINE),
        "this is what perf stat prints; measure whole commands with hyperfine --export-json FILE",
    ),
)


def of_json(data: object) -> str | None:
    """What a decoded file is and what to name in its place; None where it is unknown."""
    return next((sentence for recognises, sentence in _JSON if recognises(data)), None)


def of_text(text: str) -> str | None:
    """What a text is and what to name in its place; None where it is unknown."""
    return next((sentence for pattern, sentence in _TEXT if pattern.search(text)), None)


def _has(entries: list[object], *names: str) -> bool:
    return bool(entries) and all(isinstance(e, dict) and set(names) <= e.keys() for e in entries)
