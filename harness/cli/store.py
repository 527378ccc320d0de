"""`harness store`: what of it is damaged and can be saved, and runs carried from one store to another. Imports nothing
heavy."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import StorePath

DAMAGED = 5

store = typer.Typer(
    help="Check the store of runs, recover it, carry runs.",
    rich_markup_mode=None,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@store.command()
def check(path: StorePath = None) -> int:
    """Read every row and its checksum; nothing is changed. Exit code 5 where something is damaged."""
    from harness.api.stores import check as checked
    from harness.api.stores import words

    report = checked(path)
    typer.echo(words(report), nl=False)
    return 0 if report.ok else DAMAGED


@store.command()
def recover(path: StorePath = None) -> int:
    """Put a new store of all whole rows in the place of a damaged one, which is kept beside it."""
    from harness.api.stores import recover as recovered
    from harness.api.stores import words

    recovery = recovered(path)
    typer.echo(words(recovery.report), nl=False)
    typer.echo(f"What was whole is in {recovery.report.path}; the old file is kept as {recovery.damaged_copy}")
    return 0


@store.command("export")
def export_run(
    name: Annotated[str, typer.Argument(help="Run, by id, label or first letters.", metavar="[ID]")] = "latest",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it here (default: stdout).", metavar="FILE")
    ] = None,
    path: StorePath = None,
) -> int:
    """Write one run with its verdicts as JSON, with a checksum: for another store, `show`, `judge` or `compare`.

    \b
    Examples:
      harness store export -o run.json
      harness store import run.json --store team.sqlite
    """
    from harness.api.loading import load_run
    from harness.api.result import Judged
    from harness.files.output import Target, write_target
    from harness.files.output import check_targets as writable

    target = Target(output, "--output") if output is not None else None
    writable([target] if target else [])
    record, assessment = load_run(name, store=path)
    text = Judged(record=record, assessment=assessment).to_json(whole=True)
    if target is not None:
        write_target(target, text)
    else:
        typer.echo(text, nl=False)
    return 0


@store.command("import")
def import_run(
    file: Annotated[Path, typer.Argument(help="What `store export` or `run --json` wrote.", metavar="FILE")],
    path: StorePath = None,
) -> int:
    """Add a run from a file to the store. Refused where the file was cut or changed, or the run is there already."""
    from harness.api.stores import add

    record_id, place = add(file, store=path)
    typer.echo(f"added run {record_id} to {place}")
    return 0
