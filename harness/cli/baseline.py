"""`harness baseline`: the stored run that others are compared with, kept in a file beside the store."""

from typing import Annotated

import typer

from harness.cli.options import StorePath

baseline = typer.Typer(help="The stored run that others are compared with.", no_args_is_help=True)


@baseline.command("set")
def baseline_set(
    name: Annotated[str, typer.Argument(help="Id or label of a stored run.", metavar="ID")], store: StorePath = None
) -> int:
    """Remember a run; `harness compare baseline latest` then finds it."""
    from harness.api.stores import set_baseline

    typer.echo(set_baseline(name, store=store))
    return 0


@baseline.command("show")
def baseline_show(store: StorePath = None) -> int:
    """Print the id of the run that was set."""
    from harness.api.loading import baseline
    from harness.api.session import STORE

    typer.echo(baseline(store or STORE))
    return 0
