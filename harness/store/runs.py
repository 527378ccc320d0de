"""Where runs are kept: one SQLite file, one transaction an observation.
What `keep` has returned for survives a kill, a power cut, a full disk and a second writer. Each row carries a checksum
over its content, so that a damaged number is reported and never read.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
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
        """Keep one observation; when this returns it is on the disk. A later one of the same cell and round wins."""
        cell = case_round_key(task, workload)
        if isinstance(observation, CeilingObservation):
            kept = Kept(ceiling=observation)
        else:
            kept = Kept(variant=task.variant, workload=workload, observation=observation)
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
        with explained(self.path, f"read the verdicts of {record_id}"):
            query = "SELECT body, checksum FROM assessment WHERE record_id=?"
            row = self._connection.execute(query, (record_id,)).fetchone()
        if row is None:
            return None
        if row[1] != checksum(record_id, str(row[0])):
            raise self._damaged(f"the judgement of {record_id}")
        try:
            return from_json(Assessment, str(row[0]))
        except ValidationError as error:
            raise self._damaged(f"the judgement of {record_id}") from error

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
            raise StoreError(f"{self.path}: {unknown('run', record_id, self._ids())}")
        created, state, body, kept_sum = row
        if body is None:
            raise StoreError(
                f"{self.path}: the run {record_id} was kept as a finished record, without its plan: it cannot be "
                f"resumed; `harness show {record_id}` shows it, `harness run CONFIG` measures anew"
            )
        if kept_sum != checksum(record_id, str(created), str(state), str(body)):
            raise self._damaged(f"the run {record_id}")
        try:
            return from_json(Header, str(body))
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
        """The cells and rounds that need not be measured again (keys of `assemble.case_round_key`)."""
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
        with explained(self.path, f"read the record {record_id}"):
            query = "SELECT body, checksum FROM document WHERE record_id=?"
            row = self._connection.execute(query, (record_id,)).fetchone()
        if row is not None:
            record = read_document(record_id, str(row[0]), str(row[1]))
            if record is not None:
                return record
            if not self._has_header(record_id):
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
        query = "SELECT created, header FROM run WHERE record_id=?"
        row = self._connection.execute(query, (record_id,)).fetchone()
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

    def _state(self, record_id: str) -> State:
        with explained(self.path, f"read the run {record_id}"):
            row = self._connection.execute("SELECT state FROM run WHERE record_id=?", (record_id,)).fetchone()
        return "running" if row == ("running",) else "interrupted"

    def _ids(self) -> tuple[str, ...]:
        """The ids of the newest runs, whole or not: names to offer for an unknown one."""
        with explained(self.path, "list the runs"):
            rows = self._connection.execute("SELECT record_id FROM run ORDER BY rowid DESC LIMIT 8").fetchall()
        return tuple(str(row[0]) for row in rows)

    def _has_header(self, record_id: str) -> bool:
        with explained(self.path, f"read the run {record_id}"):
            query = "SELECT header IS NOT NULL FROM run WHERE record_id=?"
            row = self._connection.execute(query, (record_id,)).fetchone()
        return row is not None and bool(row[0])

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


def read_kept(record_id: str, cell: str, body: str, kept_sum: str) -> Kept | None:
    """One stored observation, or None where it is not what was stored."""
    if kept_sum != checksum(record_id, cell, body):
        return None
    try:
        return from_json(Kept, body)
    except ValidationError:
        return None


def read_document(record_id: str, body: str, kept_sum: str) -> Record | None:
    """One stored record, or None where it is not what was stored."""
    if kept_sum != checksum(record_id, body):
        return None
    try:
        return from_json(Record, body)
    except ValidationError:
        return None
