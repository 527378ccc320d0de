"""`harness doctor`: what makes this host noisy and what could be done. Changes nothing."""

from harness.cli.delivery import Output, deliver
from harness.cli.options import Format, Json, Markdown, OutputFormat, Quiet

NOISY = 5


def doctor(
    form: Format = OutputFormat.text, json_file: Json = None, markdown_file: Markdown = None, quiet: Quiet = False
) -> int:
    """Say what makes timings on this host noisy.

    And what could be done. Takes a few seconds and changes nothing. Ends with 5 where something would spoil a
    measurement now.

    \b
    Examples:
      harness doctor
      harness doctor --json -
    """
    from harness.api.reference import doctor as looked

    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    found = looked()
    deliver(found, output)
    return NOISY if any(row["state"] == "noisy" for row in found.entries) else 0
