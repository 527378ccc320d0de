"""A store that may be damaged: what of it is whole, and a new store made of that. Never writes into the damaged one."""

import contextlib
import datetime as dt
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import BaseModel

from harness.errors import StoreError
from harness.results.assemble import Header, Kept
from harness.results.assessment import Assessment
from harness.results.record import Record
from harness.store.file import APPLICATION_ID, FAULTS, MIGRATIONS, SCHEMA, StoreFile, as_text, checksum, explained
from harness.store.runs import read_row
from harness.vocabulary import Frozen

_COLUMNS = {
    "run": ("record_id", "created", "state", "header", "checksum"),
    "observation": ("record_id", "cell", "body", "checksum"),
    "document": ("record_id", "body", "checksum"),
    "assessment": ("record_id", "body", "checksum"),
}

_MODELS: dict[str, type[BaseModel]] = {
    **{"run": Header, "observation": Kept},
    **{"document": Record, "assessment": Assessment},
}
"""What the content of each table's rows is."""

_PROBE_GAP = 1000
"""How many row numbers are tried one by one past an unreadable page before the rest is given up."""

_SHOWN = 20

Row = tuple[str | None, ...]


class Damage(Frozen):
    """One thing that is not as it was written."""

    where: str
    what: str


class DamageReport(Frozen):
    """What a store holds. `whole` counts rows whose checksum is right, by table."""

    path: str
    whole: tuple[tuple[str, int], ...]
    damage: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        return not self.damage


class Recovery(Frozen):
    """What came of a recovery. The damaged file is kept under another name."""

    report: DamageReport
    damaged_copy: str


def check(path: Path | str) -> DamageReport:
    """Read every row and its checksum, and let SQLite check its structure. Raises StoreError where there is no file."""
    path = Path(path)
    if not os.path.isfile(path):  # False for a name that no file can have, where is_file raises
        raise StoreError(f"{path}: there is no store here")
    damage: list[Damage] = []
    whole = dict.fromkeys(_COLUMNS, 0)
    with explained(path, "open the store"), closing(_connected(path)) as connection:
        damage += _structure(connection)
        for table in _COLUMNS:
            for number, row in _rows(connection, table, damage):
                problem = _problem(table, row)
                whole[table] += problem is None
                if problem is not None:
                    damage.append(Damage(where=f"{table} row {number}", what=problem))
    return DamageReport(path=str(path), whole=tuple(whole.items()), damage=tuple(damage))


def recover(path: Path | str) -> Recovery:
    """Make a new store of all whole rows and put it in the place of the damaged one, which is kept beside it.

    Observations whose run is lost are lost with it: without its plan nothing says what they measured. Raises StoreError
    where there is no file, nothing to save, or the new one cannot be written; the old one is untouched then.
    """
    path = Path(path)
    report = check(path)
    if not report.ok and not any(count for _, count in report.whole):
        raise StoreError(f"{path}: no row of a store is whole in it, so it is left as it is; use another --store")
    target = path.with_name(path.name + ".recovering")
    with explained(path, "recover the store"):
        target.unlink(missing_ok=True)
        try:
            _fill(target, path)
            kept = _kept_name(path)
            _keep(path, kept)
            os.replace(target, path)
        except BaseException:
            with contextlib.suppress(OSError):
                target.unlink()
            raise
    return Recovery(report=report, damaged_copy=str(kept))


def _fill(target: Path, path: Path) -> None:
    """A new store at `target` of all whole rows of the one at `path`."""
    new = StoreFile(target)
    try:
        with closing(_connected(path)) as old, new.transaction():
            new.connection.execute("PRAGMA defer_foreign_keys=ON")
            for table, columns in _COLUMNS.items():
                _copy(old, new.connection, table, columns)
    finally:
        new.close()


def _kept_name(path: Path) -> Path:
    """A free name for the damaged store."""
    first = path.with_name(f"{path.name}.damaged-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}")
    names = (first, *(first.with_name(f"{first.name}-{count}") for count in range(2, 100)))
    return next(name for name in names if not name.exists())


def _keep(path: Path, kept: Path) -> None:
    """Give the damaged store its second name: a link, which needs no room and leaves no moment without a store, where
    the file system has links. An unfinished write goes with it: rolled back into the new one it would ruin it."""
    try:
        os.link(path, kept)
    except OSError:
        try:
            shutil.copy2(path, kept)
        except OSError:
            kept.unlink(missing_ok=True)
            raise
    with contextlib.suppress(FileNotFoundError):
        os.replace(path.with_name(path.name + "-journal"), kept.with_name(kept.name + "-journal"))


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
    """Insert the whole rows of `table` whose run is there."""
    marks = ",".join("?" * len(columns))
    runs = {row[0] for row in new.execute("SELECT record_id FROM run")}
    for _, row in _rows(old, table, []):
        if _problem(table, row) is None and (table == "run" or row[0] in runs):
            new.execute(f"INSERT OR IGNORE INTO {table} ({','.join(columns)}) VALUES ({marks})", row)


def _connected(path: Path) -> sqlite3.Connection:
    """Reads only, save that a write which a kill cut short is rolled back first, where the file may be written."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)
    connection.text_factory = as_text
    connection.execute("PRAGMA query_only=ON")
    return connection


def _structure(connection: sqlite3.Connection) -> list[Damage]:
    """What SQLite itself finds, and whether this is a store at all."""
    try:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        rows = connection.execute(f"PRAGMA integrity_check({_SHOWN})").fetchall()
    except FAULTS as error:
        return [Damage(where="file", what=str(error))]
    found = [Damage(where="file", what=str(row[0])) for row in rows if row[0] != "ok"]
    if owner != APPLICATION_ID:
        found.append(Damage(where="file", what="is not marked as a harness store"))
    if version != SCHEMA and version not in MIGRATIONS:  # an older one is no damage: it is migrated when written to
        found.append(Damage(where="file", what=f"tables of version {version}; this program knows {SCHEMA}"))
    return found


def _rows(connection: sqlite3.Connection, table: str, damage: list[Damage]) -> Iterator[tuple[int, Row]]:
    """All rows that can be read, by number. Past an unreadable place it goes on row by row."""
    query = f"SELECT rowid,{','.join(_COLUMNS[table])} FROM {table} NOT INDEXED WHERE rowid"
    last, misses = 0, 0
    while misses <= _PROBE_GAP:
        try:
            for number, *row in connection.execute(f"{query}>? ORDER BY rowid", (last,)):
                last, misses = number, 0
                yield number, _as_row(row)
            return
        except FAULTS as error:
            if not misses:
                damage.append(Damage(where=f"{table} after row {last}", what=str(error)))
        found = False
        while not found and misses <= _PROBE_GAP:
            last, misses = last + 1, misses + 1
            with contextlib.suppress(*FAULTS):
                for number, *row in connection.execute(f"{query}=?", (last,)):
                    found, misses = True, 0
                    yield number, _as_row(row)


def _as_row(parts: list[object]) -> Row:
    return tuple(None if part is None else str(part) for part in parts)


def _problem(table: str, row: Row) -> str | None:
    """Why a row is not whole, or None."""
    if any(part is None for part in (*row[:3], row[-1])):
        return "a part of it is missing"
    parts = [part or "" for part in row]
    if parts[-1] != checksum(*parts[:-1]):
        return "its checksum does not match"
    if table == "run" and row[3] is None:
        return None
    return None if read_row(_MODELS[table], *parts) is not None else "its content is not what this version reads"
