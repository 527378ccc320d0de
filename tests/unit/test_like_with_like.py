"""What is taken for like what is like: public files that were read wrongly once, and the kinds that they stand for."""

import json
from pathlib import Path

import pytest

from harness.api.compare import Choices, compare, history
from harness.comparison import gate
from harness.comparison.formats.detect import parse
from harness.comparison.history import gather
from harness.comparison.table import ResultTable, is_revision, stated_time
from harness.comparison.tables import Comparison
from harness.errors import UsageError
from tests.docs.pages import ROOT

ALIKE = ROOT / "tests" / "golden" / "alike"


def path(name: str) -> str:
    return str(ALIKE / name)


def read(name: str) -> ResultTable:
    return parse((ALIKE / name).read_text(encoding="utf-8"), name)


def llama(**changed: object) -> dict[str, object]:
    base: dict[str, object] = {"build_commit": "a1", "cpu_info": "C", "backends": "CPU", "n_prompt": 512, "n_gen": 0}
    return {**base, "avg_ts": 10.0, "stddev_ts": 0.1, "samples_ts": [9.9, 10.0, 10.1], **changed}


def lines(*entries: dict[str, object], name: str = "x.jsonl") -> ResultTable:
    return parse("\n".join(map(json.dumps, entries)) + "\n", name)


def one(*tables: ResultTable | str, **choices: object) -> Comparison:
    (found,) = compare(*tables, choices=Choices(**choices)).comparisons  # type: ignore[arg-type]
    return found


def test_two_backends_are_two_series_whatever_the_processor() -> None:
    found = history([path("history_1_rocm.jsonl"), path("history_2_vulkan.jsonl")])
    assert sorted(len(s.points) for s in found.series) == [1, 1]
    hosts = sorted(s.host or "" for s in found.series)
    assert "ROCm" in hosts[0] and "Vulkan" in hosts[1]


def test_each_row_meets_its_own_backend_only() -> None:
    found = one(path("backend_mixA.jsonl"), path("backend_mixB.jsonl"))
    assert {r.decision for r in found.rows} == {"not comparable"}
    assert all("backends is" in r.reason and "--across-hosts" in r.reason for r in found.rows)
    both = lines(llama(backends="ROCm"), llama(backends="Vulkan", samples_ts=[20.0, 20.1, 19.9]))
    again = one(both, lines(llama(backends="Vulkan", samples_ts=[40.0, 40.1, 39.9]), llama(backends="ROCm")))
    assert sorted(r.ratio.point for r in again.rows if r.ratio) == pytest.approx([1.0, 2.0], rel=0.01)
    alone = one(lines(llama(backends="ROCm")), both)
    assert [r.ratio.point for r in alone.rows if r.ratio] == [1.0] and len(alone.lone) == 1


def test_two_builds_in_one_file_are_two_runs() -> None:
    appended = lines(llama(), llama(build_commit="b2", samples_ts=[20.0, 20.1, 19.9]))
    (row,) = one(lines(llama()), appended).rows
    assert row.decision == "not comparable" and "build_commit" in row.reason
    (kept,) = one(lines(llama(build_commit="b2")), appended, filters=("build_commit=b2",)).rows
    assert kept.ratio is not None and kept.ratio.point == pytest.approx(2.0)
    (split,) = one(appended, by="build_commit").rows
    assert split.ratio is not None and split.ratio.point == pytest.approx(2.0)
    (series,) = gather([appended])
    assert [p.revision for p in series.points] == ["a1", "b2"]


def test_a_table_that_states_less_is_of_the_only_host_that_fits() -> None:
    silent = {n: v for n, v in llama().items() if n not in ("backends", "cpu_info")}
    assert len(gather([lines(llama()), lines(silent)])) == 1
    assert len(gather([lines(llama()), lines(llama(backends="CUDA")), lines(silent)])) == 3


def test_runs_stand_in_the_order_of_their_times() -> None:
    found = history([path("order_a_later_12h37.jsonl"), path("order_b_earlier_10h16.jsonl")])
    (series,) = found.series
    assert [Path(p.table).name[:7] for p in series.points] == ["order_b", "order_a"]
    assert "do not say when" not in str(found)
    assert "do not say when" in str(history([lines(llama()), lines(llama(), name="y.jsonl")]))


@pytest.mark.parametrize(
    "text",
    [
        (ALIKE / "any_jsonl.jsonl").read_text(),
        '{"a": 1}\n{"a": 2}\n',
        json.dumps(llama()) + '\n{"level": "info", "msg": "done"}\n',
    ],
)
def test_lines_of_another_program_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"no known tool|no result of llama-bench"):
        parse(text, "lines.jsonl")


def test_a_count_of_zero_is_no_count() -> None:
    (row,) = read("gb15_aggregates_only.json").rows
    assert row.summary is not None and row.summary.n == 150 and row.summary.point == pytest.approx(159.262e-9, rel=1e-5)
    data = json.loads((ALIKE / "gb15_aggregates_only.json").read_text())
    for entry in data["benchmarks"]:
        entry["iterations"] = 0
    (unknown,) = parse(json.dumps(data), "x.json").rows
    assert unknown.summary is not None and unknown.summary.n is None


def pretty(*entries: dict[str, object]) -> str:
    return json.dumps(list(entries), indent=2)


@pytest.mark.parametrize(
    ("text", "rows", "skipped"),
    [
        ((ALIKE / "llama_stderr_before_jsonl.jsonl").read_text(), 1, 4),
        ("warning: x\n" + pretty(llama()), 1, 1),
        (pretty(llama()) + "\n\nmain: done\n[INFO] bye\n", 1, 2),
        (f"{json.dumps(llama())}\nload: x\n{json.dumps(llama(n_prompt=64))}\nbye\n", 2, 2),
        ("log\n" + f"{json.dumps(llama())}\nload: x\n{json.dumps(llama(n_prompt=64))}\n", 2, 2),
        ("log a\nlog b\ncommand,mean,stddev,median,user,system,min,max\nsleep,1,0.1,1,0,0,1,1\n", 1, 2),
    ],
)
def test_noise_around_results_is_skipped_and_said(text: str, rows: int, skipped: int) -> None:
    table = parse(text, "noisy")
    assert len(table.rows) == rows
    said = [int(n.split()[0]) for n in table.notes if "are no results were skipped" in n]
    assert sum(said) == skipped


@pytest.mark.parametrize("cut", [30, 200, 320])
def test_a_cut_value_is_no_noise(cut: int) -> None:
    whole = json.dumps(llama()) + "\n" + json.dumps(llama(n_prompt=64))
    with pytest.raises(UsageError):
        parse(whole[: len(whole) - cut], "cut.jsonl")


def test_columns_that_a_build_renamed_or_added_are_the_same() -> None:
    (row,) = one(path("columns_b9927.jsonl"), path("columns_b10217.jsonl")).rows
    assert row.ratio is not None and row.ratio.point == pytest.approx(1493.97 / 1388.47)
    assert len(history([path("columns_b9927.jsonl"), path("columns_b10217.jsonl")]).series) == 1


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ({"use_mmap": True, "use_direct_io": False}, {"load_mode": "mmap"}, True),
        ({"use_mmap": True, "use_direct_io": True}, {"load_mode": "dio"}, True),
        ({"use_mmap": True}, {"load_mode": "mmap"}, True),
        ({"use_mmap": False}, {"load_mode": "mmap"}, False),
        ({}, {"n_depth": 0, "no_host": False}, True),
        ({}, {"n_depth": 512}, False),
        ({}, {"a_new_option": 0}, False),
    ],
)
def test_settings_of_two_builds(old: dict[str, object], new: dict[str, object], same: bool) -> None:
    a, b = lines(llama(**old)), lines(llama(**new))
    try:
        rows = one(a, b).rows
    except UsageError:
        rows = ()
    assert any(r.ratio is not None for r in rows) == same
    (row,) = one(a, b, common_settings=True).rows if "load_mode" not in new or same else one(a, a).rows
    assert row.ratio is not None


def test_the_name_of_a_container_is_no_host_and_its_revision_is_one() -> None:
    data = json.loads((ALIKE / "gb_container_1.json").read_text())
    data["context"] |= {"host_name": "0f3a9c", "GIT_COMMIT_HASH": "88aa", "date": "2026-04-18T19:37:53+00:00"}
    found = history([path("gb_container_1.json"), parse(json.dumps(data), "next.json")])
    (series,) = found.series
    assert [p.revision for p in series.points] == ["77f3577", "88aa"]
    assert "Host names differ (0f3a9c, container1)" in str(found)


@pytest.mark.parametrize("name", ["gitrev", "GIT_COMMIT_HASH", "git-sha", "revision", "build_commit", "commit"])
def test_revisions_have_many_names(name: str) -> None:
    assert is_revision(name) and not is_revision(f"{name} count")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("06/11/19 14:02:57", "2019-06-11T14:02:57+00:00"),
        ("2019-06-11 14:02:57", "2019-06-11T14:02:57+00:00"),
        ("2026-08-06T20:05:31Z", "2026-08-06T20:05:31+00:00"),
        ("20241109-150547", "2024-11-09T15:05:47+00:00"),
        ("Tue Jun 11 14:02:57 2019", "2019-06-11T14:02:57+00:00"),
        ("1560261777000", "2019-06-11T14:02:57+00:00"),
    ],
)
def test_old_forms_of_time_are_read(text: str, iso: str) -> None:
    found = stated_time(text)
    assert found is not None and found.isoformat() == iso
    assert stated_time(f"about {text}") is None


def hyperfine(*codes: int | None) -> ResultTable:
    entry = {"command": "lint", "mean": 0.25, "times": [0.25, 0.26, 0.24], "exit_codes": list(codes)}
    return parse(json.dumps({"results": [entry]}), "h.json")


def test_a_command_that_fails_alike_on_both_sides_is_comparable() -> None:
    (row,) = one(path("hyperfine_linter_i.json"), path("hyperfine_linter_i.json")).rows
    assert row.ratio is not None and row.ratio.point == 1
    (other,) = one(hyperfine(1, 1, 1), hyperfine(2, 2, 2)).rows
    assert other.decision == "not comparable" and "exit code is 1" in other.reason
    for codes in ((0, 1, 0), (1, 2, 1), (None, None, None)):
        assert "runs failed" in (hyperfine(*codes).rows[0].problem or "")


def test_a_skipped_row_keeps_its_message() -> None:
    rows = {r.key[0].value: r for r in read("gb_skip_message.csv").rows}
    assert rows["BM_b"].problem == "skipped: needs AVX512" and rows["BM_a"].samples[0].value == pytest.approx(12.5e-9)


def registered(*times: float) -> ResultTable:
    entries = [
        {
            "name": "BM_x",
            "run_name": "BM_x",
            "run_type": "iteration",
            "family_index": i,
            "real_time": t,
            "time_unit": "ms",
        }
        for i, t in enumerate(times)
    ]
    return parse(json.dumps({"context": {"num_cpus": 2}, "benchmarks": entries}), "gb.json")


def test_a_name_that_is_registered_twice_is_matched_by_its_place() -> None:
    rows = one(registered(1.0, 5.0), registered(2.0, 5.0)).rows
    assert [r.ratio.point for r in rows if r.ratio] == pytest.approx([2.0, 1.0])
    assert len({r.key for r in rows}) == 2
    (unequal,) = one(registered(1.0, 5.0), registered(2.0)).rows
    assert unequal.decision == "not comparable" and "not averaged" in unequal.reason


def test_a_gate_over_single_samples_is_no_pass() -> None:
    found = one(registered(1.0), registered(2.0))
    assert gate.exit_code([found], [gate.parse("slower")]) == gate.NOTHING_COMPARED


def test_levels_are_the_same_everywhere_and_said() -> None:
    (comparison,) = compare(lines(llama()), lines(llama())).comparisons
    tracked = history([lines(llama())])
    (series,) = tracked.series
    assert series.points[0].value == comparison.rows[0].a and series.points[0].value.level == 0.95
    assert "95 %" in str(tracked)
