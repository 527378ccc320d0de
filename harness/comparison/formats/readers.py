"""The table of readers: by which shape a file is known, and who reads it.

Each shape belongs to one reader; the first that recognises a file reads it.
"""

from collections.abc import Callable

from harness.comparison.formats import (
    asv,
    bench,
    benchmark_dotnet,
    criterion,
    genai_perf,
    github_action,
    go_bench,
    google_benchmark,
    hyperfine,
    inferencex,
    jmh,
    llama_bench,
    llama_benchy,
    llama_tables,
    mlperf,
    pyperf,
    pytest_benchmark,
    serving_console,
    sglang,
    sweep_bench,
    vllm,
)
from harness.comparison.table import ResultTable

Parse = Callable[[str, str], ResultTable]

JSON: tuple[tuple[Callable[[object], bool], Parse], ...] = (
    (bench.recognises, bench.parse),
    (pytest_benchmark.recognises, pytest_benchmark.parse),
    (google_benchmark.recognises, google_benchmark.parse),
    (hyperfine.recognises, hyperfine.parse),
    (sglang.recognises, sglang.parse),
    (vllm.recognises, vllm.parse),
    (inferencex.recognises, inferencex.parse),
    (genai_perf.recognises, genai_perf.parse),
    (llama_benchy.recognises, llama_benchy.parse),
    (pyperf.recognises, pyperf.parse),
    (jmh.recognises, jmh.parse),
    (benchmark_dotnet.recognises, benchmark_dotnet.parse),
    (asv.recognises, asv.parse),
    (criterion.recognises, criterion.parse),
    (github_action.recognises, github_action.parse),
    (sweep_bench.recognises, sweep_bench.parse),
    (llama_bench.recognises, llama_bench.parse),
)
"""One JSON value a file, by the decoded value."""

LINES: tuple[tuple[Callable[[object], bool], Parse], ...] = (
    (bench.recognises, bench.parse_lines),
    (sglang.recognises, sglang.parse_lines),
    (vllm.recognises, vllm.parse_lines),
    (sweep_bench.recognises, sweep_bench.parse_lines),
    (criterion.recognises_message, criterion.parse_lines),
    (go_bench.recognises, go_bench.parse_lines),
    (llama_bench.recognises, llama_bench.parse_lines),
)
"""A JSON value a line, by the first one decoded."""

TEXT: tuple[tuple[Callable[[str], bool], Parse], ...] = (
    (mlperf.recognises_text, mlperf.parse),
    (serving_console.recognises_text, serving_console.parse),
    (llama_tables.recognises_text, llama_tables.parse),
    (sweep_bench.recognises_text, sweep_bench.parse_table),
    (genai_perf.recognises_text, genai_perf.parse_csv),
    (go_bench.recognises_text, go_bench.parse),
    (criterion.recognises_text, criterion.parse_text),
    (github_action.recognises_text, github_action.parse_script),
)
"""Text that no JSON value looks like: tables, logs and CSV, by their own lines."""

KNOWN = (
    "a JSON of harness run or bench; a result file of llama-bench, llama-benchy, sweep-bench, vLLM, SGLang, "
    "MLPerf LoadGen, InferenceX, genai-perf or aiperf; or one of hyperfine, pytest-benchmark, Google Benchmark, "
    "pyperf, go test, JMH, criterion, BenchmarkDotNet, asv or github-action-benchmark"
)
