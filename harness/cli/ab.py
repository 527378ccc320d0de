"""`harness ab`: two sides measured in turn on this host, and compared."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver, session, viewed
from harness.cli.options import (
    All,
    FailOn,
    Force,
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
    Wait,
)

NOTHING_COMPARED = 5


def ab(
    old: Annotated[Path, typer.Argument(help="Config of the side to compare with.", metavar="CONFIG")],
    new: Annotated[
        Path | None, typer.Argument(help="Config of the other side (default: the same).", metavar="[NEW]")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value of 'measure' for the other side (repeatable).", metavar="NAME=VALUE"),
    ] = None,
    base_python: Annotated[
        Path | None,
        typer.Option("--base-python", help="Interpreter of the environment compared with.", metavar="PATH"),
    ] = None,
    head_python: Annotated[
        Path | None, typer.Option("--head-python", help="Interpreter of the other environment.", metavar="PATH")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="Revision of harness compared with (default: see below).", metavar="REV"),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option("--head", help="Revision of the other side; '.' is the working tree.", metavar="REV"),
    ] = None,
    budget_s: Annotated[
        float | None, typer.Option("--budget", min=1, help="Seconds after which no further pair starts.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the order in which the sides run.")] = 0,
    form: RowFormat = TableFormat.text,
    fail_on: FailOn = None,
    only: Only = None,
    sort: Sort = None,
    everything: All = False,
    thresholds: ThresholdsFile = None,
    margin: Margin = None,
    json_file: Json = None,
    markdown_file: Markdown = None,
    junit: JUnit = None,
    html: Html = None,
    store: StorePath = None,
    wait: Wait = False,
    force: Force = False,
    quiet: Quiet = False,
) -> int:
    """Measure two sides in turn and compare them.

    One fresh process each, until every case is decided. Interim analyses after 10, 20, 40, 80 and 160 pairs. Each
    process's observations are kept before the next one starts.

    The sides are two configs, two settings, or two environments of harness: other versions of harness, of ONNX
    Runtime or of numpy (another program's revisions are not compared). An environment without harness is
    measured with this one's worker. --base and --head name revisions of the repository that you are in: each is
    installed in an environment of its own, kept by commit beside the store. --base alone is compared with the
    working tree; --head alone with the commit where it left the default branch. Both sides measure the head's
    config.

    \b
    Examples:
      harness ab configs/ab.yaml --set threads=1
      harness ab configs/ab.yaml --base-python old/bin/python --head-python new/bin/python --fail-on slower:5%
      harness ab before.yaml after.yaml --budget 300
      harness ab configs/ab.yaml --head . --fail-on slower:5% --markdown out/ab.md --junit out/ab.xml
      harness ab configs/ab.yaml --base v0.1.0 --head HEAD

    \b
    Exit codes: 0, or what --fail-on says; 5 where nothing could be compared.
    """
    from harness.api.ab import Order
    from harness.api.ab import ab as measured
    from harness.api.compare import Choices, gates_of
    from harness.api.sides import Wanted

    output = Output(form.value, json_file, html, markdown_file, junit, quiet)
    output.check()
    gates = gates_of(fail_on or ())
    result = measured(
        Wanted(old, new, tuple(settings or ()), base_python, head_python, base, head),
        order=Order(seed, budget_s),
        choices=Choices(file=thresholds, margin=margin),
        session=session(store, quiet=quiet, wait=wait, force=force),
    )
    result = result.model_copy(update={"view": viewed(only, sort, everything)})
    deliver(result, output, csv=result.to_csv, junit=lambda: result.to_junit(gates))
    return result.exit_code(gates) or (0 if result.comparisons[0].compared else NOTHING_COMPARED)
