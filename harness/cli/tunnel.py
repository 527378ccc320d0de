"""`harness tunnel`: the cases here that match a sheet's reported figures. Options, help and their checks."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver
from harness.cli.options import Catalog, Format, Html, Json, Markdown, OutputFormat, Quiet, StorePath
from harness.errors import UsageError


def tunnel(
    sheet: Annotated[str, typer.Option("--sheet", help="Claim sheet: a file, or one that comes along.", metavar="S")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the matched cases and measure nothing; always needed so far.")
    ] = False,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Model to match with (repeatable); auto: scale models of many shapes."),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option("--record", help="Run that gives this host's ceilings (default: its latest).", metavar="RUN|FILE"),
    ] = None,
    budget_s: Annotated[
        float, typer.Option("--budget", min=1, help="Seconds that measuring all cases may take.", metavar="S")
    ] = 180.0,
    catalog: Catalog = None,
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html: Html = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    quiet: Quiet = False,
) -> int:
    """Match a sheet's figures with cases here, as a wind tunnel does.

    For every reported rate or ratio whose workload is known whole: its dimensionless groups (arithmetic over memory
    time, rows of an expert's product, experts activated, shares of attention and cache, positions, active
    parameters), the case here that comes closest within memory and time, and what could not be matched and why.

    \b
    Examples:
      harness tunnel --sheet deepseek-v4-ascend --dry-run
      harness tunnel --sheet cloudmatrix384-paper --dry-run --model moe-article --json
    """
    from harness.api.tunnel import tunnel as matched

    output = Output(form.value, json_file, html, markdown_file, quiet=quiet)
    output.check((*(catalog or ()), Path(sheet), *(() if record is None else (Path(record),))))
    if not dry_run:
        raise UsageError(
            "harness tunnel matches cases and measures none of them, expected --dry-run; to measure a case, name it in "
            "a config for harness run, or use harness bench"
        )
    result = matched(
        sheet,
        record=record,
        models_tried=tuple(model or ("auto",)),
        budget_s=budget_s,
        catalog=tuple(catalog or ()),
        store=store,
    )
    deliver(result, output)
    return 0
