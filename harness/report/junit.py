"""A comparison as JUnit XML, which continuous integration shows as tests. A row that trips a gate is a failure; one
that could not be compared or decided is skipped, not passed."""

from collections.abc import Sequence
from xml.etree import ElementTree

from harness.comparison.gate import Gate, tripping
from harness.comparison.tables import Comparison, RowComparison
from harness.files.text import printable_line
from harness.report.changes import change, change_interval

_SKIPPED = ("undecided", "unmeasurable", "not comparable")


def render(comparisons: Sequence[Comparison], gates: Sequence[Gate]) -> str:
    """One suite a compared table, one case a row, and one for each row that the second table lacks."""
    root = ElementTree.Element("testsuites", name="harness compare")
    for comparison in comparisons:
        _suite(root, comparison, gates)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, comparison: Comparison, gates: Sequence[Gate]) -> None:
    lone = [r for r in comparison.lone if r.only_in == "a"]
    skipped = sum(r.decision in _SKIPPED and tripping(r, gates) is None for r in comparison.rows)
    missing_fails = any(g.trigger == "missing" for g in gates)
    failures = sum(tripping(r, gates) is not None for r in comparison.rows) + (len(lone) if missing_fails else 0)
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=printable_line(f"{comparison.b} against {comparison.a}"),
        tests=str(len(comparison.rows) + len(lone)),
        failures=str(failures),
        errors="0",
        skipped=str(skipped + (0 if missing_fails else len(lone))),
    )
    if comparison.applied.words:
        properties = ElementTree.SubElement(suite, "properties")
        for words in comparison.applied.words:
            ElementTree.SubElement(properties, "property", name="harness", value=printable_line(words))
    for row in comparison.rows:
        _case(suite, row, comparison, gates)
    for absent in lone:
        name = printable_line(" ".join(f"{s.name}={s.value}" for s in absent.key))
        case = ElementTree.SubElement(suite, "testcase", classname=printable_line(absent.metric), name=name)
        ElementTree.SubElement(case, "failure" if missing_fails else "skipped", message="missing in the second table")


def _case(suite: ElementTree.Element, row: RowComparison, comparison: Comparison, gates: Sequence[Gate]) -> None:
    name = printable_line(" ".join(f"{s.name}={s.value}" for s in row.key)) or row.metric
    case = ElementTree.SubElement(suite, "testcase", classname=printable_line(row.metric), name=name)
    message = f"{row.decision}: {printable_line(row.reason)}"
    if row.ratio is not None:
        message = f"{row.decision} ({_change(row)}): {printable_line(row.reason)}"
    if tripping(row, gates) is not None:
        failure = ElementTree.SubElement(case, "failure", message=message, type=row.decision)
        failure.text = printable_line(f"{comparison.b} against {comparison.a}: {message}")
    elif row.decision in _SKIPPED:
        ElementTree.SubElement(case, "skipped", message=message)
    else:
        ElementTree.SubElement(case, "system-out").text = message


def _change(row: RowComparison) -> str:
    assert row.speed is not None
    return f"{change(row.speed.point)} in speed, {change_interval(row.speed, str(row.speed.n))}"
