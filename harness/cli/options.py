"""Options that several commands have, said once: their names, their help, and what they take."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OutputFormat(StrEnum):
    """How a result is printed."""

    text = "text"
    markdown = "markdown"
    json = "json"


class TableFormat(StrEnum):
    """How a result is printed that is a table of rows."""

    text = "text"
    markdown = "markdown"
    csv = "csv"
    json = "json"


class Shown(StrEnum):
    """Which rows of a comparison are printed."""

    changed = "changed"
    slower = "slower"
    faster = "faster"
    warn = "warn"
    same = "same"
    undecided = "undecided"
    unmeasurable = "unmeasurable"
    not_comparable = "not-comparable"


class SortBy(StrEnum):
    """The order in which rows of a comparison are printed."""

    change = "change"
    name = "name"


Format = Annotated[OutputFormat, typer.Option("--format", help="How the result is printed on stdout.")]
RowFormat = Annotated[TableFormat, typer.Option("--format", help="How the result is printed on stdout.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the result as JSON; - prints it.", metavar="FILE|-")]
Html = Annotated[Path | None, typer.Option("--html", help="Write one self-contained page.", metavar="FILE")]
Markdown = Annotated[Path | None, typer.Option("--markdown", help="Write it for a pull request.", metavar="FILE")]
JUnit = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.", metavar="FILE")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")]
QuietOnly = Annotated[bool, typer.Option("--quiet", help="Nothing on stderr but errors.")]
Details = Annotated[bool, typer.Option("--details", help="Print everything: evidence, host, scaled figures.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 3 for a refuted claim, 4 for an undecided one.")]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="Where runs are kept (default: .harness/store.sqlite).", metavar="PATH")
]
Catalog = Annotated[
    list[Path] | None, typer.Option("--catalog", help="Your own chips, models and rates (repeatable).", metavar="FILE")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for another run on this host to end.")]
Force = Annotated[bool, typer.Option("--force", help="Measure beside another run, although both spoil each other.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option("--fail-on", help="End with an error code for this (repeatable), see below.", metavar="WHAT[:N%]"),
]
ThresholdsFile = Annotated[
    Path | None,
    typer.Option("--thresholds", help="Margins and drift (default: harness.toml, if there).", metavar="FILE"),
]
Margin = Annotated[
    float | None, typer.Option("--margin", min=0.0001, max=0.99, help="Change that does not matter (0.03: 3 %).")
]
Only = Annotated[
    list[Shown] | None,
    typer.Option("--only", help="Print these rows and count the others (repeatable).", metavar="changed|WORD"),
]
Sort = Annotated[
    SortBy | None, typer.Option("--sort", help="Order of rows: slowest first, or by name (default: as in the files).")
]
All = Annotated[bool, typer.Option("--all", help="Print every setting, difference, reason and lone row.")]

LATEST = "latest"
