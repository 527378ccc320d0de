"""Where runs are kept: one SQLite file, one transaction an observation.

What `keep` has returned for survives a kill, a power cut, a full disk and a second writer. Each row carries a checksum
over its content, so that a damaged number is reported and never read.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import StoreError, unknown
from harness.results.assemble import Header, Kept, State, assemble, case_round_key
from harness.results.assessment import Assessment
from harness.results.plan import Task, Variant, Workload
from harness.results.record import COMPUTED, CeilingObservation, Counts, Observation, Record, from_json
from harness.store.file import BUSY_S, StoreFile, checksum, explained
from harness.vocabulary import Frozen

CountsOf = Callable[[Variant, Workload], Counts | None]


class Listed(Frozen):
    """One run in the list. `problem` says why its header cannot be read."""

    record_id: str
    name: str | None
    label: str | None
    created: dt.datetime | None
    state: str
    observations: int
    made_by: str | None = None
    problem: str | None = None


class Store:
    """The runs of one store file. `write=False` never changes it."""

    def __init__(self, path: Path | str, *, write: bool = True, busy_s: float = BUSY_S):
        """Open, and with `write` create or migrate, the store at `path`. Raises StoreError."""
        self._file = StoreFile(path, write=write, busy_s=busy_s)
        self.path = self._file.path
        self._connection = self._file.connection
        self._transaction = self._file.transaction

    @property
    def backup(self) -> Path | None:
        """The copy that was made before an older store was migrated."""
        return self._file.backup

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, header: Header) -> None:
        """Keep what is known of a run before it starts. Raises StoreError if its id is taken."""
        with explained(self.path, f"begin the run {header.record_id}"), self._transaction():
            self._insert_run(header.record_id, header.created, "running", header.model_dump_json())

    def add(self, record: Record, assessment: Assessment | None = None) -> None:
        """Keep a record that was measured elsewhere, and how its sheet was judged. Raises StoreError if its id is
        taken."""
        with explained(self.path, f"add the record {record.record_id}"), self._transaction():
            self._insert_run(record.record_id, record.created, record.state, None)
            self._put_document(record)
            if assessment is not None:
                self._put_assessment(record.record_id, assessment)

    def keep(
        self, record_id: str, task: Task, workload: Workload | None, observation: Observation | CeilingObservation
    ) -> None:
        """Keep one observation; when this returns it is on the disk. A later one of the same case and round wins."""
        cell = case_round_key(task, workload)
        kept = (
            Kept(ceiling=observation)
            if isinstance(observation, CeilingObservation)
            else Kept(variant=task.variant, workload=workload, observation=observation)
        )
        body = kept.model_dump_json(exclude_defaults=True)
        row = (record_id, cell, body, checksum(record_id, cell, body))
        with explained(self.path, "keep an observation"), self._transaction():
            self._connection.execute("INSERT INTO observation (record_id,cell,body,checksum) VALUES (?,?,?,?)", row)

    def finish(self, record: Record) -> None:
        """Keep the record of a run that `begin` made, and its state. Replaces an earlier record of the same run."""
        with explained(self.path, f"keep the record {record.record_id}"), self._transaction():
            self._set_state(record.record_id, record.state)
            self._put_document(record)

    def keep_assessment(self, record_id: str, assessment: Assessment) -> None:
        """Keep how a run's sheet was judged, in place of an earlier judgement."""
        with explained(self.path, f"keep the verdicts of {record_id}"), self._transaction():
            self._put_assessment(record_id, assessment)

    def assessment(self, record_id: str) -> Assessment | None:
        """How a run's sheet was judged; None where none was. Raises StoreError where it is damaged."""
        row = self._row(f"read the verdicts of {record_id}", "body, checksum FROM assessment", record_id)
        if row is None:
            return None
        found = read_row(Assessment, record_id, *map(str, row))
        if found is None:
            raise self._damaged(f"the judgement of {record_id}")
        return found

    def reopen(self, record_id: str) -> None:
        """Mark a run as running again: its record is once more what its observations say."""
        with explained(self.path, f"resume {record_id}"), self._transaction():
            self._connection.execute("DELETE FROM document WHERE record_id=?", (record_id,))
            self._connection.execute("DELETE FROM assessment WHERE record_id=?", (record_id,))
            self._set_state(record_id, "running")

    def runs(self) -> tuple[Listed, ...]:
        """All runs, oldest first; a damaged one is listed with its problem.

        Runs that were begun here stand in the order in which they were begun, even where the clock was set back
        between them; one that was measured elsewhere (it has no header) stands among them by its date.
        """
        query = (
            "SELECT record_id, state, header IS NOT NULL, "
            "(SELECT count(DISTINCT cell) FROM observation o WHERE o.record_id = run.record_id) FROM run "
            "ORDER BY CASE WHEN header IS NULL THEN created "
            "ELSE max(created) FILTER (WHERE header IS NOT NULL) OVER (ORDER BY rowid) END, rowid"
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
        ids = [r.record_id for r in runs]
        if name == "latest" or name in ids:
            return ids[-1] if name == "latest" else name
        found = [r.record_id for r in runs if r.label == name][-1:] or [i for i in ids if name and i.startswith(name)]
        if not found:
            raise StoreError(f"{self.path}: {unknown('run', name, ids[-8:])}")
        if len(found) > 1:
            raise StoreError(f"{self.path}: '{name}' begins {len(found)} runs: {', '.join(found)}")
        return found[0]

    def header(self, record_id: str) -> Header:
        """What was known of a run before it began. Raises StoreError for an unknown, imported or damaged one."""
        row = self._row(f"read the run {record_id}", "created, state, header, checksum FROM run", record_id)
        if row is None:
            raise StoreError(f"{self.path}: {unknown('run', record_id, self._ids())}")
        if row[2] is None:
            raise StoreError(
                f"{self.path}: the run {record_id} was kept as a finished record, without its plan: it cannot be "
                f"resumed; `harness show {record_id}` shows it, `harness run CONFIG` measures anew"
            )
        header = read_row(Header, record_id, *map(str, row))
        if header is None:
            raise self._damaged(f"the run {record_id}")
        return header

    def kept(self, record_id: str) -> tuple[tuple[str, Kept | None], ...]:
        """The observations of a run by case and round, the last of each; None where it is damaged."""
        with explained(self.path, f"read the observations of {record_id}"):
            query = "SELECT cell, body, checksum FROM observation WHERE record_id=? ORDER BY id"
            rows = self._connection.execute(query, (record_id,)).fetchall()
        last = {str(row[0]): read_row(Kept, record_id, *map(str, row)) for row in rows}
        return tuple(last.items())

    def done(self, record_id: str, *, retry_failed: bool = False) -> frozenset[str]:
        """The cases and rounds that need not be measured again (keys of `assemble.case_round_key`)."""
        return frozenset(
            cell
            for cell, kept in self.kept(record_id)
            if kept is not None
            and not (retry_failed and kept.observation is not None and kept.observation.error is not None)
        )

    def load(self, record_id: str, *, counts: CountsOf = lambda _variant, _workload: None) -> Record:
        """The record of a run: as it was finished, or put together from what was kept so far.

        Damaged observations are left out and named in the record's notes. Raises StoreError where nothing is whole.
        """
        row = self._row(f"read the record {record_id}", "body, checksum FROM document", record_id)
        if row is not None:
            record = read_row(Record, record_id, *map(str, row))
            if record is not None:
                return record
            if self._row(f"read the run {record_id}", "header FROM run", record_id) in (None, (None,)):
                raise self._damaged(f"the record {record_id}")
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
        row = self._row(f"read the run {record_id}", "created, header FROM run", record_id)
        if row is None:
            raise StoreError(f"{self.path}: holds no run named {record_id}; `harness list` shows those it holds")
        total = checksum(record_id, str(row[0]), state, str(row[1] or ""))
        self._connection.execute("UPDATE run SET state=?, checksum=? WHERE record_id=?", (state, total, record_id))

    def _put_document(self, record: Record) -> None:
        body = record.model_dump_json(exclude=COMPUTED)
        row = (record.record_id, body, checksum(record.record_id, body))
        self._connection.execute("INSERT OR REPLACE INTO document VALUES (?,?,?)", row)

    def _put_assessment(self, record_id: str, assessment: Assessment) -> None:
        body = assessment.model_dump_json()
        row = (record_id, body, checksum(record_id, body))
        self._connection.execute("INSERT OR REPLACE INTO assessment VALUES (?,?,?)", row)

    def _row(self, doing: str, columns: str, record_id: str) -> tuple[Any, ...] | None:
        """`columns` (with their table) of a run, where it has a row there."""
        with explained(self.path, doing):
            query = f"SELECT {columns} WHERE record_id=?"
            found: tuple[Any, ...] | None = self._connection.execute(query, (record_id,)).fetchone()
        return found

    def _state(self, record_id: str) -> State:
        row = self._row(f"read the run {record_id}", "state FROM run", record_id)
        return "running" if row == ("running",) else "interrupted"

    def _ids(self) -> tuple[str, ...]:
        """The ids of the newest runs, whole or not: names to offer for an unknown one."""
        with explained(self.path, "list the runs"):
            rows = self._connection.execute("SELECT record_id FROM run ORDER BY rowid DESC LIMIT 8").fetchall()
        return tuple(str(row[0]) for row in rows)

    def _listed(self, row: tuple[object, ...]) -> Listed:
        record_id, state, has_header, observations = row
        known: Header | Record | None = None
        problem = None
        try:
            known = self.header(str(record_id)) if has_header else self.load(str(record_id))
        except StoreError as error:
            problem = str(error)
        return Listed(
            record_id=str(record_id),
            name=known.name if known else None,
            label=known.label if known else None,
            created=known.created if known else None,
            state=str(state),
            observations=int(str(observations)),
            made_by=known.made_by if isinstance(known, Header) else None,
            problem=problem,
        )

    def _damaged(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path}: {what} is damaged (its checksum does not match); "
            "`harness store check` says what is whole, `harness store recover` saves it"
        )


Model = TypeVar("Model", bound=BaseModel)


def read_row(model: type[Model], *parts: str) -> Model | None:
    """The content of a row, which ends with it and the checksum; None where it is not what was stored."""
    *content, kept_sum = parts
    if kept_sum != checksum(*content):
        return None
    try:
        return from_json(model, content[-1])
    except ValidationError:
        return None
