"""A config carried out: read, planned for this host, measured, recorded, judged. Each stage hands its own type on."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.api.loading import Asked, check_chips, gather, located, read_config
from harness.api.result import Judged
from harness.api.session import Session, new_header, put_together
from harness.config import Config
from harness.errors import PlanError, StoppedError, StoreError, UsageError
from harness.files import validation
from harness.files.reader import parse
from harness.measure import planner, sweep
from harness.measure.host import description
from harness.measure.repository import commit_of
from harness.measure.sweep import Bounds
from harness.results.assemble import Header, State, remaining
from harness.results.plan import Plan, Task, Workload
from harness.results.record import CeilingObservation, Host, Observation, Record
from harness.results.validity import changed_host
from harness.store.runs import Store
from harness.verdict.judge import assess


@dataclass(frozen=True)
class Prepared:
    """A run that can start: what was asked (None: a resumed `harness bench`), and what is known of it beforehand."""

    asked: Asked | None
    header: Header
    resumed: bool = False
    retry_failed: bool = False


def run(
    config: str | os.PathLike[str] | Prepared,
    *,
    catalog: Sequence[str | os.PathLike[str]] = (),
    label: str | None = None,
    max_failures: int | None = None,
    session: Session | None = None,
) -> Judged:
    """Measure what a config asks for, and judge its claim sheet if it names one.

    `config` is a file, the name of one that comes with the program, or a run that was prepared. Each observation is
    kept in the session's store as it is made. Raises UsageError for a config that cannot be carried out, UnfitHostError
    where another run measures or this system cannot, StoppedError on Ctrl-C (what was measured is kept).
    """
    session = session or Session()
    ready = config if isinstance(config, Prepared) else prepare(config, catalog=catalog, label=label)
    asked = ready.asked
    record = _measured(ready, max_failures, session)
    assessment = None
    if asked is not None and asked.sheet is not None:
        wanted = asked.config
        assessment = assess(asked.sheet, record=record, catalog=asked.catalog, chips=wanted.chips, as_of=wanted.as_of)
        with Store(session.store) as store:
            store.keep_assessment(record.record_id, assessment)
    return Judged(record=record, assessment=assessment)


def prepare(
    config: str | os.PathLike[str], *, catalog: Sequence[str | os.PathLike[str]] = (), label: str | None = None
) -> Prepared:
    """What a new run is to do: the config with its sources, and the plan for this host. Raises UsageError."""
    found, read = read_config(config)
    asked = gather(found, read, tuple(Path(path) for path in catalog))
    check_chips(asked)
    here = description.describe()
    plan = _planned(asked, here)
    header = new_header(
        read.name,
        found.text,
        here,
        plan,
        label=label or read.label,
        config_path=str(found.path.absolute()),
        revision=commit_of(Path()),
    )
    return Prepared(asked, header)


def _planned(asked: Asked, here: Host) -> Plan:
    try:
        return planner.make(asked.config, here)
    except PlanError as error:
        raise located(asked.document, error) from None


def resume(
    name: str,
    config: str | os.PathLike[str] | None = None,
    *,
    catalog: Sequence[str | os.PathLike[str]] = (),
    retry_failed: bool = False,
    session: Session | None = None,
) -> Prepared:
    """A run that was cut short, with the config as it was then, to be resumed by `run`.

    Refused: a changed config, another host, other versions, and a side of `harness ab`. Raises UsageError, StoreError.
    """
    with Store((session or Session()).store, write=False) as store:
        record_id = _to_resume(store, name)
        header = store.header(record_id)
    if header.made_by == "ab":
        raise UsageError(
            f"run {record_id} is one side of a `harness ab`, whose sides are measured in turn, expected a run of "
            "`harness run` or `harness bench`; start the comparison again "
            f"(`harness show {record_id}` shows what was kept of this side)"
        )
    if header.config_path is None:
        if config is not None:
            raise UsageError(
                f"{config}: run {record_id} was made without a config ({header.config_text.strip()}), "
                f"expected: harness run --resume {record_id}"
            )
        _refuse_elsewhere(header, description.describe())
        return Prepared(None, header, True, retry_failed)
    found = parse(header.config_text, path=Path(header.config_path), what="config")
    then = validation.validate(found, Config)
    if config is not None:
        _refuse_changes(read_config(config)[1], then, Path(config), record_id)
    _refuse_elsewhere(header, description.describe())
    asked = gather(found, then, tuple(Path(path) for path in catalog))
    check_chips(asked)
    return Prepared(asked, header, True, retry_failed)


def _to_resume(store: Store, name: str) -> str:
    """The run that `name` means; 'latest' is the latest that can be resumed, if there is one."""
    for listed in reversed(store.runs() if name == "latest" else ()):
        try:
            if store.header(listed.record_id).made_by != "ab":
                return listed.record_id
        except StoreError:  # imported or damaged
            continue
    return store.resolve(name)


def _bounds(header: Header, asked: Asked | None, max_failures: int | None) -> Bounds:
    """What the run may use, by its config, or by what `harness bench` was told."""
    bounds = Bounds(memory_bytes=header.host.available_bytes, max_failures=max_failures)
    if asked is None:
        return bounds.model_copy(update={"timeout_s": header.process_timeout_s or bounds.timeout_s})
    measured = asked.config.measure
    return bounds.model_copy(update={"timeout_s": measured.process_timeout_s, "time_budget_s": measured.time_budget_s})


def _refuse_elsewhere(header: Header, here: Host) -> None:
    """One record holds figures of one host and of one set of versions."""
    begun = f"run {header.record_id} was measured"
    moved = changed_host(header.host, here)
    if moved is not None:
        raise UsageError(f"{begun} on another host: {moved.message}; {moved.remedy}")
    then, now = ({"python": of.python, **dict(of.packages)} for of in (header.host, here))
    changed = [
        f"{name} was {then.get(name, 'absent')} and is {now.get(name, 'absent')}"
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    ]
    if changed:
        raise UsageError(f"{begun} with other versions: {'; '.join(changed)}; install those, or start a new run")


def _refuse_changes(now: Config, then: Config, path: Path, record_id: str) -> None:
    """What decides the measurements must be as it was; sheet, chips and outputs may change."""
    changed = [
        f"measure.{name} was {getattr(then.measure, name)!r} and is {getattr(now.measure, name)!r}"
        for name in type(now.measure).model_fields
        if getattr(now.measure, name) != getattr(then.measure, name)
    ]
    changed += [
        f"specs.{name} {'was added' if name not in then.specs else 'is gone' if name not in now.specs else 'changed'}"
        for name in {**then.specs, **now.specs}
        if then.specs.get(name) != now.specs.get(name)
    ]
    if changed:
        raise UsageError(f"{path}: differs from the config of run {record_id}: {'; '.join(changed)}; start a new run")


def _measured(ready: Prepared, max_failures: int | None, session: Session) -> Record:
    """Measure what is still to be measured, each observation kept as it is made, and put the record together."""
    header = ready.header
    bounds = _bounds(header, ready.asked, max_failures)
    with session.measuring(f"harness run {header.name}") as (store, beside):
        done: frozenset[str] = frozenset()
        notes = beside
        if ready.resumed:
            store.reopen(header.record_id)
            done = store.done(header.record_id, retry_failed=ready.retry_failed)
        else:
            store.begin(header)
        left = tuple(task for task in (remaining(task, done) for task in header.plan.tasks) if task is not None)
        state: State = "complete"
        try:
            if left:
                outcome = _carried_out(header, header.plan.model_copy(update={"tasks": left}), bounds, session, store)
                state = outcome.kind
                notes = (*notes, outcome.stopped) if outcome.stopped else notes
        except KeyboardInterrupt:
            record = put_together(store, header, "interrupted", (*notes, "interrupted by the user"))
            kept, planned = _progress_of(record)
            raise StoppedError(
                f"interrupted: {kept} of {planned} observations are kept in {store.path}; "
                f"go on with: harness run --resume {header.record_id}",
                record,
            ) from None
        return put_together(store, header, state, notes)


def _carried_out(header: Header, plan: Plan, bounds: Bounds, session: Session, store: Store) -> sweep.Outcome:
    with session.progress(plan) as shown:

        def sink(task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> None:
            store.keep(header.record_id, task, workload, observation)
            shown.done(task, workload)

        return sweep.run(plan, sink=sink, bounds=bounds)


def _progress_of(record: Record) -> tuple[int, int]:
    kept = sum(len(m.observations) for m in record.measurements)
    rounds = max((o.round for m in record.measurements for o in m.observations), default=0) + 1
    return kept, max(kept, rounds * len(record.measurements))
