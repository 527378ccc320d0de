"""`harness self-test`: how many seeded errors the judges catch, and how many published rates they call false."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver, say, width
from harness.cli.options import Catalog, Format, Html, Json, Markdown, OutputFormat, Quiet
from harness.cli.progress import counted

FAILED = 3


def self_test(
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html: Html = None,
    markdown_file: Markdown = None,
    catalog: Catalog = None,
    missed: Annotated[bool, typer.Option("--missed", help="Name the seeded errors that were not caught.")] = False,
    calibration: Annotated[
        bool,
        typer.Option("--calibration", help="Predict each published rate from the others: coverage, width and error."),
    ] = False,
    quiet: Quiet = False,
) -> int:
    """Test the judges on seeded errors and published rates.

    Every published rate that states its conditions is judged with its own publication left out, once as it is and
    once for each way of making it false. Ends with 3 where a required share is not reached. With --calibration the
    intervals are tested instead of the judges: how many rates of publications left out lie inside, and how wide they
    are; ends with 3 where a group holds too few.

    \b
    Examples:
      harness self-test
      harness self-test --json -
      harness self-test --calibration
    """
    from harness.api.judge import self_test as tested
    from harness.report import error_rates, text

    output = Output(form.value, json_file, html, markdown_file, quiet=quiet)
    output.check(catalog or ())
    if calibration:
        return _calibrated(tuple(catalog or ()), output)
    result = tested(tuple(catalog or ()))
    shown = error_rates.self_test_blocks(result.found, missed=missed)
    deliver(result, output, text=lambda: text.render(shown, width=width()))
    return 0 if result.found.passed else FAILED


def _calibrated(catalog: tuple[Path, ...], output: Output) -> int:
    from harness.api.judge import calibration

    with counted("rates predicted", quiet=output.quiet) as told:
        result = calibration(catalog, told)
    deliver(result, output)
    return FAILED if result.found.amiss or result.found.refuted else 0


def controls(
    form: Format = OutputFormat.text,
    json_file: Json = None,
    catalog: Catalog = None,
    missed: Annotated[bool, typer.Option("--missed")] = False,
) -> int:
    """The name of `harness self-test` up to 0.1.0."""
    say("harness controls is called harness self-test now")
    return self_test(form, json_file, None, None, catalog, missed=missed)
