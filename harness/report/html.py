"""A report as one self-contained page: opens offline, runs no script, follows the reader's light or dark setting.

What the page says comes from the blocks; how it looks is in page.html and page.css beside this module. All foreign
text is escaped by the template, and a content policy forbids the page to load or run anything.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from harness import units
from harness.files.text import printable_line, printable_lines, web_address
from harness.report import charts
from harness.report.blocks import (
    Block,
    Bullets,
    Callout,
    Cell,
    Chart,
    ClaimName,
    Column,
    Details,
    Heading,
    Link,
    Report,
    Table,
    words,
)
from harness.report.blocks import Text as Paragraph
from harness.report.verdicts import OUTCOMES

if TYPE_CHECKING:
    from jinja2 import Template


_INTERVAL = re.compile(r"\[([^\[\]]{1,24}), ([^\[\]]{1,24})\](×?)")
_PERCENT = re.compile(r"(?<=\d) %")
_SHORT = 28  # characters of a cell that is not broken in a table that scrolls sideways


@dataclass(frozen=True)
class _Cell:
    lines: tuple[str, ...]
    url: str | None
    empty: bool
    breadth: str
    claim: str = ""
    outcome: str = ""


@dataclass(frozen=True)
class _Table:
    kind: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[_Cell, ...], ...]
    note: str | None
    narrow: str


@dataclass(frozen=True)
class _Drawn:
    title: str
    description: str
    svg: str
    table: _Table


@dataclass(frozen=True)
class _Part:
    """What the template needs of any other block; unused fields stay empty."""

    kind: str
    text: str = ""
    id: str = ""
    level: int = 2
    tone: str = ""
    items_: tuple[str, ...] = ()
    summary: str = ""
    badge: str = ""
    blocks: "tuple[_Part | _Table, ...]" = ()
    charts: tuple[_Drawn, ...] = field(default=())


def render(report: Report) -> str:
    """The page, as text to be written as UTF-8."""
    from markupsafe import Markup

    parts = tuple(_parts(report.blocks))
    lead = next((b.text for b in report.blocks if isinstance(b, Paragraph) and b.lead), None)
    # Our own file, and the only text beside the drawings that is not escaped.
    css = Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8"))
    return _template().render(
        title=_line(report.title),
        lead=_line(lead) if lead else None,
        sections=[(p.id, p.text) for p in parts if isinstance(p, _Part) and p.kind == "heading" and p.level == 2],
        blocks=parts,
        outcomes=_outcomes(report.blocks),
        css=css,
    )


def _outcomes(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Outcomes that the rows can be filtered by; none where all have the same."""
    seen = {
        cell.outcome
        for b in blocks
        if isinstance(b, Table)
        for row in b.rows
        for cell in row[:1]
        if isinstance(cell, ClaimName)
    }
    return tuple(outcome for outcome in OUTCOMES if outcome in seen) if len(seen) > 1 else ()


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False, keep_trailing_newline=True)
    return environment.from_string(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


def _parts(blocks: Sequence[Block]) -> Iterable[_Part | _Table]:
    """Blocks for the template, in order; charts that follow each other share a row."""
    gathered: list[Chart] = []
    for block in blocks:
        if isinstance(block, Chart):
            gathered.append(block)
            continue
        if gathered:
            yield _drawn(gathered)
            gathered = []
        if not (isinstance(block, Paragraph) and block.lead):
            yield _part(block)
    if gathered:
        yield _drawn(gathered)


def _part(block: Heading | Paragraph | Bullets | Callout | Table | Details) -> _Part | _Table:
    match block:
        case Heading():
            return _Part(kind="heading", text=_line(block.text), level=block.level, id=_anchor(block.text))
        case Paragraph():
            return _Part(kind="text", text=_line(block.text))
        case Bullets():
            return _Part(kind="bullets", items_=tuple(_line(item) for item in block.items))
        case Callout():
            return _Part(kind="callout", tone=block.tone, text=_line(block.text))
        case Table():
            return _table(block)
        case Details():
            return _Part(
                kind="details",
                summary=_line(block.summary),
                badge=block.outcome or "",
                id=_anchor(block.claim) if block.claim else "",
                blocks=tuple(_part(inner) for inner in block.blocks),
            )


def _table(block: Table) -> _Table:
    return _Table(
        kind="table",
        title=_line(block.title),
        columns=block.columns,
        rows=tuple(tuple(_cell(cell) for cell in row) for row in block.rows),
        note=_line(block.note) if block.note else None,
        narrow=block.narrow,
    )


def _cell(cell: Cell) -> _Cell:
    text = words(cell)
    url = web_address(cell.url) if isinstance(cell, Link) else None
    kept = tuple(_tidy(part) for part in printable_lines(text))
    breadth = "short" if max((len(part) for part in kept), default=0) <= _SHORT else "long"
    made = _Cell(lines=kept, url=url, empty=text in ("", units.UNKNOWN), breadth=breadth)
    if isinstance(cell, ClaimName):
        return replace(made, claim=_anchor(cell.claim), outcome=_anchor(cell.outcome))
    return made


def _line(text: str) -> str:
    return _tidy(printable_line(text))


def _tidy(text: str) -> str:
    """What is read as one thing does not break over lines: an interval, a number and its per cent."""
    return _PERCENT.sub("\N{NO-BREAK SPACE}%", _INTERVAL.sub(_unbroken, text))


def _unbroken(interval: re.Match[str]) -> str:
    low, high, times = (part.replace(" ", "\N{NO-BREAK SPACE}") for part in interval.groups())
    joined = f"\N{WORD JOINER}{times}" if times else ""
    return f"[{low},\N{NO-BREAK SPACE}{high}]{joined}"


def _drawn(gathered: Sequence[Chart]) -> _Part:
    from markupsafe import Markup

    drawn = tuple(
        _Drawn(
            title=_line(chart.title),
            description=_line(chart.description),
            svg=Markup(charts.svg(chart)),
            table=_table(chart.table),
        )
        for chart in gathered
    )
    return _Part(kind="charts", charts=drawn)


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
