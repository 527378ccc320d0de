"""`harness doctor`: what makes this host noisy and what could be done. Changes nothing."""

import time

from harness.cli.delivery import Output, deliver
from harness.cli.options import Format, Json, Markdown, OutputFormat, Quiet

NOISY = 5
WATCHED_S = 3.0
"""Long enough for some hundred ticks of the kernel's clock, by which it counts processor time."""


def doctor(
    form: Format = OutputFormat.text, json_file: Json = None, markdown_file: Markdown = None, quiet: Quiet = False
) -> int:
    """Say what makes timings on this host noisy.

    And what could be done. Takes a few seconds and changes nothing. Ends with 5 where something would spoil a measurement now.

    \b
    Examples:
      harness doctor
      harness doctor --json -
    """
    from harness.api.result import Listing
    from harness.files import strict
    from harness.measure.host import noise
    from harness.measure.worker import reference_kernel

    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    before, start, reference_kernel_s = noise.look(), time.monotonic(), list[float]()
    while time.monotonic() - start < WATCHED_S:
        reference_kernel_s += reference_kernel()
    found = noise.signs(before, noise.look(), time.monotonic() - start, reference_kernel_s)
    noisy = any(sign.state == "noisy" for sign in found)

    def text() -> str:
        from tabulate import tabulate

        rows = [(s.state, s.name, s.found, s.advice) for s in found]
        headers = ("", "what", "found", "what could be done")
        return str(tabulate(rows, headers=headers, disable_numparse=True, maxcolwidths=[None, None, 50, 40])) + "\n"

    def as_json() -> str:
        body = {"schema": 1, "kind": "doctor", "fit": not noisy, "signs": [s.model_dump() for s in found]}
        return strict.encode_json(body)

    entries = tuple(sign.model_dump() for sign in found)
    deliver(Listing(kind="doctor", title="This host", entries=entries), output, text=text, json=as_json)
    return NOISY if noisy else 0
