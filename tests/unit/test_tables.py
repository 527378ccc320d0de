"""Each reader takes what its tool writes, in its units, and refuses what is damaged with place and reason."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.comparison.formats import record as own
from harness.comparison.formats.detect import parse
from harness.comparison.table import ResultTable, Row
from harness.comparison.tables import compare
from harness.comparison.thresholds import Thresholds
from harness.errors import UsageError
from harness.report import bench
from harness.results.bench import rows as bench_rows
from tests import factories

LLAMA = {
    "build_commit": "1a2b3c4",
    "build_number": 9001,
    "cpu_info": "Some CPU @ 2.1GHz",
    "gpu_info": "",
    "backends": "CPU",
    "model_filename": "/home/me/models/tiny-q8.gguf",
    "model_type": "llama 1B Q8_0",
    "model_size": 1_200_000_000,
    "model_n_params": 1_100_000_000,
    "n_batch": 2048,
    "n_threads": 2,
    "use_mmap": True,
    "tensor_split": "0.00",
    "n_prompt": 512,
    "n_gen": 0,
    "n_depth": 0,
    "test_time": "2026-11-01T10:00:00Z",
    "avg_ns": 5_000_000_000,
    "stddev_ns": 100_000_000,
    "avg_ts": 102.4,
    "stddev_ts": 2.0,
    "samples_ns": [4_900_000_000, 5_000_000_000, 5_100_000_000],
    "samples_ts": [104.49, 102.4, 100.39],
}


def llama_csv(*entries: dict[str, object]) -> str:
    names = [n for n in entries[0] if not n.startswith("samples")]

    def case(value: object) -> str:
        return f'"{int(value) if isinstance(value, bool) else value}"'

    return "\n".join([",".join(names), *(",".join(case(e[n]) for n in names) for e in entries)]) + "\n"


HYPERFINE = {
    "results": [
        {
            "command": "sleep 0.1",
            "mean": 0.102,
            "stddev": 0.001,
            "median": 0.102,
            "user": 0.0,
            "system": 0.0,
            "min": 0.101,
            "max": 0.103,
            "times": [0.101, 0.102, 0.103],
            "exit_codes": [0, 0, 0],
            "parameters": {"threads": "2"},
        }
    ]
}

PYTEST = {
    "machine_info": {
        "node": "box",
        "machine": "x86_64",
        "python_version": "3.12.1",
        "system": "Linux",
        "release": "6.1",
        "cpu": {"brand_raw": "Some CPU", "count": 2, "hz_actual": [2_100_000_000, 0]},
    },
    "commit_info": {"id": "abc", "dirty": False},
    "datetime": "2026-11-01T10:00:00+00:00",
    "version": "5.3.1",
    "benchmarks": [
        {
            "group": None,
            "name": "test_sort[10]",
            "fullname": "tests/test_x.py::test_sort[10]",
            "params": {"n": 10},
            "param": "10",
            "extra_info": {"flavour": "plain"},
            "options": {"min_rounds": 5},
            "stats": {
                "min": 0.9,
                "max": 1.1,
                "mean": 1.0,
                "median": 1.0,
                "stddev": 0.1,
                "rounds": 3,
                "iterations": 1,
                "data": [0.9, 1.0, 1.1],
            },
        }
    ],
}

GOOGLE = {
    "context": {
        "date": "2026-11-01T10:00:00+00:00",
        "host_name": "box",
        "num_cpus": 2,
        "mhz_per_cpu": 2100,
        "cpu_scaling_enabled": False,
        "caches": [],
        "load_avg": [0.1],
        "library_build_type": "release",
    },
    "benchmarks": [
        {"name": "BM_Copy/8", "run_name": "BM_Copy/8", "run_type": "iteration", "repetitions": 2, "threads": 1,
         "repetition_index": i, "iterations": 1000, "real_time": t, "cpu_time": t, "time_unit": "us"}
        for i, t in enumerate((2.0, 2.2))
    ]
    + [
        {"name": f"BM_Copy/8_{a}", "run_name": "BM_Copy/8", "run_type": "aggregate", "repetitions": 2, "threads": 1,
         "aggregate_name": a, "iterations": 2, "real_time": t, "cpu_time": t, "time_unit": "us"}
        for a, t in (("mean", 2.1), ("median", 2.1), ("stddev", 0.14), ("cv", 0.067))
    ],
}  # fmt: skip

GOOGLE_CSV = """2026-11-01T10:00:00+00:00
Running ./bench
Run on (2 X 2100 MHz CPU s)
name,iterations,real_time,cpu_time,time_unit,bytes_per_second,items_per_second,label,error_occurred,error_message
"BM_Copy/8",1000,2.0,2.0,us,,,,,
"BM_Copy/8",1000,2.2,2.2,us,,,,,
"BM_Copy/8_mean",2,2.1,2.1,us,,,,,
"BM_Copy/8_median",2,2.1,2.1,us,,,,,
"BM_Copy/8_stddev",2,0.1,0.1,us,,,,,
"BM_Bad",0,0,0,us,,,,true,"no memory"
"""


def only(table: ResultTable) -> Row:
    (row,) = table.rows
    return row


def values(row: Row) -> tuple[float, ...]:
    return tuple(s.value for s in row.samples)


def test_llama_bench_json_gives_tokens_a_second() -> None:
    row = only(parse(json.dumps([LLAMA]), "a.json"))
    assert values(row) == (104.49, 102.4, 100.39)
    assert (row.metric.unit, row.metric.better, row.sampled) == ("tok/s", "higher", "inside")


def test_llama_bench_formats_agree_on_keys() -> None:
    other = LLAMA | {"n_prompt": 0, "n_gen": 128}
    whole = parse(json.dumps([LLAMA, other], indent=1), "a.json")
    lines = parse(json.dumps(LLAMA) + "\n" + json.dumps(other) + "\n", "a.jsonl")
    flat = parse(llama_csv(LLAMA, other), "a.csv")
    assert [r.key for r in whole.rows] == [r.key for r in lines.rows] == [r.key for r in flat.rows]
    assert whole.facts == lines.facts == flat.facts


def test_one_line_of_json_lines_is_a_table() -> None:
    assert values(only(parse(json.dumps(LLAMA), "a.jsonl"))) == (104.49, 102.4, 100.39)


def test_llama_bench_csv_without_sample_count_takes_the_deviation_for_the_error() -> None:
    """Student's quantile of five samples, without the root of their number."""
    estimate = only(parse(llama_csv(LLAMA), "a.csv")).estimate(0.95)
    assert estimate is not None and estimate.high is not None
    assert estimate.high / estimate.point == pytest.approx(1 + 2.776 * 2.0 / 102.4, rel=2e-3)


def test_a_column_nobody_knows_is_a_setting() -> None:
    row = only(parse(json.dumps([LLAMA | {"warp_mode": "fast"}]), "a.json"))
    assert ("warp_mode", "fast") in {(s.name, s.value) for s in row.key}


def test_a_failed_llama_test_is_a_row_with_its_reason() -> None:
    row = only(parse(json.dumps([LLAMA | {"avg_ts": None, "samples_ts": []}]), "a.json"))
    assert row.problem is not None and not row.samples


def test_hyperfine_runs_are_processes() -> None:
    row = only(parse(json.dumps(HYPERFINE), "h.json"))
    assert values(row) == (0.101, 0.102, 0.103)
    assert (row.metric.unit, row.metric.better, row.sampled) == ("s", "lower", "process")
    assert {s.name: s.value for s in row.key} == {"command": "sleep 0.1", "parameter threads": "2"}


def test_a_failing_command_has_no_value() -> None:
    result = HYPERFINE["results"][0] | {"exit_codes": [0, 1, 0]}
    row = only(parse(json.dumps({"results": [result]}), "h.json"))
    assert row.problem == "1 of 3 runs failed" and row.estimate() is None


def test_pytest_benchmark_with_and_without_data() -> None:
    row = only(parse(json.dumps(PYTEST), "p.json"))
    assert values(row) == (0.9, 1.0, 1.1) and row.metric.unit == "s"
    bare = json.loads(json.dumps(PYTEST))
    del bare["benchmarks"][0]["stats"]["data"]
    summary = only(parse(json.dumps(bare), "p.json")).summary
    assert summary is not None and (summary.point, summary.deviation, summary.n) == (1.0, 0.1, 3)


def test_tokens_turn_a_pytest_benchmark_into_a_rate() -> None:
    rated = json.loads(json.dumps(PYTEST))
    rated["benchmarks"][0]["extra_info"] = {"harness_tokens": 10, "harness_input_seed": 3}
    row = only(parse(json.dumps(rated), "p.json"))
    assert row.metric.better == "higher"
    assert values(row) == pytest.approx((10 / 0.9, 10.0, 10 / 1.1))
    assert [(s.name, s.value) for s in row.inputs] == [("seed", "3")]


def test_google_benchmark_uses_repetitions_not_their_averages() -> None:
    row = only(parse(json.dumps(GOOGLE), "g.json"))
    assert values(row) == pytest.approx((2.0e-6, 2.2e-6))


def test_google_benchmark_with_aggregates_only() -> None:
    aggregates = GOOGLE | {"benchmarks": [b for b in GOOGLE["benchmarks"] if b["run_type"] == "aggregate"]}  # type: ignore[index]
    summary = only(parse(json.dumps(aggregates), "g.json")).summary
    assert summary is not None and (summary.point, summary.deviation, summary.n) == pytest.approx((2.1e-6, 0.14e-6, 2))


def test_google_benchmark_csv_with_a_preamble_and_an_error() -> None:
    good, bad = parse(GOOGLE_CSV, "g.csv").rows
    assert values(good) == pytest.approx((2.0e-6, 2.2e-6))
    assert bad.problem == "failed: no memory"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty"),
        ("hello", "no known tool"),
        ("{", "not JSON"),
        ('{"a": 1}', "no known tool"),
        ('{"results": [{"command": "x", "mean": NaN}]}', "finite"),
        ('{"results": [{"command": "x", "mean": "fast"}]}', r"results\.0\.mean"),
        ('{"results": [{"command": "x", "command": "y", "mean": 1}]}', "stands twice"),
        ("[" * 100_000, "deep|JSON"),
        ("n_prompt,n_gen,avg_ts\n1,2\n", "2 cells, expected 3"),
        ("n_prompt,n_gen,avg_ts\n1,2,quick\n", "expected a number"),
        ("n_prompt,n_gen,avg_ts,avg_ts\n1,2,3,4\n", "same name"),
        ('[{"n_prompt": 1, "n_gen": 0, "avg_ts": "x"}]', "avg_ts"),
        ('{"schema": 1, "measurements": 3, "verdicts": []}', "x.json"),
    ],
)
def test_damage_is_named(text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        parse(text, "x.json")


@pytest.mark.parametrize(
    "text",
    [json.dumps([LLAMA]), json.dumps(HYPERFINE), json.dumps(PYTEST), json.dumps(GOOGLE), GOOGLE_CSV, llama_csv(LLAMA)],
)
def test_a_file_cut_anywhere_is_read_or_refused(text: str) -> None:
    for end in range(0, len(text), 7):
        with contextlib.suppress(UsageError):
            parse(text[:end], "cut")


WHOLE = [
    json.dumps([LLAMA]),
    json.dumps(HYPERFINE),
    json.dumps(PYTEST),
    json.dumps(GOOGLE),
    GOOGLE_CSV,
    llama_csv(LLAMA),
]
junk = st.sampled_from(
    [
        "null",
        "-1",
        "0",
        "1e999",
        "[]",
        "{}",
        '"x"',
        "true",
        "9" * 5000,
        '"\\u0000"',
        "NaN",
        "1e-320",
        '"\\ud800"',
        ",",
        "",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 10_000), st.integers(0, 40), junk)
def test_damage_anywhere_is_read_or_refused(text: str, place: int, length: int, junk: str) -> None:
    """Whatever stands in a file: a table, or one message; what is read can be compared with itself."""
    start = place % len(text)
    try:
        table = parse(text[:start] + junk + text[start + length :], "damaged")
    except UsageError:
        return
    for row in table.rows:
        estimate = row.estimate(0.99)
        assert (estimate is None) == (row.problem is not None and not row.samples and row.summary is None)
    if table.rows:
        assert compare(table, table, Thresholds()).rows


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WHOLE[:4]), st.data())
def test_any_value_may_be_of_the_wrong_kind(text: str, data: st.DataObject) -> None:
    """Every value of a JSON file in turn replaced by another kind of value."""
    document = json.loads(text)
    node, key = document, data.draw(st.sampled_from(list(document) if isinstance(document, dict) else [0]))
    while isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
        node = node[key]
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
    node[key] = data.draw(
        st.sampled_from([None, -1, 0, 1e308, 5e-324, "", "x", [], {}, True, [1], {"a": None}, [None]])
    )
    try:
        table = parse(json.dumps(document), "odd")
    except UsageError:
        return
    if table.rows:
        compare(table, table, Thresholds())


def test_rows_of_bench_compare_with_the_run_that_they_are_of() -> None:
    """One run, read as a record and as the rows that `harness bench` prints: same keys, same rates."""
    made = factories.record(batches=(1, 4))
    variants = {(a.model, a.precision, a.threads) for a in made.variants}
    known = tuple(m for m in made.measurements if (m.model, m.precision, m.threads) in variants)
    record = made.model_copy(update={"measurements": known})
    lines = "".join(bench.json_line(r) for r in bench_rows(record))
    from_lines, from_record = parse(lines, "bench.jsonl"), own.table(record, "run")
    whole = parse(json.dumps([json.loads(line) for line in lines.splitlines()]), "bench.json")
    assert [r.key for r in whole.rows] == [r.key for r in from_lines.rows] == [r.key for r in from_record.rows]
    for ours, theirs in zip(from_lines.rows, from_record.rows, strict=True):
        if ours.problem is None:
            assert values(ours) == pytest.approx(values(theirs))
    assert not any(r.decision in ("faster", "slower") for r in compare(from_lines, from_record, Thresholds()).rows)


def test_a_list_that_nobody_knows_is_samples_or_a_setting() -> None:
    row = only(parse(json.dumps([LLAMA | {"samples_w": [1, 2, 3], "devices": ["a", "b"], "more": {"x": 1}}]), "a.json"))
    named = {s.name: s.value for s in row.key}
    assert named["devices"] == '["a", "b"]' and named["more"] == '{"x": 1}' and "samples_w" not in named
