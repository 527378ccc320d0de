"""`harness calibrate`: the false-positive rate and the power of `harness ab` on this host."""

from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver, session
from harness.cli.options import Force, Format, Html, Json, Markdown, OutputFormat, Quiet, StorePath, Wait


def calibrate(
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Comparisons of identical code to have in all.", metavar="N")
    ] = 20,
    budget_s: Annotated[
        float, typer.Option("--budget", min=0, help="Seconds after which no further comparison starts; 0: only show.")
    ] = 600.0,
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html: Html = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    wait: Wait = False,
    force: Force = False,
    quiet: Quiet = False,
) -> int:
    """Measure how often 'ab' is wrong on this host.

    Compares a small model with itself, and with itself made slower by 3, 5 and 10 % (real work added to each
    step), by the procedure of 'harness ab', on one thread. Later verdicts quote what was found, from 20 comparisons
    of identical code on. One comparison of all four sizes takes one minute to seven, by the noise; each is kept when
    it is whole. Comparisons of an earlier procedure or of another ONNX Runtime are kept too, and not counted.

    \b
    Examples:
      harness calibrate --budget 600       ten minutes of it; again to go on
      harness calibrate --budget 0         show what is known
    """
    from harness.api.calibration import calibrate as measured
    from harness.api.compare import Choices

    output = Output(form.value, json_file, html, markdown_file, quiet=quiet)
    output.check()
    here = session(store, quiet=quiet, wait=wait, force=force)
    deliver(measured(trials, budget_s, thresholds=Choices().thresholds(), session=here), output)
    return 0
