"""`harness export`: one result table in the form that another service reads."""

from enum import StrEnum
from typing import Annotated

import typer

from harness.cli.options import StorePath


class ExportFormat(StrEnum):
    """What other services read."""

    github_bigger = "github-bigger"
    github_smaller = "github-smaller"
    bencher = "bencher"
    csv = "csv"


def export(
    table: Annotated[str, typer.Argument(help="Result file, or id or label of a stored run.", metavar="TABLE")],
    form: Annotated[ExportFormat, typer.Option("--format", help="What it is for.")] = ExportFormat.csv,
    store: StorePath = None,
) -> int:
    """Print a result table for another service.

    For github-action-benchmark, Bencher, or a spreadsheet.

    \b
    Examples:
      harness export latest --format github-bigger > output.json     customBiggerIsBetter
      harness export run.json --format bencher > bmf.json            Bencher Metric Format
      harness export llama.jsonl --format csv > table.csv
    """
    from harness.api.compare import export as exported

    typer.echo(exported(table, form.value, store=store), nl=False)
    return 0
