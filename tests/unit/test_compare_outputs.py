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
from harness.report.blocks import Table, words

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
    assert written.index("python") < written.index("change") < written.index("geometric mean")
    assert written.rstrip().endswith("1 undecided. 1 not comparable.")  # the end is what a terminal shows
    page = markdown.render(blocks.build([mixed]))
    for part in ("1 slower", "it crashed", "Not measured side by side", "case gone", "all: m"):
        assert part in page
    assert all(len(line) <= 100 for line in written.splitlines())
    assert "| slower a |" in page
    assert "slower" in html.render(blocks.build([mixed]))


def changes(*speeds: float, metric: Metric = RATE) -> Comparison:
    """Comparison of a case for each of these changes of speed."""
    names = [f"case{i:03}" for i in range(len(speeds))]
    a = table("old", *(row(n, 100, metric) for n in names))
    b = table(
        "new", *(row(n, 100 * (s if metric is RATE else 1 / s), metric) for n, s in zip(names, speeds, strict=True))
    )
    return compare(a, b, THRESHOLDS)


def shown_changes(comparison: Comparison, view: blocks.View | None = None) -> list[str]:
    (rows,) = (b for b in blocks.build([comparison], view=view).blocks if isinstance(b, Table) and b.lines)
    place = [c.name for c in rows.columns].index("change")
    return [words(row[place]) for row in rows.rows]


@pytest.mark.parametrize("metric", [RATE, TIME])
def test_changes_are_of_speed_whatever_the_metric(metric: Metric) -> None:
    assert shown_changes(changes(1.1, 0.8, 1.0, metric=metric)) == ["+10 %", "-20 %", "0 %", "-4.2 %"]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_line_a_case_at_any_width(width: int) -> None:
    """154 rows print at most 200 lines; none is wider than the terminal, and no interval is broken."""
    many = changes(*(0.5 + 0.01 * i for i in range(154)))
    out = text.render(blocks.build([many]), width=width)
    lines = out.splitlines()
    assert len(lines) <= 200 and max(map(len, lines)) <= width
    rows = [line.split("  ")[0][-3:] for line in lines if line.startswith("case ")]
    assert [name for name in rows if name.isdecimal()] == [f"{i:03}" for i in range(154)]
    assert all(line.count("[") == line.count("]") for line in lines)
    assert (width < 80) == ("±  " not in out)  # spare columns give way first


def test_views_change_what_is_printed_and_nothing_else() -> None:
    mixed = changes(2.0, 1.001, 0.5, 1.0, 3.0)
    changed = blocks.View(only=blocks.CHANGED, sort="change")
    assert shown_changes(mixed, changed)[:3] == ["-50 %", "+100 %", "+200 %"]
    assert "not shown: 2 undecided" in text.render(blocks.build([mixed], view=changed)).replace("same", "undecided")
    assert [r.decision for r in mixed.rows].count("faster") == 2
    by_name = blocks.View(sort="name")
    assert shown_changes(mixed, by_name) == shown_changes(mixed)


def test_an_interval_of_decades_is_said_to_say_nothing() -> None:
    def two(*values: float) -> ResultTable:
        samples = tuple(Sample(value=v) for v in values)
        return table("t", Row(key=key(case="x"), metric=RATE, sampled="process", samples=samples))

    assert "± ∞ (2 samples)" in text.render(blocks.build([compare(two(1, 9), two(2, 11), THRESHOLDS)]))
    assert "± ∞ (1 sample)" in text.render(blocks.build([compare(two(1), two(2), THRESHOLDS)]))


def test_reasons_are_said_once() -> None:
    a, b = (table(n, *(row(f"x{i}", 1, problem="it crashed") for i in range(30))) for n in "ab")
    assert text.render(blocks.build([compare(a, b, THRESHOLDS)])).count("it crashed") == 1


def test_csv_reads_back_to_the_last_digit(mixed: Comparison) -> None:
    read = list(csv.DictReader(io.StringIO(document.as_csv([mixed]))))
    for cells, found in zip(read, mixed.rows, strict=True):
        assert {n.removeprefix("key."): v for n, v in cells.items() if n.startswith("key.")} == {
            s.name: s.value for s in found.key
        }
        for name, value in (("a", found.a), ("b", found.b), ("ratio", found.ratio)):
            assert (cells[name] == "") == (value is None)
            if value is not None:
                assert float(cells[name]) == value.point
        if found.speed is not None:
            assert float(cells["change"]) == found.speed.point - 1


def test_choices_are_recorded_in_every_output() -> None:
    a, b = (table(n, row("x", 100), row("y", 100)) for n in "ab")
    ignored = compare(a, b, THRESHOLDS, ignore=frozenset({"model"}), across_hosts=True)
    report = blocks.build([ignored])
    for written in (text.render(report), markdown.render(report), html.render(report), junit.render([ignored], [])):
        assert "--ignore" in written and "--across-hosts" in written
    (about,) = json.loads(document.as_json([ignored]))["tables"]
    assert about["applied"]["ignore"] == ["model"] and about["applied"]["across_hosts"]
    cells = list(csv.DictReader(io.StringIO(document.as_csv([ignored]))))
    assert {(c["ignore"], c["across_hosts"]) for c in cells} == {("model", "true")}


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
    assert [export.harmless(cell) for cell in ("=1+1", "@x", "-a", "+b", "plain", "-1", -1.5, None)] == [
        *("'=1+1", "'@x", "'-a", "'+b", "plain"),
        *("-1", -1.5, None),
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
