"""`harness show` and `harness list`: stored runs, or a report's file, again, without measuring."""

from dataclasses import dataclass
from pathlib import Path

import typer

from harness import units
from harness.cli.delivery import Delivery, deliver
from harness.files import strict
from harness.results.assessment import Assessment
from harness.results.counting import counts
from harness.results.record import Record
from harness.store.runs import Listed, Store

STORE = Path(".harness") / "store.sqlite"


@dataclass(frozen=True)
class ShowOptions:
    """What the command line asks to be shown."""

    record: str
    delivery: Delivery
    store: Path | None = None


def show_command(options: ShowOptions) -> int:
    """Print a stored run's report. Returns the exit code."""
    path = Path(options.record)
    if path.suffix == ".json":
        from harness.results import reportfile

        options.delivery.check(inputs=(path,))
        return deliver(options.delivery, *reportfile.load(path))
    options.delivery.check()
    return deliver(options.delivery, *stored_record(options.store, options.record))


def stored_record(store: Path | None, name: str) -> tuple[Record, Assessment | None]:
    """The record that `name` means, and how its sheet was judged. Raises StoreError."""
    with Store(store or STORE, write=False) as opened:
        record_id = opened.resolve(name)
        return opened.load(record_id, counts=counts), opened.assessment(record_id)


def list_command(store: Path | None, as_json: bool) -> int:
    """Print the stored runs, the latest first."""
    with Store(store or STORE, write=False) as opened:
        runs = opened.runs()[::-1]
    if as_json:
        typer.echo(strict.encode_json([run.model_dump(mode="json") for run in runs]), nl=False)
        return 0
    from tabulate import tabulate

    rows = [_row(run) for run in runs]
    headers = ("run", "when (UTC)", "config", "label", "state", "observations")
    typer.echo(tabulate(rows, headers=headers, disable_numparse=True))
    return 0


def _row(run: Listed) -> tuple[str, ...]:
    from harness.files.text import printable_line

    when = f"{run.created:%Y-%m-%d %H:%M}" if run.created is not None else units.UNKNOWN
    state = run.problem or run.state
    return (
        run.record_id,
        when,
        printable_line(run.name or units.UNKNOWN),
        printable_line(run.label or ""),
        state,
        str(run.observations),
    )
