"""How `harness compare`, `export`, `history` and `baseline` are asked for: options and help. Imports nothing heavy."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ComparisonFormat(StrEnum):
    """How a comparison is printed."""

    text = "text"
    markdown = "markdown"
    csv = "csv"
    json = "json"


class ExportFormat(StrEnum):
    """What other services read."""

    github_bigger = "github-bigger"
    github_smaller = "github-smaller"
    bencher = "bencher"
    csv = "csv"


class HistoryFormat(StrEnum):
    """How a history is printed."""

    text = "text"
    markdown = "markdown"
    json = "json"


StorePath = Annotated[
    Path | None, typer.Option("--store", help="Where runs are kept (default: .harness/store.sqlite).", metavar="PATH")
]


def compare(
    tables: Annotated[
        list[str], typer.Argument(help="Result files, or ids or labels of stored runs.", metavar="A B [C ...]")
    ],
    form: Annotated[ComparisonFormat, typer.Option("--format", help="How it is printed.")] = ComparisonFormat.text,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", help="End with an error code for this (repeatable), see below.", metavar="WHAT[:N%]"),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="A setting, input or fact that does not matter (repeatable).", metavar="NAME"),
    ] = None,
    across_hosts: Annotated[
        bool, typer.Option("--across-hosts", help="Compare although the hosts differ: hosts, not programs.")
    ] = False,
    thresholds: Annotated[
        Path | None,
        typer.Option("--thresholds", help="Margins and drift (default: harness.toml, if there).", metavar="FILE"),
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", min=0.0001, max=0.99, help="Change that does not matter (0.03: 3 %).")
    ] = None,
    drift: Annotated[
        float | None,
        typer.Option("--drift", min=0, max=0.99, help="Spread of this host's sessions for identical code."),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.", metavar="FILE")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write one self-contained page.", metavar="FILE")] = None,
    store: StorePath = None,
) -> int:
    """Compare result tables: what differs around them, each row's decision, and the whole.

    Reads a harness JSON, a pytest-benchmark JSON, llama-bench's JSON, JSON lines or CSV, hyperfine's JSON,
    Google Benchmark's JSON or CSV, and stored runs. Rows are matched by all their settings, never averaged.
    More than two tables are each compared with the first.

    \b
    Examples:
      harness compare before.json after.json
      harness compare main my-branch --fail-on slower:5%
      harness compare a.json b.json c.json --format markdown

    \b
    --fail-on: slower, faster, warn (exit 3), undecided (4), not-comparable, missing (5). With a percentage
    only for a change that is surely larger. With any --fail-on, nothing comparable at all ends with 5.

    \b
    harness.toml:
      [compare]
      margin = 0.03                 # a change that does not matter
      drift = 0.05                  # of this host, between sessions
      [[compare.rules]]
      margin = 0.05
      where = {phase = "decode"}
    """
    from harness.cli.contrast import CompareOptions, compare_command

    return compare_command(
        CompareOptions(
            tables=tuple(tables),
            form=form.value,
            fail_on=tuple(fail_on or ()),
            ignore=tuple(ignore or ()),
            across_hosts=across_hosts,
            thresholds=thresholds,
            margin=margin,
            drift=drift,
            junit=junit,
            html=html,
            store=store,
        )
    )


def export(
    table: Annotated[str, typer.Argument(help="Result file, or id or label of a stored run.", metavar="TABLE")],
    form: Annotated[ExportFormat, typer.Option("--format", help="What it is for.")] = ExportFormat.csv,
    store: StorePath = None,
) -> int:
    """Print a result table for another service: github-action-benchmark, Bencher, or a spreadsheet.

    \b
    Examples:
      harness export latest --format github-bigger > output.json     customBiggerIsBetter
      harness export run.json --format bencher > bmf.json            Bencher Metric Format
      harness export llama.jsonl --format csv > table.csv
    """
    from harness.cli.contrast import export_command

    return export_command(table, form.value, store)


def history(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Files or stored runs, oldest first (default: all stored runs).")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only cases with this setting (repeatable).", metavar="NAME=VALUE"),
    ] = None,
    form: Annotated[HistoryFormat, typer.Option("--format", help="How it is printed.")] = HistoryFormat.text,
    margin: Annotated[
        float, typer.Option("--margin", min=0.0001, max=0.99, help="Changes of level below it are not reported.")
    ] = 0.03,
    no_changes: Annotated[bool, typer.Option("--no-changes", help="Do not look for changes of level.")] = False,
    store: StorePath = None,
) -> int:
    """Show each case over time, and since which run its level has changed. Reports; never fails a build.

    \b
    Examples:
      harness history
      harness history --where phase=decode --format json
    """
    from harness.cli.trends import HistoryOptions, history_command

    return history_command(
        HistoryOptions(
            tables=tuple(tables or ()),
            where=tuple(where or ()),
            form=form.value,
            margin=margin,
            changes=not no_changes,
            store=store,
        )
    )


baseline = typer.Typer(help="The stored run that others are compared with.", no_args_is_help=True)


@baseline.command("set")
def baseline_set(
    name: Annotated[str, typer.Argument(help="Id or label of a stored run.", metavar="ID")], store: StorePath = None
) -> int:
    """Remember a run; `harness compare baseline latest` then finds it."""
    from harness.cli.baseline import baseline_set

    return baseline_set(name, store)


@baseline.command("show")
def baseline_show(store: StorePath = None) -> int:
    """Print the id of the run that was set."""
    from harness.cli.baseline import baseline_show

    return baseline_show(store)
