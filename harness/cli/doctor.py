"""`harness doctor`: what makes this host noisy and what could be done. Changes nothing. Imports nothing heavy."""

import time
from typing import Annotated

import typer

NOISY = 5
LOOK_S = 3.0
"""Long enough for some hundred ticks of the kernel's clock, by which it counts processor time."""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Say what makes timings on this host noisy, and what could be done. Takes a few seconds, changes nothing.

    Ends with 5 where something would spoil a measurement now.

    \b
    Examples:
      harness doctor
      harness doctor --json
    """
    from harness.files import strict
    from harness.measure.host import noise
    from harness.measure.worker import reference_kernel

    before, start, reference_kernel_s = noise.look(), time.monotonic(), list[float]()
    while time.monotonic() - start < LOOK_S:
        reference_kernel_s += reference_kernel()
    found = noise.signs(before, noise.look(), time.monotonic() - start, reference_kernel_s)
    noisy = any(sign.state == "noisy" for sign in found)
    if as_json:
        body = {"schema": 1, "kind": "doctor", "fit": not noisy, "signs": [s.model_dump() for s in found]}
        typer.echo(strict.encode_json(body), nl=False)
    else:
        from tabulate import tabulate

        rows = [(s.state, s.name, s.found, s.advice) for s in found]
        headers = ("", "what", "found", "what could be done")
        typer.echo(tabulate(rows, headers=headers, disable_numparse=True, maxcolwidths=[None, None, 50, 40]))
    return NOISY if noisy else 0
