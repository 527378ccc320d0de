"""`harness store`: what a store holds, what of it is damaged, and what can be saved. Imports nothing heavy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.store import Report

DAMAGED = 5
SHOWN = 20

store = typer.Typer(
    help="Look into the store of runs, and save what is whole of a damaged one.",
    rich_markup_mode=None,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Where runs are kept (default: .harness/store.sqlite).", metavar="PATH")
]


@store.command()
def check(path: StoreOption = None) -> int:
    """Read every row and its checksum; nothing is changed. Exit code 5 where something is damaged."""
    from harness.cli.show import STORE
    from harness.store import check as look

    report = look(path or STORE)
    typer.echo(_words(report), nl=False)
    return 0 if report.ok else DAMAGED


@store.command()
def recover(path: StoreOption = None) -> int:
    """Put a new store of all whole rows in the place of a damaged one, which is kept beside it."""
    from harness.cli.show import STORE
    from harness.store import recover as save

    recovery = save(path or STORE)
    typer.echo(_words(recovery.report), nl=False)
    typer.echo(f"What was whole is in {recovery.report.path}; the old file is kept as {recovery.damaged_copy}")
    return 0


def _words(report: "Report") -> str:
    """What was found, in a few lines."""
    whole = ", ".join(f"{count} of {table}" for table, count in report.whole)
    lines = [f"{report.path}: whole rows: {whole}"]
    if report.ok:
        lines.append("No damage found.")
    lines += [f"damaged: {one.where}: {one.what}" for one in report.damage[:SHOWN]]
    if len(report.damage) > SHOWN:
        lines.append(f"and {len(report.damage) - SHOWN} more")
    if not report.ok:
        lines.append("`harness store recover` keeps what is whole.")
    return "\n".join(lines) + "\n"
