"""A report as one self-contained page: opens offline, runs no script, follows the reader's light or dark setting.

What the page says comes from the blocks; how it looks is in page.html and page.css beside this module. Whatever the
template prints is made printable and escaped, and a content policy forbids the page to load or run anything.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from harness import units
from harness.files.text import printable_line, printable_lines, web_address
from harness.report import charts
from harness.report.blocks import Block, Cell, Chart, ClaimName, Link, Report, Table, Text, words
from harness.report.verdicts import OUTCOMES

if TYPE_CHECKING:
    from jinja2 import Template

_INTERVAL = re.compile(r"\[([^\[\]]{1,24}), ([^\[\]]{1,24})\](×?)")
_PERCENT = re.compile(r"(?<=\d) %")
_SHORT = 28  # characters of a cell that is not broken in a table that scrolls sideways


def render(report: Report) -> str:
    """The page, as text to be written as UTF-8."""
    from markupsafe import Markup

    return _template().render(
        title=report.title,
        lead=next((b.text for b in report.blocks if isinstance(b, Text) and b.lead), None),
        groups=tuple(_groups(report.blocks)),
        outcomes=_outcomes(report.blocks),
        # Our own file, and the only text beside the drawings that is not escaped.
        css=Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8")),
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True, finalize=_shown)
    environment.filters.update(
        anchor=_anchor,
        lines=lambda cell: printable_lines(words(cell)),
        address=lambda cell: web_address(cell.url) if isinstance(cell, Link) else None,
        claim=lambda cell: _anchor(cell.claim) if isinstance(cell, ClaimName) else None,
        empty=lambda cell: words(cell) in ("", units.UNKNOWN),
        breadth=_breadth,
        drawing=lambda chart: Markup(charts.svg(chart)),
    )
    return environment.from_string(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


def _groups(blocks: Sequence[Block]) -> Iterable[list[Block]]:
    """Blocks in order without the lead; charts that follow each other are one group and share a row."""
    row: list[Block] = []
    for block in blocks:
        if row and not isinstance(block, Chart):
            yield row
            row = []
        if isinstance(block, Chart):
            row.append(block)
        elif not (isinstance(block, Text) and block.lead):
            yield [block]
    if row:
        yield row


def _outcomes(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Outcomes that the rows can be filtered by; none where all have the same."""
    names = (row[0] for b in blocks if isinstance(b, Table) for row in b.rows)
    seen = {cell.outcome for cell in names if isinstance(cell, ClaimName)}
    return tuple(outcome for outcome in OUTCOMES if outcome in seen) if len(seen) > 1 else ()


def _breadth(cell: Cell) -> str:
    return "short" if max(map(len, printable_lines(words(cell))), default=0) <= _SHORT else "long"


def _shown(value: Any) -> Any:
    """What the template prints: printable, and not broken inside what is read as one thing."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return _PERCENT.sub("\N{NO-BREAK SPACE}%", _INTERVAL.sub(_unbroken, printable_line(value)))


def _unbroken(interval: re.Match[str]) -> str:
    low, high, times = (part.replace(" ", "\N{NO-BREAK SPACE}") for part in interval.groups())
    joined = f"\N{WORD JOINER}{times}" if times else ""
    return f"[{low},\N{NO-BREAK SPACE}{high}]{joined}"


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
