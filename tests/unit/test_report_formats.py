"""Markdown and the page: foreign text never becomes markup, the page loads and runs nothing, charts say it in words."""

import html as stdlib_html
import platform
import re
from html.parser import HTMLParser

import pytest

from harness.report import charts, html, markdown
from harness.report.blocks import Chart, Column, Link, Report, Table
from harness.report.order import build
from harness.stats import Interval
from tests import factories

HOSTILE = "<script>alert(1)</script> \"quoted\" 'single' | pipe `tick` [x](javascript:y) @team #12 <!-- -->"
NAME = "<img src=x onerror=alert(1)>|`*_"


class Page(HTMLParser):
    """Elements, ids and attributes of a page, as a browser's parser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data", "action", "poster"):
                self.references.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def hostile_report() -> Report:
    verdict = factories.verdict(statement=HOSTILE, reason=HOSTILE, missing=(HOSTILE,), id="claim")
    evil = verdict.evidence[0].model_copy(update={"url": "javascript:alert(1)", "source": HOSTILE, "note": HOSTILE})
    verdict = verdict.model_copy(update={"evidence": (evil,)})
    assessment = factories.assessment().model_copy(update={"verdicts": (verdict,), "sheet_title": HOSTILE})
    return build(factories.record(model=NAME, batches=(1, 4)), assessment)


@pytest.fixture(scope="module")
def page() -> tuple[str, Page]:
    rendered = html.render(hostile_report())
    parsed = Page()
    parsed.feed(rendered)
    return rendered, parsed


def test_the_page_runs_nothing_and_loads_nothing(page: tuple[str, Page]) -> None:
    rendered, parsed = page
    assert not {"script", "img", "iframe", "object", "embed", "form"} & set(parsed.elements)
    assert parsed.handlers == []
    for reference in parsed.references:
        assert reference.startswith(("#", "https://arxiv.org/", "data:,")), reference
    assert "default-src 'none'" in rendered
    assert not re.search(r"@import|url\((?!#)", rendered)


def test_foreign_text_is_shown_as_it_is(page: tuple[str, Page]) -> None:
    _, parsed = page
    shown = "".join(parsed.words)
    assert "<script>alert(1)</script>" in shown
    assert NAME in shown


def test_ids_are_unique_and_every_anchor_exists(page: tuple[str, Page]) -> None:
    rendered, parsed = page
    assert len(parsed.ids) == len(set(parsed.ids))
    anchors = {r[1:] for r in parsed.references if r.startswith("#")}
    clips = set(re.findall(r"url\(#([^)]+)\)", rendered))
    assert anchors | clips <= set(parsed.ids)


def drawn() -> list[Chart]:
    return [b for b in build(factories.record(), factories.assessment()).blocks if isinstance(b, Chart)]


@pytest.mark.parametrize("chart", drawn(), ids=lambda c: c.name)
def test_a_chart_has_words_and_takes_its_colours_from_the_page(chart: Chart) -> None:
    svg = charts.svg(chart)
    assert svg.startswith("<svg ") and svg.endswith("</svg>")
    assert 'role="img"' in svg
    assert f'<title id="{chart.name}-title">{stdlib_html.escape(chart.title)}</title>' in svg
    assert f'id="{chart.name}-desc"' in svg
    fixed = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) - {"none", "transparent"}
    assert all(colour.startswith("var(--") for colour in fixed), fixed
    assert chart.table.rows


@pytest.mark.parametrize("chart", drawn(), ids=lambda c: c.name)
def test_every_number_of_a_chart_is_finite_and_every_mark_inside(chart: Chart) -> None:
    svg = charts.svg(chart)
    assert "NaN" not in svg and "Infinity" not in svg


def test_a_page_can_be_published() -> None:
    """Neither the machine's name nor a path of it: the config is not shown, and nothing else knows either."""
    record = factories.record().model_copy(update={"config_text": "sheet: /home/somebody/sheets/a.yaml"})
    page = html.render(build(record, factories.assessment()))
    assert "/home/" not in page
    assert len(platform.node()) < 6 or platform.node() not in page  # a shorter name may be a word


def test_a_drawing_is_the_same_every_time() -> None:
    assert html.render(build(factories.record(batches=(1,)), None)) == html.render(
        build(factories.record(batches=(1,)), None)
    )


def test_a_band_from_zero_is_drawn_from_the_edge() -> None:
    open_below = factories.verdict(interval=Interval(low=0.0, high=7000.0))
    assessment = factories.assessment().model_copy(update={"verdicts": (open_below,)})
    (chart,) = (b for b in build(None, assessment).blocks if isinstance(b, Chart))
    svg = charts.svg(chart)
    assert "NaN" not in svg and "Infinity" not in svg and 'stroke-width="12"' in svg


def test_one_batch_and_one_sample_can_be_drawn() -> None:
    record = factories.record().model_copy(update={"measurements": (factories.measurement(rounds=1),)})
    assert "<svg" in html.render(build(record, None))


def test_markdown_escapes_what_would_be_markup() -> None:
    rendered = markdown.render(hostile_report())
    assert "<script" not in rendered and "<img" not in rendered and "<!--" not in rendered
    assert "javascript:alert" not in rendered
    assert not re.search(r"@\w", rendered)
    table = [row for row in rendered.split("\n") if row.startswith("| ")]
    assert table
    for row in table:
        assert len(re.findall(r"(?<!\\)\|", row)) == row_width(table, row)


def row_width(table: list[str], row: str) -> int:
    """Unescaped pipes of the nearest rule line above: every row of a table has as many."""
    above = table[: table.index(row) + 2]
    rule = next(r for r in reversed(above) if set(r) <= set("|-: "))
    return rule.count("|")


def test_markdown_keeps_names_that_need_no_escape() -> None:
    assert markdown.escape("v4-scale:equal-active, 0.600×, 41 %") == "v4-scale:equal-active, 0.600×, 41 %"
    assert markdown.escape("1. not a list") == r"1\. not a list"
    assert markdown.escape("# not a heading") == r"\# not a heading"


def test_markdown_folds_the_evidence() -> None:
    rendered = markdown.render(build(factories.record(), factories.assessment()))
    assert rendered.count("<details>") == rendered.count("</details>") >= len(factories.assessment().verdicts)
    assert "[Serving Large Language Models on CloudMatrix384, table 3](https://arxiv.org/abs/2506.12708)" in rendered


def test_markdown_is_shortened_to_fit_a_comment_and_says_so() -> None:
    report = build(factories.record(), factories.assessment())
    whole, short = markdown.render(report, limit=None), markdown.render(report, limit=8000)
    assert len(short) < len(whole)
    assert "Shortened" in short and "Shortened" not in whole
    assert "<details>" not in short
    for verdict in factories.assessment().verdicts:
        assert markdown.escape(verdict.reason) in short
    assert markdown.render(report) == whole


def test_a_link_cannot_leave_its_cell() -> None:
    table = Table(
        title="t",
        columns=(Column(name="a"),),
        rows=((Link(text="x](y) | z", url="https://example.org/a_(b)|c"),),),
    )
    assert r"[x\](y) \| z](https://example.org/a%5F%28b%29%7Cc)" in markdown.table(table)
