"""What a report is made of: headings, paragraphs, tables, charts.

A report is built once and rendered three ways (text, markdown, HTML): a block says what it means, not how it looks.
Charts carry their numbers, not a picture, and each comes with the table of the same numbers.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.stats import Estimate, Interval
from harness.vocabulary import Frozen, ModelRole


class Link(Frozen):
    """Words with the address that they come from."""

    text: str
    url: str


class ClaimName(Frozen):
    """Words that name a claim. A format may link a claim's row to its evidence, and show rows of one outcome only."""

    text: str
    claim: str
    outcome: str


Cell = str | Link | ClaimName


def words(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


class Column(Frozen):
    """A column's heading. `meaning` lets a format mark what the words already say.

    A plain cell's first line says it and later lines explain; in a list all lines weigh the same. A `spare` column may
    be left out where there is no room for it.
    """

    name: str
    spare: bool = False
    align: Literal["left", "right"] = "left"
    meaning: Literal["plain", "outcome", "list"] = "plain"


def columns(*headings: str, outcome: str | None = None) -> tuple[Column, ...]:
    """Columns of plain cells; a heading behind `>` stands over figures, which end at the right, one behind `?` may be
    left out."""
    return tuple(
        Column(
            name=h.lstrip("?>"),
            align="right" if ">" in h[:2] else "left",
            spare=h.startswith("?"),
            meaning="outcome" if h == outcome else "plain",
        )
        for h in headings
    )


class Heading(Frozen):
    kind: Literal["heading"] = "heading"
    level: int = Field(ge=1, le=3)
    text: str
    folded: bool = Field(default=False, description="stands over blocks that a terminal shows only when asked")


class Text(Frozen):
    """A paragraph. `lead` marks the one sentence to read if only one is read; `last` one that a terminal shows at the
    end, where it is seen."""

    kind: Literal["text"] = "text"
    text: str
    lead: bool = False
    last: bool = False


class Bullets(Frozen):
    kind: Literal["bullets"] = "bullets"
    items: tuple[str, ...]


class Callout(Frozen):
    """What a reader must not miss."""

    kind: Literal["callout"] = "callout"
    tone: Literal["note", "warning"]
    text: str


class Table(Frozen):
    """Rows of text. `narrow` says what becomes of it on a phone: each row a card, or the whole a grid that scrolls.
    With `lines` every row is one line of a terminal, in which the first cell is shortened."""

    kind: Literal["table"] = "table"
    title: str
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[tuple[Cell, ...], ...]
    note: str | None = None
    narrow: Literal["cards", "scroll"] = "scroll"
    lines: bool = False

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"each row of '{self.title}' needs {len(self.columns)} cells")
        return self


class RatePoint(Frozen):
    batch: int
    rate_tok_s: Estimate


class ChartSeries(Frozen):
    """One model's rates over batch."""

    name: str
    role: ModelRole
    points: tuple[RatePoint, ...] = Field(min_length=1)


class ThroughputData(Frozen):
    """Rates against batch, one phase."""

    kind: Literal["throughput"] = "throughput"
    phase: str
    series: tuple[ChartSeries, ...] = Field(min_length=1)


class Roof(Frozen):
    """The rates that a host reaches at best: reading memory, and multiplying at one precision."""

    precision: str
    read_bytes_s: float = Field(gt=0)
    flop_s: float = Field(gt=0)


class RoofPoint(Frozen):
    """A measured case by its arithmetic intensity (least bytes) and the arithmetic that it got through."""

    name: str
    role: ModelRole
    phase: str
    batch: int
    flop_per_byte: float = Field(gt=0)
    flop_s: Estimate


class RooflineData(Frozen):
    """Measured cases under the host's roofs."""

    kind: Literal["roofline"] = "roofline"
    roofs: tuple[Roof, ...] = Field(min_length=1)
    points: tuple[RoofPoint, ...] = Field(min_length=1)


class ReportedRate(Frozen):
    """A reported rate with the ceiling and the usual range for it; either may be unknown, not both."""

    name: str
    outcome: str | None
    reported_tok_s: float = Field(gt=0)
    ceiling_tok_s: float | None = Field(default=None, gt=0)
    usual_tok_s: Interval | None = None


class ReportedData(Frozen):
    """Reported rates against ceilings and usual ranges."""

    kind: Literal["reported"] = "reported"
    rates: tuple[ReportedRate, ...] = Field(min_length=1)


class Chart(Frozen):
    """A chart by its data. `description` says in words what the picture shows, for those who do not see it."""

    kind: Literal["chart"] = "chart"
    name: str = Field(pattern=r"^[a-z0-9-]+$", description="unique in a report")
    title: str
    description: str
    data: Annotated[ThroughputData | RooflineData | ReportedData, Field(discriminator="kind")]
    table: Table


class Details(Frozen):
    """Blocks behind a summary line. Where there is no room for them, the lines of `brief` stand in their place."""

    kind: Literal["details"] = "details"
    summary: str
    outcome: str | None = Field(default=None, description="the outcome that a format may set beside the summary")
    claim: str | None = Field(default=None, description="the claim whose evidence this is")
    brief: str
    folded: bool = Field(default=False, description="a terminal shows not even `brief` unless asked")
    blocks: tuple[Heading | Text | Bullets | Callout | Table, ...]


Block = Annotated[Heading | Text | Bullets | Callout | Table | Chart | Details, Field(discriminator="kind")]


class Report(Frozen):
    """Blocks in the order in which a newcomer reads them."""

    title: str
    blocks: tuple[Block, ...]
