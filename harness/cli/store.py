"""`harness store`: what of it is damaged and can be saved, and runs carried from one store to another. Imports nothing
heavy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.store.recovery import DamageReport

DAMAGED = 5
SHOWN = 20

store = typer.Typer(
    help="Check the store of runs, recover it, carry runs.",
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
    from harness.api.session import STORE
    from harness.store.recovery import check as look

    report = look(path or STORE)
    typer.echo(_words(report), nl=False)
    return 0 if report.ok else DAMAGED


@store.command()
def recover(path: StoreOption = None) -> int:
    """Put a new store of all whole rows in the place of a damaged one, which is kept beside it."""
    from harness.api.session import STORE
    from harness.store.recovery import recover as save

    recovery = save(path or STORE)
    typer.echo(_words(recovery.report), nl=False)
    typer.echo(f"What was whole is in {recovery.report.path}; the old file is kept as {recovery.damaged_copy}")
    return 0


@store.command("export")
def export_run(
    name: Annotated[str, typer.Argument(help="Run, by id, label or first letters.", metavar="[ID]")] = "latest",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it here (default: stdout).", metavar="FILE")
    ] = None,
    path: StoreOption = None,
) -> int:
    """Write one run with its verdicts as JSON, with a checksum: for another store, `show`, `judge` or `compare`.

    \b
    Examples:
      harness store export -o run.json
      harness store import run.json --store team.sqlite
    """
    from harness.api.loading import load_run
    from harness.files.output import Target, write_target
    from harness.files.output import check_targets as writable
    from harness.results import reportfile

    target = Target(output, "--output") if output is not None else None
    writable([target] if target else [])
    text = reportfile.document(*load_run(name, store=path))
    if target is not None:
        write_target(target, text)
    else:
        typer.echo(text, nl=False)
    return 0


@store.command("import")
def import_run(
    file: Annotated[Path, typer.Argument(help="What `store export` or `run --json` wrote.", metavar="FILE")],
    path: StoreOption = None,
) -> int:
    """Add a run from a file to the store. Refused where the file was cut or changed, or the run is there already."""
    from harness.api.session import STORE
    from harness.errors import UsageError
    from harness.results import reportfile
    from harness.store.runs import Store

    record, assessment = reportfile.load(file)
    if record is None:
        raise UsageError(f"{file}: holds verdicts and no measurements, expected the report of a run")
    with Store(path or STORE) as opened:
        opened.add(record, assessment)
        typer.echo(f"added run {record.record_id} to {opened.path}")
    return 0


def _words(report: "DamageReport") -> str:
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
