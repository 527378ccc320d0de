"""Stores of runs: checked, recovered, added to from files, and the baseline that is kept beside one."""

import os
from pathlib import Path

from harness.api.loading import baseline_file
from harness.api.session import STORE
from harness.errors import UsageError
from harness.files.output import Target, write_target
from harness.results import reportfile
from harness.store import recovery
from harness.store.recovery import DamageReport, Recovery
from harness.store.runs import Store

SHOWN = 20

Place = str | os.PathLike[str] | None


def check(store: Place = None) -> DamageReport:
    """Read every row and its checksum; nothing is changed. Raises StoreError."""
    return recovery.check(Path(store or STORE))


def recover(store: Place = None) -> Recovery:
    """Put a new store of all whole rows in the place of a damaged one, which is kept beside it. Raises StoreError."""
    return recovery.recover(Path(store or STORE))


def add(file: str | os.PathLike[str], *, store: Place = None) -> tuple[str, Path]:
    """Add a run from a file that `--json` wrote. Returns its id and the store.

    Raises UsageError for a file that was cut or changed, StoreError where the run is there already.
    """
    record, assessment = reportfile.load(Path(file))
    if record is None:
        raise UsageError(f"{file}: holds verdicts and no measurements, expected the report of a run")
    with Store(Path(store or STORE)) as opened:
        opened.add(record, assessment)
        return record.record_id, opened.path


def set_baseline(name: str, *, store: Place = None) -> str:
    """Remember the run that others are compared with, by id or label. Returns its id. Raises StoreError."""
    place = Path(store or STORE)
    with Store(place, write=False) as opened:
        record_id = opened.resolve(name)
    write_target(Target(baseline_file(place), "baseline set"), record_id + "\n")
    return record_id


def words(report: DamageReport) -> str:
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
