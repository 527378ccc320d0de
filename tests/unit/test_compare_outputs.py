"""What a comparison is written as: blocks, JSON, CSV, JUnit; what a table is exported as; when a build stops."""

import csv
import io
import json
from xml.etree import ElementTree

import pytest

from harness.comparison import document, export, gate
from harness.comparison.table import Attribute, Metric, ResultTable, Row, Sample, key
from harness.comparison.tables import Comparison, compare
from harness.comparison.thresholds import Thresholds
from harness.errors import UsageError
from harness.report import comparison as blocks
from harness.report import html, junit, markdown, text

THRESHOLDS = Thresholds(drift=0.01, drift_known=True)
RATE = Metric(name="rate", unit="tok/s", better="higher")
TIME = Metric(name="time", unit="s", better="lower")


def row(name: str, scale: float, metric: Metric = RATE, problem: str | None = None) -> Row:
    values = [scale * v for v in (0.99, 1.0, 1.01, 1.005, 0.995, 1.0, 0.998, 1.002)]
    samples = tuple(Sample(value=v) for v in values) if problem is None else ()
    return Row(key=key(case=name, model="m"), metric=metric, sampled="process", samples=samples, problem=problem)


def table(name: str, *rows: Row) -> ResultTable:
    return ResultTable(tool="t", name=name, facts=(Attribute(kind="version", name="python", value=name),), rows=rows)


@pytest.fixture
def mixed() -> Comparison:
    a = table("old", row("slow", 100), row("fast", 100), row("same", 100), row("bad", 100), row("gone", 100))
    b = table("new", row("slow", 50), row("fast", 200), row("same", 100), row("bad", 1, problem="it crashed"))
    return compare(a, b, THRESHOLDS)


def test_json_rows_have_the_promised_shape(mixed: Comparison) -> None:
    data = json.loads(document.as_json([mixed]))
    decisions = {r["key"]["case"]: r["decision"] for r in data["rows"]}
    assert decisions == {"slow": "slower", "fast": "faster", "same": "undecided", "bad": "not comparable"}
    for r in data["rows"]:
        assert {"key", "a", "b", "ratio", "decision"} <= r.keys()
        if r["ratio"] is not None:
            assert r["ratio"]["low"] <= r["ratio"]["point"] <= r["ratio"]["high"]
    (about,) = data["tables"]
    assert about["missing"] == [{"key": {"case": "gone", "model": "m"}, "metric": "rate", "only_in": "a"}]
    assert about["speed"]["low"] < 1 < about["speed"]["high"]


def test_csv_is_rectangular_and_runs_no_formula(mixed: Comparison) -> None:
    hostile = mixed.model_copy(update={"a": "=1+1"})
    rows = list(csv.reader(io.StringIO(document.as_csv([hostile]))))
    assert len({len(r) for r in rows}) == 1 and len(rows) == 5
    assert all(not cell.startswith(("=", "@")) for r in rows for cell in r)


def test_a_report_says_first_what_differs(mixed: Comparison) -> None:
    written = text.render(blocks.build([mixed]))
    assert written.index("python") < written.index("second / first") < written.index("Geometric mean")
    page = markdown.render(blocks.build([mixed]))
    for words in ("1 slower", "it crashed", "Not measured side by side", "case gone"):
        assert words in page
    assert all(len(line) <= 100 for line in written.splitlines())
    assert "| slower |" in page
    assert "slower" in html.render(blocks.build([mixed]))


def test_three_tables_stand_beside_the_first() -> None:
    a, b, c = (table(n, row("x", s), row("y", s)) for n, s in (("one", 100), ("two", 50), ("three", 200)))
    written = text.render(blocks.build([compare(a, b, THRESHOLDS), compare(a, c, THRESHOLDS)]))
    assert "slower" in written and "faster" in written and "2 tables against one" in written


def test_junit_counts_agree_with_its_cases(mixed: Comparison) -> None:
    root = ElementTree.fromstring(junit.render([mixed], [gate.parse("slower")]))
    (suite,) = root
    assert suite.get("tests") == str(len(suite.findall("testcase"))) == "5"
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "1"
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped"))) == "3"


def test_junit_survives_hostile_names() -> None:
    a = table("a", row("\x1b[31m<&\x00\ud800", 1))
    ElementTree.fromstring(junit.render([compare(a, a, THRESHOLDS)], []))


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        ([], 0),
        (["slower"], 3),
        (["slower:90%"], 3),
        (["slower:150%"], 0),
        (["faster"], 3),
        (["warn"], 0),
        (["undecided"], 4),
        (["not-comparable"], 5),
        (["missing"], 5),
        (["undecided", "missing", "slower"], 3),
        (["undecided", "missing"], 5),
    ],
)
def test_gates(mixed: Comparison, gates: list[str], code: int) -> None:
    assert gate.exit_code([mixed], [gate.parse(g) for g in gates]) == code


def test_a_gate_that_cannot_trip_is_no_pass() -> None:
    broken = table("a", row("x", 1, problem="crashed"))
    comparison = compare(broken, broken, THRESHOLDS)
    assert gate.exit_code([comparison], []) == 0
    assert gate.exit_code([comparison], [gate.parse("slower")]) == gate.NOTHING_COMPARED


@pytest.mark.parametrize("wrong", ["slowr", "slower:", "slower:5", "slower:-5%", "missing:5%", "", "slower:nan%"])
def test_wrong_gates_are_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="--fail-on"):
        gate.parse(wrong)


def test_github_action_takes_one_direction() -> None:
    both = table("t", row("x", 100), row("y", 2, metric=TIME), row("z", 1, problem="crashed"))
    (bigger,) = json.loads(export.github_action(both, "higher"))
    assert bigger["name"] == "case=x model=m" and bigger["unit"] == "tok/s"
    assert bigger["value"] == pytest.approx(100) and bigger["range"].startswith("± ")
    (smaller,) = json.loads(export.github_action(both, "lower"))
    assert smaller["unit"] == "s"
    with pytest.raises(UsageError, match="other direction"):
        export.github_action(table("t", row("x", 100)), "lower")


def test_bencher_latency_is_in_nanoseconds() -> None:
    data = json.loads(export.bencher(table("t", row("y", 2, metric=TIME))))
    metric = data["case=y model=m"]["latency"]
    assert metric["value"] == pytest.approx(2e9)
    assert metric["lower_value"] <= metric["value"] <= metric["upper_value"]


def test_exported_names_run_as_no_formula() -> None:
    """A spreadsheet obeys text that begins so; a negative number is no text."""
    assert [export.harmless(cell) for cell in ("=1+1", "@x", "-a", "+b", "plain", -1.5, None)] == [
        *("'=1+1", "'@x", "'-a", "'+b", "plain"),
        *(-1.5, None),
    ]


def test_csv_keeps_failed_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv(table("t", row("x", 100), row("z", 1, problem="crashed"))))))
    assert [(r["case"], r["point"] != "", r["problem"]) for r in rows] == [("x", True, ""), ("z", False, "crashed")]


def test_doubles_are_not_exported() -> None:
    with pytest.raises(UsageError, match="two rows"):
        export.bencher(table("t", row("x", 1), row("x", 2)))


def test_an_exported_table_runs_no_formula_and_long_names_stay_apart() -> None:
    hostile = table("t", row("=1+1", 1.0), *(row("x" * 2000 + end, 1.0) for end in "ab"))
    rows = list(csv.reader(io.StringIO(export.as_csv(hostile))))
    assert rows[1][0] == "'=1+1"
    names = list(json.loads(export.bencher(hostile)))
    assert len(names) == 3 and max(map(len, names)) == 1024
