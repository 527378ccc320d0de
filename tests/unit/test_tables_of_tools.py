"""Files that the tools themselves wrote, in tests/golden/tables. Which version wrote which:

hyperfine.*: hyperfine 1.15.0 (`-N -r 3 -L t 1,2 -L n 1,2 'sleep 0.0{t}{n}'`). google_benchmark.*: Google Benchmark
1.7.1, three repetitions of two sizes with counters and a fit, one with a label and a statistic of its own, one that
fails, one with two threads; and the same with averages only. llama_bench.*: the llama-bench of llama.cpp 0c1e570
(`-p 16 -n 8 -pg 8,4 -d 16 -r 3 -t 1`). pytest_benchmark_N.*: pytest-benchmark 3.2.3, 4.0.0 (--benchmark-save, which
keeps no rounds) and 5.3.1. Host names were replaced.
"""

from pathlib import Path

import pytest

from harness.comparison.formats.detect import parse
from harness.comparison.table import ResultTable, Row
from harness.comparison.tables import compare
from harness.comparison.thresholds import Thresholds
from harness.errors import UsageError

FILES = Path(__file__).parent.parent / "golden" / "tables"
NAMES = sorted(path.name for path in FILES.iterdir())


def text(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def read(name: str) -> ResultTable:
    return parse(text(name), name)


def by(table: ResultTable, setting: str) -> dict[str, Row]:
    return {next(s.value for s in row.key if s.name == setting): row for row in table.rows}


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_read_and_compares_with_itself(name: str) -> None:
    table = read(name)
    rows = compare(table, table, Thresholds()).rows
    assert len(rows) == len(table.rows) > 0
    for row in rows:
        if row.ratio is None:
            assert "failed" in row.reason
        else:
            assert row.ratio.point == 1 and row.decision == "undecided" and row.a_basis is not None


@pytest.mark.parametrize("name", NAMES)
def test_marks_of_other_systems_change_nothing(name: str) -> None:
    """A byte order mark, and lines that end as on Windows."""
    plain = read(name)
    other = parse("\ufeff" + text(name).replace("\n", "\r\n"), name)
    assert other == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hyperfine.json", "hyperfine.csv"),
        ("google_benchmark.json", "google_benchmark.csv"),
        ("google_benchmark.json", "google_benchmark_aggregates.json"),
        ("google_benchmark.json", "google_benchmark_aggregates.csv"),
        ("llama_bench.json", "llama_bench.csv"),
        ("llama_bench.json", "llama_bench.jsonl"),
        ("pytest_benchmark_5.json", "pytest_benchmark_4_saved.json"),
        ("pytest_benchmark_3.json", "pytest_benchmark_5.json"),
    ],
)
def test_formats_and_versions_of_one_tool_have_the_same_rows(one: str, other: str) -> None:
    a, b = read(one), read(other)
    assert [r.key for r in a.rows] == [r.key for r in b.rows]
    compared = compare(a, b, Thresholds())
    assert not compared.lone
    assert all(r.ratio is not None or "failed" in r.reason for r in compared.rows)


def test_hyperfine_csv_keeps_parameters_and_says_what_it_lacks() -> None:
    table = read("hyperfine.csv")
    assert [s.name for s in table.rows[0].key] == ["command", "parameter n", "parameter t"]
    basis = table.rows[0].basis
    assert basis is not None and basis.words == "median of an unstated number of processes, deviation only"
    assert any("--export-json" in note for note in table.notes)


def test_google_benchmark_rows_are_its_benchmarks_whatever_their_names() -> None:
    """No row for a fit, an average or a statistic of the user's; one for a benchmark that is called BM_mean."""
    names = {"BM_Sum/64", "BM_Sum/4096", "BM_mean", "BM_Fail", "BM_Thr/real_time/threads:2"}
    for name in NAMES:
        if name.startswith("google"):
            rows = by(read(name), "benchmark")
            assert set(rows) == names
            assert rows["BM_Fail"].problem == "failed: no memory"
    repeated = by(read("google_benchmark.json"), "benchmark")
    assert [len(row.samples) for name, row in repeated.items() if name != "BM_Fail"] == [3, 3, 3, 3]
    assert repeated["BM_mean"].samples[0].value == pytest.approx(2e-8, rel=0.5)  # stated in ms
    assert [(s.name, s.value) for s in repeated["BM_Sum/64"].outcomes] == [("depth", "3"), ("zero", "0")]


def test_a_counter_that_changed_is_shown() -> None:
    other = parse(text("google_benchmark.json").replace('"depth": 3.0', '"depth": 4.0'), "b")
    found = compare(read("google_benchmark.json"), other, Thresholds()).differences
    assert [d.name for d in found] == ["depth"]


def test_a_median_without_samples_is_less_sure_than_a_mean() -> None:
    """Of normal samples a median's error is 1.25 times a mean's."""
    row = by(read("google_benchmark_aggregates.json"), "benchmark")["BM_Sum/64"]
    assert row.summary is not None and row.summary.centre == "median"
    mean = row.model_copy(update={"summary": row.summary.model_copy(update={"centre": "mean"})})
    wide, narrow = row.estimate(), mean.estimate()
    assert wide is not None and narrow is not None and wide.high is not None and narrow.high is not None
    assert (wide.high / wide.point - 1) / (narrow.high / narrow.point - 1) == pytest.approx(1.2533, rel=0.01)


def test_where_one_file_keeps_a_mean_only_means_are_compared() -> None:
    """llama-bench's CSV has the mean; the median of the same samples would differ from it."""
    (row, *_) = compare(read("llama_bench.json"), read("llama_bench.csv"), Thresholds()).rows
    assert row.a_basis is not None and row.a_basis.words == "mean of 3 repetitions, deviation only"
    samples = [s.value for s in read("llama_bench.json").rows[0].samples]
    assert row.a is not None and row.a.point == pytest.approx(sum(samples) / 3)


def test_two_benchmarks_of_one_name_are_not_taken_for_repetitions() -> None:
    doubled = text("google_benchmark.json").replace("BM_Sum/4096", "BM_Sum/64")
    table = parse(doubled, "x")
    once = table.model_copy(update={"rows": table.rows[:1]})
    (row,) = [r for r in compare(once, table, Thresholds()).rows if r.key[0].value == "BM_Sum/64"]
    assert row.decision == "not comparable" and "nothing tells them apart" in row.reason


def test_a_commit_with_changes_and_no_repository() -> None:
    facts = {f.name: f.value for f in read("pytest_benchmark_3.json").facts}
    assert facts["cpu"] == "AMD EPYC" and "commit" not in facts and "branch" not in facts
    dirty = (
        text("pytest_benchmark_3.json").replace('"unversioned"', '"abc123"').replace('"dirty": false', '"dirty": true')
    )
    assert {f.name: f.value for f in parse(dirty, "x").facts}["commit"] == "abc123 with changes"


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith(".csv")])
def test_a_cut_line_is_refused(name: str) -> None:
    """Unless it is cut inside its last case, no reader can know."""
    whole = text(name).rstrip("\n")
    with pytest.raises(UsageError):
        parse(whole[: whole.rindex(",")], name)
