"""Other tools' files in tests/golden/formats (its README says which are real): what each says, in SI units and with its
direction; nothing in them can crash a reader, and no serving session is ever called the same as another."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.comparison.formats import readers
from harness.comparison.formats.detect import parse
from harness.comparison.table import ResultTable, Row
from harness.comparison.tables import compare
from harness.comparison.thresholds import Thresholds
from harness.errors import UsageError
from tests.watch import Watch

FILES = Path(__file__).parent.parent / "golden" / "formats"
NAMES = sorted(path.name for path in FILES.iterdir() if path.name != "README.md")
TEXTS = {name: (FILES / name).read_text(encoding="utf-8") for name in NAMES}


def read(name: str) -> ResultTable:
    return parse(TEXTS[name], name)


def row(table: ResultTable, metric: str, **settings: str) -> Row:
    """The one row of a metric whose key holds these settings (`_` for a blank)."""
    wanted = {(n.replace("__", " "), v) for n, v in settings.items()}
    (found,) = [r for r in table.rows if r.metric.name == metric and wanted <= {(s.name, s.value) for s in r.key}]
    return found


# File, tool, rows, a metric, settings that pick its row, value (worked out from the file by hand), unit, direction.
EXPECTED: tuple[tuple[Any, ...], ...] = (
    ("aiperf.csv", "genai-perf", 51, "p99 time to first token", {}, 0.05953, "s", "lower"),
    ("aiperf.csv", "genai-perf", 51, "output token throughput", {}, 287.44, "tok/s", "higher"),
    ("asv_1.json", "asv", 12, "memory", {"benchmark": "time_units.mem_unit"}, 728.0, "B", "lower"),
    ("asv_2.json", "asv", 6, "time", {"parameter__1": "'float'"}, 0.002, "s", "lower"),
    ("batched_bench.txt", "batched-bench", 6, "rate", {"B": "2", "phase": "decode"}, 18.0, "tok/s", "higher"),
    ("benchmark_dotnet.json", "benchmarkdotnet", 1, "time", {}, 24.4194985e-9, "s", "lower"),
    ("cargo_bench.txt", "criterion", 2, "time", {"benchmark": "bench_fib_20"}, 18149e-9, "s", "lower"),
    ("cargo_criterion.jsonl", "criterion", 1, "time", {"benchmark": "fib 20"}, 26e-6, "s", "lower"),
    ("critcmp.json", "criterion", 1, "time", {"benchmark": "fib 20"}, 26.24e-6, "s", "lower"),
    ("criterion_bencher.txt", "criterion", 4, "time", {"benchmark": "Fibonacci (Execution)"}, 1672496e-9, "s", "lower"),
    ("criterion_estimates.json", "criterion", 1, "time", {}, 26.24e-6, "s", "lower"),
    ("criterion_printed.txt", "criterion", 2, "time", {"benchmark": "fib 20"}, 26.251e-6, "s", "lower"),
    ("genai_perf.csv", "genai-perf", 20, "avg time to first token", {}, 1.05004, "s", "lower"),
    ("genai_perf.csv", "genai-perf", 20, "request throughput", {}, 0.27, "req/s", "higher"),
    (
        *("genai_perf_analyze.csv", "genai-perf", 15, "p99 request latency", {"Config__Name": "gpt2_run_config_0"}),
        *(0.8792, "s", "lower"),
    ),
    ("github_customSmallerIsBetter.json", "github-action-benchmark", 2, "value", {}, None, "Percent", "lower"),
    ("github_data.js", "github-action-benchmark", 2, "value", {"suite": "Python"}, 12.5, "items/s", "higher"),
    ("github_data.js", "github-action-benchmark", 2, "value", {"suite": "Go"}, 350e-9, "s", "lower"),
    ("go_bench.txt", "go test -bench", 2, "time", {"benchmark": "Encode/format=json"}, 1422.5e-9, "s", "lower"),
    ("go_bench_events.jsonl", "go test -bench", 1, "time", {"gomaxprocs": "48"}, 1416e-9, "s", "lower"),
    ("inferencex.json", "inferencex", 9, "p99 TTFT", {}, 16.56180969102308, "s", "lower"),
    ("inferencex_aggregate.json", "inferencex", 10, "mean interactivity", {}, 8.0, "tok/s", "higher"),
    (
        "inferencex_aggregate.json",
        "inferencex",
        10,
        "total throughput per GPU",
        {"hw": "h200"},
        966.0,
        "tok/s",
        "higher",
    ),
    ("jmh.json", "jmh", 1, "throughput", {"mode": "thrpt"}, 3.37651988895058e9, "ops/s", "higher"),
    ("llama_bench.log", "llama-bench", 2, "rate", {"n_gen": "32", "n_depth": "32768"}, 4.12, "tok/s", "higher"),
    ("llama_bench.md", "llama-bench", 4, "rate", {"n_gen": "128", "flash_attn": "1"}, 128.98, "tok/s", "higher"),
    ("llama_bench.sql", "llama-bench", 2, "rate", {"n_prompt": "512"}, 2407.240204, "tok/s", "higher"),
    ("llama_benchy.json", "llama-benchy", 18, "TTFT", {"concurrency": "1"}, 2.0760429790243506, "s", "lower"),
    ("mlperf_detail.txt", "mlperf loadgen", 6, "p99 TTFT", {}, 1.933363087, "s", "lower"),
    ("mlperf_offline.txt", "mlperf loadgen", 6, "tokens", {"scenario": "Offline"}, 3600.25, "tok/s", "higher"),
    ("mlperf_summary.txt", "mlperf loadgen", 30, "completed tokens", {}, 47561.71, "tok/s", "higher"),
    ("mlperf_summary.txt", "mlperf loadgen", 30, "p99.9 TPOT", {"scenario": "Server"}, 0.225604899, "s", "lower"),
    ("pyperf.json", "pyperf", 2, "time", {"benchmark": "[1]*1000"}, 2.1093048171068793e-06, "s", "lower"),
    (
        "sglang.jsonl",
        "sglang bench_serving",
        32,
        "output throughput",
        {"max_concurrency": "8"},
        256.0,
        "tok/s",
        "higher",
    ),
    ("sglang_console.txt", "sglang bench_serving", 18, "p95 ITL", {"backend": "sglang"}, 0.01517, "s", "lower"),
    ("sweep_bench.jsonl", "sweep-bench", 4, "rate", {"n_prompt": "512", "n_depth": "512"}, 80.0, "tok/s", "higher"),
    ("sweep_bench.txt", "sweep-bench", 4, "rate", {"n_gen": "128", "n_depth": "0"}, 10.0, "tok/s", "higher"),
    ("vllm_console.txt", "vllm bench", 12, "p99 ITL", {}, 0.09422, "s", "lower"),
    ("vllm_latency.json", "vllm bench", 7, "latency", {}, 474.87329929, "s", "lower"),
    ("vllm_serve.json", "vllm bench", 12, "p99 TTFT", {}, 9.912536467760054, "s", "lower"),
    ("vllm_serve.json", "vllm bench", 12, "total throughput", {}, 3336.581187066595, "tok/s", "higher"),
    ("vllm_throughput.json", "vllm bench", 2, "total throughput", {}, 1297.4433362063426, "tok/s", "higher"),
)


@pytest.mark.parametrize(("name", "tool", "count", "metric", "settings", "value", "unit", "better"), EXPECTED)
def test_a_file_says_what_its_tool_wrote(
    name: str, tool: str, count: int, metric: str, settings: dict[str, str], value: float | None, unit: str, better: str
) -> None:
    table = read(name)
    assert (table.tool, len(table.rows)) == (tool, count)
    if value is None:
        assert {(r.metric.unit, r.metric.better) for r in table.rows} >= {(unit, better)}
        return
    found = row(table, metric, **settings)
    estimate = found.estimate()
    assert found.problem is None and estimate is not None
    assert estimate.point == pytest.approx(value)
    assert (found.metric.unit, found.metric.better) == (unit, better)


def test_every_file_is_expected_to_say_something() -> None:
    assert {name for name, *_ in EXPECTED} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_file_compares_with_itself_and_loses_no_row(name: str) -> None:
    table = read(name)
    compared = compare(table, table, Thresholds())
    assert len(compared.rows) == len(table.rows) and not compared.lone
    for found in compared.rows:
        assert found.ratio is None or found.ratio.point == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_key_alone_tells_rows_apart(name: str) -> None:
    """So that a row is legible, and exported, by its key."""
    keys = [r.key for r in read(name).rows]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", NAMES)
def test_marks_of_other_systems_change_nothing(name: str) -> None:
    assert parse("\ufeff" + TEXTS[name].replace("\n", "\r\n"), name) == read(name)


@pytest.mark.parametrize("name", NAMES)
def test_times_are_better_lower_and_rates_higher(name: str) -> None:
    for found in read(name).rows:
        if found.problem is None and (found.metric.unit.endswith("/s") or found.metric.unit in ("s", "B")):
            assert found.metric.better == ("higher" if found.metric.unit.endswith("/s") else "lower"), found.metric


SERVING = [n for n in NAMES if n.startswith(("aiperf", "genai", "inferencex", "mlperf", "sglang", "vllm"))]


@pytest.mark.parametrize("name", SERVING)
def test_one_run_against_a_server_is_one_session(name: str) -> None:
    """However many requests: each figure has one sample, and identical ones are never called the same."""
    steady = Thresholds(drift=0.0001, drift_known=True)
    table = read(name)
    assert all(len(r.samples) == 1 for r in table.rows if r.metric.name != "latency")
    assert all(r.decision != "same" for r in compare(table, table, steady).rows if r.metric != "latency")


def test_an_invalid_or_accuracy_run_of_mlperf_has_no_values() -> None:
    invalid = TEXTS["mlperf_summary.txt"].replace("Result is : VALID", "Result is : INVALID")
    invalid = invalid.replace("Early stopping satisfied: Yes", "Early stopping satisfied: NO")
    accuracy = TEXTS["mlperf_offline.txt"].replace("PerformanceOnly", "AccuracyOnly")
    unsaid = "\n".join(line for line in TEXTS["mlperf_offline.txt"].split("\n") if not line.startswith("Result is"))
    detail = TEXTS["mlperf_detail.txt"].replace('"VALID"', '"INVALID"')
    for text, reason in (
        (invalid, "INVALID: not early stopping satisfied"),
        (accuracy, "a run of mode AccuracyOnly, not of performance"),
        (unsaid, "the log does not say whether the run is VALID"),
        (detail, "INVALID: no reason given"),
    ):
        rows = parse(text, "x").rows
        assert {r.problem for r in rows} == {reason} and all(r.estimate() is None for r in rows)


def test_a_detail_log_without_results_is_named() -> None:
    head = "\n".join(TEXTS["mlperf_detail.txt"].split("\n")[:3])
    with pytest.raises(UsageError, match="ends before its results"):
        parse(head, "x")


def test_a_session_without_completed_requests_has_no_values() -> None:
    failed = json.loads(TEXTS["vllm_serve.json"]) | {"completed": 0}
    assert {r.problem for r in parse(json.dumps(failed), "x").rows} == {"failed: no request was completed"}


def test_a_new_option_of_a_server_keeps_sessions_apart() -> None:
    other = json.loads(TEXTS["vllm_serve.json"]) | {"an_option_of_next_year": True}
    found = compare(read("vllm_serve.json"), parse(json.dumps(other), "b"), Thresholds()).rows
    assert {r.decision for r in found} == {"not comparable"}
    assert "only one side states an_option_of_next_year = true" in found[0].reason


def test_other_prompts_are_another_input() -> None:
    other = json.loads(TEXTS["vllm_serve.json"]) | {"total_input_tokens": 999}
    found = compare(read("vllm_serve.json"), parse(json.dumps(other), "b"), Thresholds()).rows
    assert {r.decision for r in found} == {"not comparable"}


def test_the_console_block_says_what_the_json_of_the_same_tool_says() -> None:
    units = {r.metric for r in read("sglang.jsonl").rows}
    assert {m for m in (r.metric for r in read("sglang_console.txt").rows) if m in units}
    assert read("vllm_console.txt").tool == read("vllm_serve.json").tool


def test_formats_of_one_tool_have_the_same_rows() -> None:
    for one, other in (("sweep_bench.txt", "sweep_bench.jsonl"),):
        a, b = read(one), read(other)
        assert [(r.key, r.metric) for r in a.rows] == [(r.key, r.metric) for r in b.rows]
        assert [r.estimate() for r in a.rows] == [r.estimate() for r in b.rows]


def test_sql_with_other_values_than_columns_is_refused() -> None:
    short = TEXTS["llama_bench.sql"].replace("'0.537692')", "'0.537692', '1', '2')")
    with pytest.raises(UsageError, match=r"row 2\): 29 values for 27 columns"):
        parse(short, "x")


def test_forks_of_jmh_are_processes_and_a_unit_of_time_is_better_lower() -> None:
    (entry,) = json.loads(TEXTS["jmh.json"])
    entry |= {"mode": "avgt", "forks": 2}
    entry["primaryMetric"] |= {"scoreUnit": "us/op", "rawData": [[1.0, 3.0], [4.0, 6.0]], "score": 3.5}
    (found,) = parse(json.dumps([entry]), "x").rows
    assert found.sampled == "process" and [s.value for s in found.samples] == pytest.approx([2e-6, 5e-6])
    assert (found.metric.unit, found.metric.better) == ("s", "lower")


def test_sampled_times_of_jmh_keep_their_percentiles() -> None:
    (entry,) = json.loads(TEXTS["jmh.json"])
    entry["mode"] = "sample"
    entry["primaryMetric"] |= {"scoreUnit": "ms/op", "rawData": [], "rawDataHistogram": [[[[1.0, 3], [5.0, 1]]]]}
    entry["primaryMetric"]["scorePercentiles"] = {"50.0": 1.0, "99.0": 5.0, "100.0": 9.0}
    rows = {r.metric.name: [s.value for s in r.samples] for r in parse(json.dumps([entry]), "x").rows}
    assert rows == {"sampled time": [0.002], "p50 sampled time": [0.001], "p99 sampled time": [0.005]}


def test_go_units_have_directions_and_an_unknown_one_has_none() -> None:
    text = "Unit widgets better=higher\nBenchmarkX-8 10 5 ns/op 2 MB/s 3 widgets 7 things 0 allocs/op\n"
    rows = {r.metric.name: r for r in parse(text, "x").rows}
    assert (rows["throughput"].metric.better, rows["throughput"].samples[0].value) == ("higher", 2e6)
    assert rows["widgets"].metric.better == "higher" and rows["widgets"].problem is None
    assert rows["things"].problem == "the file does not say which values are better"
    assert rows["allocations"].problem == "a value that is zero or negative: no ratio can be formed from it"


def test_a_custom_value_without_a_direction_is_kept_and_not_compared() -> None:
    text = json.dumps([{"name": "load", "unit": "Percent", "value": 50}, {"name": "t", "unit": "ms", "value": 2}])
    load, time = parse(text, "output.json").rows
    assert load.problem == "the file does not say which values are better"
    assert (time.metric.better, time.samples[0].value) == ("lower", 0.002)


def test_a_failed_benchmark_of_asv_keeps_its_reason_and_a_skipped_case_is_none() -> None:
    rows = {r.key[0].value: r for r in read("asv_2.json").rows}
    assert rows["bench.time_fails"].problem == "failed: no result"
    assert len([r for r in read("asv_2.json").rows if r.key[0].value == "bench.Suite.time_sort"]) == 2
    assert len(rows["bench.time_samples"].samples) == 3


def test_shapes_of_other_versions_are_read() -> None:
    bare = TEXTS["llama_bench.md"].replace("\n| ", "\n").replace(" |\n", "\n").replace("±", "┬▒").lstrip("| ")
    assert [r.estimate() for r in parse(bare, "x").rows] == [r.estimate() for r in read("llama_bench.md").rows]
    old = json.loads(TEXTS["criterion_estimates.json"])
    old = {"Mean": old["mean"], "Median": old["median"], "Slope": old["slope"], "StdDev": old["std_dev"]}
    assert parse(json.dumps(old), "a/b/new/estimates.json").rows[0].key[0].value == "b"
    batch: dict[str, Any] = {"run_name": "x", "batch_size": 1, "prefill_latency": 0.5, "prefill_throughput": 2048.0}
    batch |= {"median_decode_latency": 0.01, "median_decode_throughput": 100.0, "overall_throughput": 500.0}
    found = {r.metric.name: r.metric.better for r in parse(json.dumps(batch), "x").rows}
    assert found["prefill latency"] == "lower" and found["median decode throughput"] == "higher" and len(found) == 5
    pooling = {"request_throughput": 5.0, "total_token_throughput": 9.0, "mean_e2el_ms": 20.0, "completed": 3}
    assert len(parse(json.dumps(pooling), "x").rows) == 3
    profile: dict[str, Any] = {
        "request_throughput": {"unit": "requests/sec", "avg": 2.0},
        "time_to_first_token": {"unit": "ms"},
    }
    profile["time_to_first_token"] |= {"avg": 50.0, "p99": 60.0, "std": 1.0}
    profile["input_config"] = {"endpoint": {"model_names": ["m"]}, "loadgen": {"concurrency": 8}}
    assert {("model", "m"), ("concurrency", "8")} < {
        (s.name, s.value) for s in parse(json.dumps(profile), "x").rows[0].key
    }
    values = {r.metric.name: r.samples[0].value for r in parse(json.dumps(profile), "x").rows}
    assert values == {"request throughput": 2.0, "avg time to first token": 0.05, "p99 time to first token": 0.06}


def test_old_statistics_of_asv_and_a_benchmark_that_failed_whole() -> None:
    entry = {"params": [["1", "2"]], "result": [1.0, 2.0], "stats": [{"q_25": 0.9, "q_75": 1.1, "repeat": 5}, None]}
    file = json.loads(TEXTS["asv_1.json"]) | {"results": {"a.time_x": entry, "a.time_y": {**entry, "result": None}}}
    one, two, *failed = parse(json.dumps(file), "x").rows
    assert one.summary is not None and one.summary.n == 5 and one.summary.deviation == pytest.approx(0.2 / 1.349)
    assert len(two.samples) == 1 and [r.problem for r in failed] == ["failed: no result"] * 2


UNUSABLE = (
    ("| Command | Mean [ms] | Min [ms] |\n|:---|---:|---:|\n| `a` | 1 | 1 |\n", "--export-json FILE"),
    ("Benchmark   Mode  Cnt  Score   Error  Units\nX.y  thrpt  5  1.0 ± 0.1  ops/s\n", "-rf json -rff FILE"),
    ("Benchmark        Time       CPU   Iterations\nBM_x   1 ns   1 ns  1000\n", "--benchmark_out_format=json"),
    ("| Method | Mean | Error |\n|--- |---:|---:|\n| Fib | 1.0 ns | 0.1 ns |\n", "--exporters json"),
    ("fib: Mean +- std dev: 1.00 us +- 0.10 us\n", "-o FILE"),
    ("      NVIDIA AIPerf | LLM Metrics\n", "profile_export_aiperf.csv"),
    ("| model | test | t/s | peak t/s | ttfr (ms) |\n", "llama-benchy"),
    ('[{"benchmark": {}, "metric": {}, "model": {}}]', r"without \.pytorch"),
    ('{"arch": "x86_64", "cpu": "c", "machine": "m", "version": 1}', "asv's description of a machine"),
    ('{"sampling_mode": "Linear", "iters": [1.0], "times": [2.0]}', "estimates.json"),
    ('[{"seq_id": 1, "qsl_idx": 2, "data": "00"}]', "mlperf_log_summary.txt"),
    ('{"metadata": {}, "metrics": {}, "error": null}\n{"metadata": {}, "metrics": {}, "error": null}\n', "aiperf"),
)


@pytest.mark.parametrize(("text", "advice"), UNUSABLE)
def test_a_known_shape_that_cannot_be_used_is_told_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        parse(text, "x")


@pytest.mark.parametrize(
    "before", ["[INFO] loading\n", "[2026-01-01 10:00:00] start\n", "{not json}\n", "[1/4] build\n"]
)
def test_a_log_may_start_with_a_bracket(before: str) -> None:
    for name in ("llama_bench.log", "vllm_console.txt", "go_bench.txt", "sweep_bench.txt", "cargo_bench.txt"):
        assert parse(before + TEXTS[name], name) == read(name)


def test_no_shape_is_taken_by_two_readers() -> None:
    """What one reader takes, no other of its table does: order settles nothing."""
    for text in TEXTS.values():
        takers = [read.__module__ for recognises, read in readers.TEXT if recognises(text)]
        assert len(takers) <= 1, takers
        try:
            data = json.loads(text)
        except ValueError:
            continue
        assert len([read for recognises, read in readers.JSON if recognises(data)]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_anywhere_is_read_or_refused(name: str) -> None:
    text = TEXTS[name]
    for end in range(0, len(text), max(1, len(text) // 60)):
        _read_or_refuse(text[:end], name)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 10_000), st.integers(0, 40), st.text(max_size=12))
def test_damage_anywhere_is_read_or_refused(name: str, place: int, length: int, junk: str) -> None:
    text = TEXTS[name]
    place %= len(text)
    _read_or_refuse(text[:place] + junk + text[place + length :], name)


WRONG = ["null", "true", "-1", "0", "1e400", "NaN", '"x"', "[]", "{}", "[[]]", "[null]", "9" * 400, "9" * 5000]
VALUE = re.compile(r'(?<=[:\[,] )(?:-?\d[\d.eE+-]*|"[^"\\]*"|null|true|false|\[\]|\{\})')


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([n for n in NAMES if n.endswith((".json", ".jsonl", ".js", "detail.txt"))]), st.data())
def test_any_value_may_be_of_the_wrong_kind(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    places = [found.span() for found in VALUE.finditer(text)]
    start, end = data.draw(st.sampled_from(places))
    _read_or_refuse(text[:start] + data.draw(st.sampled_from(WRONG)) + text[end:], name)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([n for n in NAMES if not n.endswith(".json")]), st.data())
def test_any_number_of_a_text_may_be_another(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    places = [found.span() for found in re.finditer(r"\d+(?:\.\d+)?", text)]
    start, end = data.draw(st.sampled_from(places))
    wrong = st.sampled_from(["", "0", "-1", "nan", "inf", "1e999", "x", "1,2", "9" * 50, "١", "|", ","])
    _read_or_refuse(text[:start] + data.draw(wrong) + text[end:], name)


def _read_or_refuse(text: str, name: str) -> None:
    try:
        table = parse(text, name)
    except UsageError:
        return
    for found in table.rows:
        estimate = found.estimate() if found.problem is None else None
        assert estimate is None or estimate.point > 0


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "|",
            "| ",
            "|-",
            " ",
            "\t",
            "a",
            "a ",
            "test ",
            "test a  ",
            "Benchmark",
            "BenchmarkX 1 ",
            "=",
            "'",
            "(",
            "Metric,",
        ),
        *("a: ", "- ", "time: [", "| model |", "PP|TG|", "INSERT INTO test (a) VALUES (", ":::MLLOG {", "1 ns ", "│ "),
    ],
)
def test_a_long_line_of_anything_takes_no_long_time(piece: str) -> None:
    text = "x\n" + piece * (400_000 // len(piece))
    with Watch() as watch:
        for whole in (text, text.replace(piece, piece + "\n", 20_000), f"MLPerf Results Summary\n{text}"):
            _read_or_refuse(whole, "x")
    assert watch.duration_s < 5
