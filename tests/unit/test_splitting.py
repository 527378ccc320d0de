"""A table split by a setting: every row is in one part, and parts differ in nothing else."""

import json

import pytest

from harness.api.compare import Choices, compare
from harness.comparison.formats.detect import parse
from harness.comparison.splitting import split
from harness.comparison.table import ResultTable
from harness.errors import UsageError
from harness.report import text
from tests.docs.pages import ROOT

GOLDEN = ROOT / "tests" / "golden"


def golden(name: str) -> ResultTable:
    return parse((GOLDEN / name).read_text(encoding="utf-8"), name)


def hyperfine(*results: tuple[str, dict[str, str], float]) -> ResultTable:
    entries = [
        {"command": c, "parameters": p, "mean": t, "times": [t, 1.01 * t, 0.99 * t], "exit_codes": [0, 0, 0]}
        for c, p, t in results
    ]
    return parse(json.dumps({"results": entries}), "h.json")


def sweep(column: str, *values: object) -> ResultTable:
    lines = [
        {"n_prompt": p, "n_gen": g, "model_type": "x", column: v, "avg_ts": 10.0, "stddev_ts": 0.1, "backends": "CPU"}
        for v in values
        for p, g in ((512, 0), (0, 128))
    ]
    return parse(json.dumps(lines), "sweep.json")


TWO_COMMANDS = hyperfine(
    *((f"{tool} -j {n} x", {"threads": n}, t) for tool, n, t in (("a", "1", 1.0), ("a", "2", 0.5), ("b", "1", 2.0))),
    ("b -j 2 x", {"threads": "2"}, 1.5),
)


@pytest.mark.parametrize(
    ("table", "by", "parts"),
    [
        (sweep("flash_attn", 0, 1), "flash_attn", {"flash_attn 0": 2, "flash_attn 1": 2}),
        (sweep("n_ubatch", 64, 512, 128), "n_ubatch", {"n_ubatch 64": 2, "n_ubatch 512": 2, "n_ubatch 128": 2}),
        (
            hyperfine(("sleep 1", {}, 1.0), ("sleep 2", {}, 2.0)),
            "command",
            {"command sleep 1": 1, "command sleep 2": 1},
        ),
        (TWO_COMMANDS, "threads", {"threads 1": 2, "threads 2": 2}),
        (TWO_COMMANDS, "command", {"command a -j {threads} x": 2, "command b -j {threads} x": 2}),
        (golden("tables/hyperfine.json"), "t", {"t 1": 2, "t 2": 2}),
        (golden("tables/pytest_benchmark_5.json"), "n", {"n 10": 1, "n 100": 1}),
        (golden("tables/google_benchmark.json"), "arg1", {"arg1 64": 1, "arg1 4096": 1}),
        (golden("formats/go_bench.txt"), "format", {"format json": 1, "format gob": 1}),
    ],
)
def test_parts_hold_the_rows_of_their_value(table: ResultTable, by: str, parts: dict[str, int]) -> None:
    _, found = split(table, by)
    assert {t.name: len(t.rows) for t in found} == parts
    keys = [{(r.key, r.metric.name) for r in t.rows} for t in found]
    assert all(k == keys[0] for k in keys), "a part is compared with the same cases of the first"
    values = [s.value for t in found for r in t.rows for s in r.samples]
    assert set(values) <= {s.value for r in table.rows for s in r.samples}


def test_instances_of_one_command_are_compared_where_there_is_no_other() -> None:
    _, found = split(golden("tables/hyperfine.json"), "command")
    assert len(found) == 4 and all(r.key == () for t in found for r in t.rows)


def test_values_and_directions_are_those_of_the_parts() -> None:
    found = compare(TWO_COMMANDS, choices=Choices(by="command", drift=0.001))
    (comparison,) = found.comparisons
    speeds = sorted(r.speed.point for r in comparison.rows if r.speed is not None)
    assert speeds == pytest.approx([1 / 3, 1 / 2], rel=0.01) and {r.decision for r in comparison.rows} == {"slower"}
    assert comparison.applied.by == "command" and "inside one table" in str(found)


def test_a_sweep_is_a_line_a_value() -> None:
    found = compare(sweep("n_batch", 1, 2, 4, 8), choices=Choices(by="n_batch"))
    out = text.render(found.report(), width=80)
    assert sum(line.startswith("pp512") for line in out.splitlines()) == 1
    assert len([line for line in out.splitlines() if " undecided a" in line]) == 6


@pytest.mark.parametrize(
    ("table", "by", "words"),
    [
        (sweep("fa", 0, 1), "flash", "did you mean|known:"),
        (sweep("fa", 0, 0), "fa", "fa is 0 in all rows.*n_gen"),
        (sweep("fa", 0, 1), "n_gen", "no row in common"),
    ],
)
def test_what_cannot_be_split_is_named(table: ResultTable, by: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        compare(table, choices=Choices(by=by))


def test_by_is_for_one_table() -> None:
    with pytest.raises(UsageError, match="inside one table"):
        compare(TWO_COMMANDS, TWO_COMMANDS, choices=Choices(by="command"))
    with pytest.raises(UsageError, match="at least two tables"):
        compare(TWO_COMMANDS)
