"""`harness compare`: result tables, each compared with the first."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver, viewed
from harness.cli.options import (
    All,
    FailOn,
    Html,
    Json,
    JUnit,
    Margin,
    Markdown,
    Only,
    Quiet,
    RowFormat,
    Sort,
    StorePath,
    TableFormat,
    ThresholdsFile,
)


def compare(
    tables: Annotated[
        list[str], typer.Argument(help="Result files, or ids or labels of stored runs.", metavar="A [B ...]")
    ],
    form: RowFormat = TableFormat.text,
    fail_on: FailOn = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="A setting, input or fact that does not matter (repeatable).", metavar="NAME"),
    ] = None,
    common_settings: Annotated[
        bool, typer.Option("--common-settings", help="Ignore every setting that not all rows of both tables state.")
    ] = False,
    across_hosts: Annotated[
        bool, typer.Option("--across-hosts", help="Compare although the hosts differ: hosts, not programs.")
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Compare only rows with this setting, or part of a name (repeatable).",
            metavar="[NAME=]VALUE",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Compare inside one table: the values of this setting.", metavar="NAME"),
    ] = None,
    only: Only = None,
    sort: Sort = None,
    everything: All = False,
    thresholds: ThresholdsFile = None,
    margin: Margin = None,
    drift: Annotated[
        float | None,
        typer.Option("--drift", min=0, max=0.99, help="Spread of this host's sessions for identical code."),
    ] = None,
    json_file: Json = None,
    markdown_file: Markdown = None,
    junit: JUnit = None,
    html: Html = None,
    store: StorePath = None,
    quiet: Quiet = False,
) -> int:
    """Compare result tables with the first of them.

    A line for each row: both values, the change of speed (above zero is faster, whatever the metric) with its
    interval, the number of samples, a word, and a letter for the reason below. Reads the results of harness, of
    stored runs and of many other tools. Rows are matched by all their settings, never averaged. More than two tables
    are each compared with the first. --only, --sort and --all change what is printed, and neither what is decided nor
    JSON, CSV and JUnit.

    \b
    Examples:
      harness compare before.json after.json
      harness compare main my-branch --fail-on slower:5%
      harness compare a.json b.json c.json --format markdown
      harness compare before.json after.json --only changed --sort change
      harness compare before.json after.json --filter phase=decode
      harness compare sweep.jsonl --by flash_attn
      harness compare hyperfine.json --by command

    \b
    --fail-on: slower, faster, warn (exit 3), undecided (4), unmeasurable, not-comparable, missing (5). With a
    percentage only where the whole interval shown is beyond it. With any --fail-on, nothing comparable, or nothing
    measurable, ends with 5.

    \b
    harness.toml:
      [compare]
      margin = 0.03                 # a change that does not matter
      drift = 0.05                  # of this host, between sessions
      [[compare.rules]]
      margin = 0.05
      where = {phase = "decode"}
    """
    from harness.api.compare import Choices, gates_of
    from harness.api.compare import compare as compared

    output = Output(form.value, json_file, html, markdown_file, junit, quiet)
    output.check(Path(name) for name in tables)
    gates = gates_of(fail_on or ())
    choices = Choices(
        tuple(ignore or ()), across_hosts, thresholds, drift, margin, tuple(filters or ()), by, common_settings
    )
    result = compared(*tables, choices=choices, store=store)
    result = result.model_copy(update={"view": viewed(only, sort, everything)})
    deliver(result, output, csv=result.to_csv, junit=lambda: result.to_junit(gates))
    return result.exit_code(gates)
