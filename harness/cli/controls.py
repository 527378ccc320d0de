"""`harness controls`: how many seeded lies the judges catch, and how many true rates they damn. Computes nothing."""

from pathlib import Path
from typing import Annotated

import typer

FAILED = 3


def controls(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    catalog: Annotated[
        list[Path] | None,
        typer.Option("--catalog", help="Your own chips, models and rates (repeatable).", metavar="FILE"),
    ] = None,
    missed: Annotated[bool, typer.Option("--missed", help="Name the seeded errors that were not caught.")] = False,
) -> int:
    """Measure the judges: share of seeded false claims caught, and of published rates wrongly damned.

    Every published rate that states its conditions is judged with its own publication left out, once as it is and
    once for each way of making it false. Ends with 3 where a required share is not reached.

    \b
    Examples:
      harness controls
      harness controls --json
    """
    from harness.catalog.collection import with_files
    from harness.report import error_rates as shown
    from harness.report import text
    from harness.verdict.knowledge import knowledge_of
    from harness.verdict.selftest import run_self_test

    found = run_self_test(knowledge_of(with_files(tuple(catalog)) if catalog else None))
    if as_json:
        typer.echo(shown.self_test_json(found), nl=False)
    else:
        typer.echo(text.render(shown.self_test_blocks(found, missed=missed)), nl=False)
    return 0 if found.passed else FAILED
