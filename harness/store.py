"""Where runs are kept: one SQLite file, one transaction an observation. Knows nothing of measuring or judging.

What `keep` has returned for survives a kill, a power cut, a full disk and a second writer. Each row carries a checksum
over its content, so that a damaged number is reported and never read. Every error is a `StoreError` that names the file
and says what to do.
"""

import datetime as dt
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from harness.assemble import Header, Kept, State, assemble, cell_round_key
from harness.errors import HarnessError, unknown
from harness.frozen import Frozen
from harness.plan import Arm, Task, Workload
from harness.record import CeilingObservation, Counts, Observation, Record

SCHEMA = 1
"""Version of the tables, kept in SQLite's user_version. Raised with a step in MIGRATIONS."""

APPLICATION_ID = 0x48524E53
"""'HRNS', kept in SQLite's application_id: another program's database is refused instead of written into."""

BUSY_S = 20.0
"""How long a writer waits for another's transaction. A transaction takes milliseconds, so this is plenty."""

_TABLES = """
CREATE TABLE run (
    record_id TEXT PRIMARY KEY, created TEXT NOT NULL, state TEXT NOT NULL, header TEXT,
    checksum TEXT NOT NULL
);
CREATE TABLE observation (
    id INTEGER PRIMARY KEY AUTOINCREMENT, record_id TEXT NOT NULL REFERENCES run, cell TEXT NOT NULL,
    body TEXT NOT NULL, checksum TEXT NOT NULL
);
CREATE INDEX observation_of_run ON observation (record_id, cell);
CREATE TABLE document (
    record_id TEXT PRIMARY KEY REFERENCES run, body TEXT NOT NULL, checksum TEXT NOT NULL
);
"""

Migrations = Mapping[int, str]
MIGRATIONS: Migrations = {}
"""From each past version, the SQL that makes the next one of it."""


CountsOf = Callable[[Arm, Workload], Counts | None]

COMPUTED: Any = {"measurements": {"__all__": {"samples_s", "rate_tok_s", "error"}}}
"""Fields that follow from others: not stored, so that they cannot disagree."""


class StoreError(HarnessError):
    """The store cannot be used as asked. Nothing that was kept before is lost by it."""

    exit_code = 2


class Listed(Frozen):
    """One run in the list. `problem` says why its header cannot be read."""

    record_id: str
    name: str | None
    label: str | None
    created: dt.datetime | None
    state: str
    observations: int
    problem: str | None = None


def checksum(*parts: str) -> str:
    """SHA-256 over the parts, each with its length before it, so that no two splits agree."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def _text(raw: bytes) -> str:
    """Damaged text is still text: its checksum will tell."""
    return raw.decode(errors="replace")


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a StoreError that names the file and the way out."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: could not {doing}: {error}. {_advice(error)}") from error


def _advice(error: Exception) -> str:
    text = str(error).lower()
    table = (
        ("locked", "Another process is writing to it: wait for it to end, or use another --store."),
        ("readonly", "The file or its folder may not be written: change its permissions or use another --store."),
        ("full", "Free some space and go on with `harness run --resume`: all that was kept before is whole."),
        ("unable to open", "Check that the folder exists and may be read and written, or use another --store."),
        ("permission", "Change the permissions of the folder, or use another --store."),
        ("not a database", "`harness store check` looks into it; another --store leaves it alone."),
    )
    default = "`harness store check` says what is damaged, `harness store recover` saves what is whole."
    return next((advice for word, advice in table if word in text), default)


class Store:
    """One store file. Opening checks its version; `write=False` never changes it."""

    def __init__(
        self,
        path: Path | str,
        *,
        write: bool = True,
        busy_s: float = BUSY_S,
        migrations: Migrations = MIGRATIONS,
        schema: int = SCHEMA,
    ):
        """Open, and with `write` create or migrate, the store at `path`. Raises StoreError."""
        self.path = Path(path)
        self.backup: Path | None = None
        with explained(self.path, "open the store"):
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            elif not self.path.is_file():
                raise StoreError(f"{self.path}: there is no store here yet; `harness run` makes one")
            # readers open for writing too where they may: after a kill, the first to come rolls the last write back
            mode = "rwc" if write else "rw"
            uri = f"{self.path.resolve().as_uri()}?mode={mode}"
            self._connection = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)
            self._connection.text_factory = _text
        try:
            with explained(self.path, "open the store"):
                self._prepare(write, migrations, schema)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def _prepare(self, write: bool, migrations: Migrations, schema: int) -> None:
        """Set how writes are made safe, and bring the tables to `schema`.

        A rollback journal with synchronous=EXTRA: each commit is on the disk, and the journal's removal too, before
        `keep` returns, so that a power cut right after it undoes nothing. A commit costs milliseconds beside seconds of
        measuring. WAL would be faster, but needs shared memory, leaves three files to copy, and its default does not
        sync at commit.
        """
        if write:
            self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.execute("PRAGMA synchronous=EXTRA")
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.execute("PRAGMA trusted_schema=OFF")
        if not write:
            self._connection.execute("PRAGMA query_only=ON")
        version = self._version(schema)
        if version == schema:
            return
        if not write:
            if version == 0:
                raise StoreError(f"{self.path}: there is nothing in this store yet; `harness run` fills it")
            raise StoreError(
                f"{self.path}: has the tables of version {version}, this program reads {schema}; "
                "any command that writes (for example `harness run`) migrates it and keeps a backup"
            )
        if version:
            self.backup = self._back_up(version)
        with self._transaction():
            version = self._version(schema)  # another process may have been faster
            if version == 0:
                for statement in _TABLES.split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                version = SCHEMA
            while version < schema:
                if version not in migrations:
                    raise StoreError(f"{self.path}: no migration leads from version {version} to {schema}")
                for statement in migrations[version].split(";"):
                    self._connection.execute(statement)
                version += 1
            self._connection.execute(f"PRAGMA user_version={schema}")

    def _version(self, schema: int) -> int:
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(self._connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if owner != APPLICATION_ID and (tables or version or owner):
            raise StoreError(f"{self.path}: is the database of another program, not a harness store; name another one")
        if version > schema:
            raise StoreError(
                f"{self.path}: was written by a newer harness (tables of version {version}, this one knows {schema}); "
                "install a newer harness, for example `pip install --upgrade harness`, or use another --store"
            )
        return version

    def _back_up(self, version: int) -> Path:
        """Copy the store beside itself before it is migrated."""
        target = self.path.with_name(f"{self.path.name}.v{version}.backup")
        partial = target.with_name(target.name + ".partial")
        partial.unlink(missing_ok=True)
        copy = sqlite3.connect(partial)
        try:
            self._connection.backup(copy)
        finally:
            copy.close()
        os.replace(partial, target)
        return target

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One write: all of it or nothing. Takes the writer's lock at once, so that it cannot fail half-way for it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def begin(self, header: Header) -> None:
        """Keep what is known of a run before it starts. Raises StoreError if its id is taken."""
        with explained(self.path, f"begin the run {header.record_id}"), self._transaction():
            self._insert_run(header.record_id, header.created, "running", header.model_dump_json())

    def add(self, record: Record) -> None:
        """Keep a record that was measured elsewhere. Raises StoreError if its id is taken."""
        with explained(self.path, f"add the record {record.record_id}"), self._transaction():
            self._insert_run(record.record_id, record.created, record.state, None)
            self._put_document(record)

    def keep(
        self, record_id: str, task: Task, workload: Workload | None, observation: Observation | CeilingObservation
    ) -> None:
        """Keep one observation; when this returns it is on the disk. A later one of the same cell and round wins."""
        cell = cell_round_key(task, workload)
        if isinstance(observation, CeilingObservation):
            kept = Kept(ceiling=observation)
        else:
            kept = Kept(arm=task.arm, workload=workload, observation=observation)
        body = kept.model_dump_json(exclude_defaults=True)
        row = (record_id, cell, body, checksum(record_id, cell, body))
        with explained(self.path, "keep an observation"), self._transaction():
            self._connection.execute("INSERT INTO observation (record_id,cell,body,checksum) VALUES (?,?,?,?)", row)

    def finish(self, record: Record) -> None:
        """Keep the record of a run that `begin` made, and its state. Replaces an earlier record of the same run."""
        with explained(self.path, f"keep the record {record.record_id}"), self._transaction():
            self._set_state(record.record_id, record.state)
            self._put_document(record)

    def reopen(self, record_id: str) -> None:
        """Mark a run as running again: its record is once more what its observations say."""
        with explained(self.path, f"resume {record_id}"), self._transaction():
            self._connection.execute("DELETE FROM document WHERE record_id=?", (record_id,))
            self._set_state(record_id, "running")

    def runs(self) -> tuple[Listed, ...]:
        """All runs, oldest first; a damaged one is listed with its problem."""
        query = (
            "SELECT record_id, created, state, header, checksum, "
            "(SELECT count(DISTINCT cell) FROM observation o WHERE o.record_id = run.record_id) FROM run "
            "ORDER BY created, record_id"
        )
        with explained(self.path, "list the runs"):
            rows = self._connection.execute(query).fetchall()
        return tuple(self._listed(row) for row in rows)

    def resolve(self, name: str) -> str:
        """The id of the run that `name` means: 'latest', an id, an unambiguous beginning of one, or the label of
        exactly one run (of several with one label, the newest). Raises StoreError."""
        runs = self.runs()
        if not runs:
            raise StoreError(f"{self.path}: holds no run yet; `harness run` makes one")
        if name == "latest":
            return runs[-1].record_id
        exact = [r for r in runs if r.record_id == name] or [r for r in runs if r.label == name][-1:]
        found = exact or [r for r in runs if name and r.record_id.startswith(name)]
        if len(found) == 1:
            return found[0].record_id
        if found:
            raise StoreError(f"{self.path}: '{name}' begins {len(found)} runs: {', '.join(r.record_id for r in found)}")
        raise StoreError(f"{self.path}: {unknown('run', name, (r.record_id for r in runs[-8:]))}")

    def header(self, record_id: str) -> Header:
        """What was known of a run before it began. Raises StoreError for an unknown, imported or damaged one."""
        with explained(self.path, f"read the run {record_id}"):
            query = "SELECT created, state, header, checksum FROM run WHERE record_id=?"
            row = self._connection.execute(query, (record_id,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path}: {unknown('run', record_id, (r.record_id for r in self.runs()))}")
        created, state, body, kept_sum = row
        if body is None:
            raise StoreError(
                f"{self.path}: the run {record_id} was imported as a finished record: it cannot be resumed"
            )
        if kept_sum != checksum(record_id, created, state, body):
            raise self._damaged(f"the run {record_id}")
        try:
            return Header.model_validate_json(body)
        except ValidationError as error:
            raise self._damaged(f"the run {record_id}") from error

    def kept(self, record_id: str) -> tuple[tuple[str, Kept | None], ...]:
        """The observations of a run as (cell and round, observation), the last of each; None where it is damaged."""
        with explained(self.path, f"read the observations of {record_id}"):
            query = "SELECT cell, body, checksum FROM observation WHERE record_id=? ORDER BY id"
            rows = self._connection.execute(query, (record_id,)).fetchall()
        last: dict[str, Kept | None] = {}
        for cell, body, kept_sum in rows:
            last[str(cell)] = read_kept(record_id, str(cell), str(body), str(kept_sum))
        return tuple(last.items())

    def done(self, record_id: str, *, retry_failed: bool = False) -> frozenset[str]:
        """The cells and rounds that need not be measured again (keys of `assemble.cell_round_key`)."""
        return frozenset(
            cell
            for cell, kept in self.kept(record_id)
            if kept is not None
            and not (retry_failed and kept.observation is not None and kept.observation.error is not None)
        )

    def load(self, record_id: str, *, counts: CountsOf = lambda _arm, _workload: None) -> Record:
        """The record of a run: as it was finished, or put together from what was kept so far.

        Damaged observations are left out and named in the record's notes. Raises StoreError where nothing is whole.
        """
        with explained(self.path, f"read the record {record_id}"):
            query = "SELECT body, checksum FROM document WHERE record_id=?"
            row = self._connection.execute(query, (record_id,)).fetchone()
        if row is not None:
            record = read_document(record_id, str(row[0]), str(row[1]))
            if record is not None:
                return record
        header, pieces = self.header(record_id), self.kept(record_id)
        damaged = sum(kept is None for _, kept in pieces) + (row is not None)
        whole = [kept for _, kept in pieces if kept is not None]
        record = assemble(header, whole, state=self._state(record_id), counts=counts)
        if not damaged:
            return record
        note = f"{damaged} damaged rows of the store were left out; `harness store check` names them"
        return record.model_copy(update={"notes": (*record.notes, note)})

    def _insert_run(self, record_id: str, created: dt.datetime, state: str, header: str | None) -> None:
        if self._connection.execute("SELECT 1 FROM run WHERE record_id=?", (record_id,)).fetchone():
            raise StoreError(f"{self.path}: holds a run named {record_id} already; resume it or name another")
        when = created.isoformat()
        total = checksum(record_id, when, state, header or "")
        self._connection.execute("INSERT INTO run VALUES (?,?,?,?,?)", (record_id, when, state, header, total))

    def _set_state(self, record_id: str, state: str) -> None:
        query = "SELECT created, header FROM run WHERE record_id=?"
        row = self._connection.execute(query, (record_id,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path}: holds no run named {record_id}; `harness list` shows those it holds")
        total = checksum(record_id, row[0], state, row[1] or "")
        self._connection.execute("UPDATE run SET state=?, checksum=? WHERE record_id=?", (state, total, record_id))

    def _put_document(self, record: Record) -> None:
        body = record.model_dump_json(exclude=COMPUTED)
        row = (record.record_id, body, checksum(record.record_id, body))
        self._connection.execute("INSERT OR REPLACE INTO document VALUES (?,?,?)", row)

    def _state(self, record_id: str) -> State:
        with explained(self.path, f"read the run {record_id}"):
            row = self._connection.execute("SELECT state FROM run WHERE record_id=?", (record_id,)).fetchone()
        return "running" if row[0] == "running" else "interrupted"

    def _listed(self, row: tuple[object, ...]) -> Listed:
        record_id, created, state, body, kept_sum, observations = row
        whole = kept_sum == checksum(str(record_id), str(created), str(state), str(body or ""))
        name = label = problem = None
        if not whole:
            problem = "damaged; `harness store check` says more"
        elif body is None:
            record = self.load(str(record_id))
            name, label = record.name, record.label
        else:
            header = Header.model_validate_json(str(body))
            name, label = header.name, header.label
        return Listed(
            record_id=str(record_id),
            name=name,
            label=label,
            created=dt.datetime.fromisoformat(str(created)) if whole else None,
            state=str(state),
            observations=int(str(observations)),
            problem=problem,
        )

    def _damaged(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path}: {what} is damaged (its checksum does not match); "
            "`harness store check` says what is whole, `harness store recover` saves it"
        )


def read_kept(record_id: str, cell: str, body: str, kept_sum: str) -> Kept | None:
    """One stored observation, or None where it is not what was stored."""
    if kept_sum != checksum(record_id, cell, body):
        return None
    try:
        return Kept.model_validate_json(body)
    except ValidationError:
        return None


def read_document(record_id: str, body: str, kept_sum: str) -> Record | None:
    """One stored record, or None where it is not what was stored."""
    if kept_sum != checksum(record_id, body):
        return None
    try:
        return Record.model_validate_json(body)
    except ValidationError:
        return None
