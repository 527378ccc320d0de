"""The terminal's report fits its width and cannot be made to drive the terminal, whatever the names hold."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from harness.files.text import printable_line, web_address
from harness.report import text
from harness.report.blocks import Bullets, Callout, Column, Details, Heading, Link, Report, Table
from harness.report.order import build
from tests import factories

NASTY = (
    "x" * 300,
    "深度求索的下一个模型将在昇腾芯片上运行" * 6,
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell",
    "right\u202eto left",
    "a\nb\r\nc\td",
    "naïve e\u0301\u0301\u0301 👩\u200d🔬🇩🇪",
    "https://example.org/" + "very/long/" * 30,
    "| pipe `tick` <b>bold</b> [link](x)",
    "",
)


def fits(rendered: str, width: int) -> None:
    for out in rendered.split("\n"):
        assert 0 <= wcswidth(out) <= width, (wcswidth(out), out)


def nasty_table(words: tuple[str, ...]) -> Table:
    return Table(
        title=words[0],
        columns=(Column(name="name"), Column(name="value", align="right"), Column(name="why"), Column(name="source")),
        rows=tuple((w, "1,234", w, Link(text=w, url="https://example.org/x")) for w in words),
        note=words[-1],
    )


def test_the_whole_report_fits_one_hundred_columns() -> None:
    report = build(factories.record(), factories.assessment())
    for details in (False, True):
        fits(text.render(report, details=details), 100)
    for width in (60, 80, 140):
        fits(text.render(report, width=width), width)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_interval_is_broken_at_the_width_of_a_terminal(width: int) -> None:
    out = text.render(build(factories.record(), factories.assessment()), width=width, details=True)
    fits(out, width)
    assert all(line.count("[") == line.count("]") for line in out.split("\n"))


def test_rows_are_stacked_where_words_would_be_broken() -> None:
    columns = tuple(Column(name=name) for name in ("quantity", "reported", "allowed", "basis"))
    row = ("instantaneous rate", "[4,160, 8,759] tok/s", "[2,310, 2,458] tok/s", "–")
    cards = Table(title="t", columns=columns, rows=(row,), narrow="cards")
    wide, narrow = text.table(cards, 100).split("\n"), text.table(cards, 40).split("\n")
    assert wide[1].split() == ["quantity", "reported", "allowed", "basis"]
    assert narrow[2:5] == ["instantaneous rate", "  reported  [4,160, 8,759] tok/s", "  allowed   [2,310, 2,458] tok/s"]
    assert "basis" not in "".join(narrow)


def test_long_names_and_wide_characters_fit() -> None:
    for word in NASTY:
        record = factories.record(model=printable_line(word)[:200] or "m", batches=(1,))
        verdict = factories.verdict(statement=word, reason=word, missing=(word,), interval_of=word)
        assessment = factories.assessment().model_copy(update={"verdicts": (verdict,), "sheet_title": word})
        for details in (False, True):
            fits(text.render(build(record, assessment), details=details), 100)


@example(words=["000000000000000\u2e800\U000119d1"], width=40)
@given(words=st.lists(st.text(max_size=120), min_size=1, max_size=4), width=st.integers(40, 120))
@settings(max_examples=80, deadline=None)
def test_any_words_fit(words: list[str], width: int) -> None:
    blocks = (Heading(level=2, text=words[0]), Bullets(items=tuple(words)), nasty_table(tuple(words)))
    fits(text.render(Report(title=words[-1], blocks=blocks), width=width), width)


@given(st.text())
def test_nothing_printed_can_drive_a_terminal(words: str) -> None:
    shown = text.render(Report(title=words, blocks=(Callout(tone="warning", text=words), nasty_table((words,)))))
    driving = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co")}
    assert driving <= {"\n", "\u200c", "\u200d"}
    assert "\x1b" not in shown and "\u202e" not in shown


def test_wrapping_loses_no_word() -> None:
    long = " ".join(f"word{i}" for i in range(60))
    table = Table(title="t", columns=(Column(name="a"), Column(name="b")), rows=((long, long),))
    shown = text.table(table).split()
    assert all(shown.count(word) == 2 for word in long.split())


def test_columns_stay_aligned_with_wide_characters() -> None:
    table = Table(title="t", columns=(Column(name="a"), Column(name="b")), rows=(("昇腾", "x"), ("ab", "x")))
    first, second = text.table(table).split("\n")[-2:]
    assert wcswidth(first[: first.index("x")]) == wcswidth(second[: second.index("x")])


def test_details_are_short_unless_asked_for() -> None:
    report = build(None, factories.assessment())
    brief, whole = text.render(report), text.render(report, details=True)
    address = "[1] https://arxiv.org/abs/2506.12708"
    assert address not in brief and address in whole
    assert text.HINT in brief and text.HINT not in whole
    for block in report.blocks:
        if isinstance(block, Details):
            assert (f"- {block.summary}" in brief) is not block.folded
            assert block.summary in whole


def test_tall_rows_are_set_apart_and_short_ones_are_not() -> None:
    tall, short = ("one\ntwo\nthree",), ("one",)
    columns = (Column(name="a"),)
    assert text.table(Table(title="t", columns=columns, rows=(tall, short))).split("\n")[-2:] == ["", "one"]
    assert "" not in text.table(Table(title="t", columns=columns, rows=(short, short))).split("\n")


def test_an_empty_table_says_so() -> None:
    assert "(none)" in text.table(Table(title="t", columns=(Column(name="a"),), rows=()))


def test_text_and_json_load_no_drawing_library() -> None:
    code = (
        "import sys; from harness.report import text, markdown; from harness.report.order import "
        "build; from harness.results import reportfile; from tests import factories;"
        "r, a = factories.record(batches=(1,)), factories.assessment();"
        "text.render(build(r, a)); markdown.render(build(r, a)); reportfile.document(r, a);"
        "print(sorted({'altair', 'vl_convert', 'jinja2', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "https://a b", 'https://a"b', "", None])
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert web_address(url) is None


def test_a_web_address_is_kept() -> None:
    assert web_address("https://arxiv.org/abs/2506.12708") == "https://arxiv.org/abs/2506.12708"
