"""`harness baseline` carried out: the stored run that others are compared with, kept in a file beside the store."""

from pathlib import Path

import typer

from harness.cli.show import STORE
from harness.errors import UsageError
from harness.files.output import Target, write_target
from harness.store.runs import Store


def baseline_set(name: str, store: Path | None) -> int:
    """Remember a stored run as the one to compare with: `harness compare baseline latest`."""
    place = store or STORE
    with Store(place, write=False) as opened:
        record_id = opened.resolve(name)
    write_target(Target(_baseline_file(place), "baseline set"), record_id + "\n")
    typer.echo(record_id)
    return 0


def baseline_show(store: Path | None) -> int:
    """Print the id of the baseline."""
    typer.echo(baseline(store))
    return 0


def baseline(store: Path | None) -> str:
    """The id that `baseline set` has kept beside the store. Raises UsageError where there is none."""
    path = _baseline_file(store or STORE)
    try:
        kept = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        kept = ""
    if not kept:
        raise UsageError(f"{path}: no baseline is set; 'harness baseline set ID' sets one")
    return kept


def _baseline_file(store: Path) -> Path:
    return store.with_name(f"{store.name}.baseline")
