"""`harness history`: each case over time."""

from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver
from harness.cli.options import Format, Html, Json, Markdown, OutputFormat, Quiet, StorePath


def history(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Files or stored runs, oldest first (default: all stored runs).")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only cases with this setting (repeatable).", metavar="NAME=VALUE"),
    ] = None,
    form: Format = OutputFormat.text,
    margin: Annotated[
        float, typer.Option("--margin", min=0.0001, max=0.99, help="Changes of level below it are not reported.")
    ] = 0.03,
    no_changes: Annotated[bool, typer.Option("--no-changes", help="Do not look for changes of level.")] = False,
    json_file: Json = None,
    html: Html = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    quiet: Quiet = False,
) -> int:
    """Show each case over time and where its level changed.

    Reports; never fails a build.

    \b
    Examples:
      harness history
      harness history --where phase=decode --format json
    """
    from harness.api.compare import history as followed

    output = Output(form.value, json_file, html, markdown_file, quiet=quiet)
    output.check()
    result = followed(tuple(tables or ()), where=tuple(where or ()), margin=margin, search=not no_changes, store=store)
    deliver(result, output)
    return 0
