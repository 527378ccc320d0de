"""The file that a store is: opened, checked for its version, migrated, and written in transactions.
Every error is a `StoreError` that names the file and says what to do.
"""

import hashlib
import itertools
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from harness.errors import StoreError

SCHEMA = 3
"""Version of the tables and what their rows hold, kept in SQLite's user_version. Raised with a step in MIGRATIONS."""

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
CREATE TABLE assessment (
    record_id TEXT PRIMARY KEY REFERENCES run, body TEXT NOT NULL, checksum TEXT NOT NULL
);
"""

FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file raises. The second where SQLite's own message quotes damaged text."""

Migrations = Mapping[int, str]
MIGRATIONS: Migrations = {1: "", 2: ""}
"""From each past version, the SQL that makes the next one of it. None changes a table so far. 1 to 2: observations
gained fields, 2 to 3: keys of rows were renamed; the program of the earlier version would refuse either."""


def checksum(*parts: str) -> str:
    """SHA-256 over the parts, each with its length before it, so that no two splits agree."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def as_text(raw: bytes) -> str:
    """Damaged text is still text: its checksum will tell."""
    return raw.decode(errors="replace")


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a StoreError that names the file and the way out."""
    try:
        yield
    except (*FAULTS, OSError) as error:
        raise StoreError(f"{path}: could not {doing}: {error}. {_advice(error)}") from error


def _advice(error: Exception) -> str:
    text = str(error).lower()
    table = (
        ("locked", "Another process is writing to it: wait for it to end, or use another --store."),
        ("readonly", "The file or its folder may not be written: change its permissions or use another --store."),
        ("read-only", "Nothing can be written there: use another --store."),
        ("full", "Free some space and do it again (`run --resume` for a run that had begun): what was kept is whole."),
        ("no space", "Free some space and do it again: what was kept is whole."),
        ("unable to open", "Check that the folder exists and may be read and written, or use another --store."),
        ("no such file", "Check that the folder exists, or use another --store."),
        ("not a directory", "Check that the folder exists, or use another --store."),
        ("permission", "Change the permissions of the folder, or use another --store."),
        ("not a database", "`harness store check` looks into it; another --store leaves it alone."),
    )
    default = "`harness store check` says what is damaged, `harness store recover` saves what is whole."
    return next((advice for word, advice in table if word in text), default)


class StoreFile:
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
            self.connection = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)
            self.connection.text_factory = as_text
        try:
            with explained(self.path, "open the store"):
                self._prepare(write, migrations, schema)
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        self.connection.close()

    def _prepare(self, write: bool, migrations: Migrations, schema: int) -> None:
        """Set how writes are made safe, and bring the tables to `schema`.

        A rollback journal with synchronous=EXTRA: each commit is on the disk, and the journal's removal too, before
        `keep` returns, so that a power cut right after it undoes nothing. A commit costs milliseconds beside seconds of
        measuring. WAL would be faster, but needs shared memory, leaves three files to copy, and its default does not
        sync at commit.
        """
        if write:
            self.connection.execute("PRAGMA journal_mode=DELETE")
        self.connection.execute("PRAGMA synchronous=EXTRA")
        self.connection.execute("PRAGMA foreign_keys=ON")
        self.connection.execute("PRAGMA trusted_schema=OFF")
        if not write:
            self.connection.execute("PRAGMA query_only=ON")
        version = self._version(schema)
        if version == schema:
            return
        if version == 0 and not write:
            raise StoreError(f"{self.path}: there is nothing in this store yet; `harness run` fills it")
        if not write:
            self._read_a_copy()
        with self.transaction():
            version = self._version(schema)  # another process may have been faster
            if version == 0:
                for statement in _TABLES.split(";"):
                    self.connection.execute(statement)
                self.connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                version = SCHEMA
            elif write and version < schema:
                self.backup = self._back_up(version)
            while version < schema:
                if version not in migrations:
                    raise StoreError(f"{self.path}: no migration leads from version {version} to {schema}")
                for statement in migrations[version].split(";"):
                    self.connection.execute(statement)
                version += 1
            self.connection.execute(f"PRAGMA user_version={schema}")

    def _read_a_copy(self) -> None:
        """Go on with a copy in memory, to be migrated there: reading an older store does not change it."""
        copy = sqlite3.connect(":memory:", isolation_level=None)
        copy.text_factory = as_text
        self.connection.backup(copy)
        self.connection.close()
        self.connection = copy

    def _version(self, schema: int) -> int:
        version = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(self.connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(self.connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if owner != APPLICATION_ID and (tables or version or owner):
            raise StoreError(f"{self.path}: is the database of another program, not a harness store; name another one")
        if version > schema:
            raise StoreError(
                f"{self.path}: was written by a newer harness (tables of version {version}, this one knows {schema}); "
                "install a newer harness, for example `pip install --upgrade harness`, or use another --store"
            )
        return version

    def _back_up(self, version: int) -> Path:
        """Copy the store beside itself before it is migrated, under a name that is free. Under the writer's lock, so
        that no two processes do it, and none copies what another has migrated."""
        first = self.path.with_name(f"{self.path.name}.v{version}.backup")
        names = (first.with_name(f"{first.name}-{count}") for count in itertools.count(2))
        target = first if not first.exists() else next(name for name in names if not name.exists())
        partial = first.with_name(f"{first.name}.partial")
        partial.unlink(missing_ok=True)
        with (
            # SQLite copies from no connection that is writing, and this one is about to
            closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)
        os.replace(partial, target)
        return target

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write: all of it or nothing. Takes the writer's lock at once, so that it cannot fail half-way for it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
