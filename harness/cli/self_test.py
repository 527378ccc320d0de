"""`harness self-test`: how many seeded errors the judges catch, and how many published rates they call false."""

from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver, say, width
from harness.cli.options import Catalog, Format, Html, Json, Markdown, OutputFormat, Quiet

FAILED = 3


def self_test(
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html: Html = None,
    markdown_file: Markdown = None,
    catalog: Catalog = None,
    missed: Annotated[bool, typer.Option("--missed", help="Name the seeded errors that were not caught.")] = False,
    quiet: Quiet = False,
) -> int:
    """Test the judges on seeded errors and published rates.

    Every published rate that states its conditions is judged with its own publication left out, once as it is and
    once for each way of making it false. Ends with 3 where a required share is not reached.

    \b
    Examples:
      harness self-test
      harness self-test --json -
    """
    from harness.api.judge import self_test as tested
    from harness.report import error_rates, text

    output = Output(form.value, json_file, html, markdown_file, quiet=quiet)
    output.check(catalog or ())
    result = tested(tuple(catalog or ()))
    shown = error_rates.self_test_blocks(result.found, missed=missed)
    deliver(result, output, text=lambda: text.render(shown, width=width()))
    return 0 if result.found.passed else FAILED


def controls(
    form: Format = OutputFormat.text,
    json_file: Json = None,
    catalog: Catalog = None,
    missed: Annotated[bool, typer.Option("--missed")] = False,
) -> int:
    """The name of `harness self-test` up to 0.1.0."""
    say("harness controls is called harness self-test now")
    return self_test(form, json_file, None, None, catalog, missed)
