"""`harness compare`: result tables, each compared with the first."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver
from harness.cli.options import (
    FailOn,
    Html,
    Json,
    JUnit,
    Margin,
    Markdown,
    Quiet,
    RowFormat,
    StorePath,
    TableFormat,
    ThresholdsFile,
)


def compare(
    tables: Annotated[
        list[str], typer.Argument(help="Result files, or ids or labels of stored runs.", metavar="A B [C ...]")
    ],
    form: RowFormat = TableFormat.text,
    fail_on: FailOn = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="A setting, input or fact that does not matter (repeatable).", metavar="NAME"),
    ] = None,
    across_hosts: Annotated[
        bool, typer.Option("--across-hosts", help="Compare although the hosts differ: hosts, not programs.")
    ] = False,
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

    What differs around them, each row's decision, and the whole. Reads the JSON of harness, of pytest-benchmark and
    of llama-bench (JSON lines and CSV too), JSON or CSV of
    hyperfine and of Google Benchmark, and stored runs. Rows are matched by all their settings, never averaged.
    More than two tables are each compared with the first.

    \b
    Examples:
      harness compare before.json after.json
      harness compare main my-branch --fail-on slower:5%
      harness compare a.json b.json c.json --format markdown

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
    from harness.errors import UsageError

    if len(tables) < 2:
        raise UsageError("compare needs at least two tables: the first is what the others are compared with")
    output = Output(form.value, json_file, html, markdown_file, junit, quiet)
    output.check(Path(name) for name in tables)
    gates = gates_of(fail_on or ())
    choices = Choices(tuple(ignore or ()), across_hosts, thresholds, drift, margin)
    result = compared(*tables, choices=choices, store=store)
    deliver(result, output, csv=result.to_csv, junit=lambda: result.to_junit(gates))
    return result.exit_code(gates)
