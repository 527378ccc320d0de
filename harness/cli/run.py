"""`harness run`: parse, resolve, plan, measure, record, judge, report. Each stage hands its own type to the next."""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from harness.cli import preview
from harness.cli.delivery import Delivery, deliver
from harness.cli.info import harness_version
from harness.cli.judge import assess
from harness.cli.progress import progress
from harness.cli.show import STORE
from harness.cli.sources import Asked, check_chips, gather, located, read_config
from harness.config import Config
from harness.errors import INTERRUPTED, HarnessError, PlanError, StoreError, UsageError
from harness.files import validation
from harness.files.reader import parse
from harness.measure import planner
from harness.measure.host import description
from harness.measure.lock import run_lock
from harness.measure.repository import commit_of
from harness.measure.sweep import Bounds, Outcome, run
from harness.results.assemble import Header, State, assemble, new_record_id, remaining
from harness.results.counting import counts
from harness.results.disturbance import changed_host
from harness.results.plan import Plan, Task, Workload
from harness.results.record import CeilingObservation, Host, Observation, Record
from harness.store.runs import Store

BESIDE = "another run was measuring on this host at the same time (--force): both were slowed down"


class StoppedError(HarnessError):
    """Ctrl-C: what was measured is kept, and the message says how to go on."""

    exit_code = INTERRUPTED


@dataclass(frozen=True)
class Options:
    """What the command line asks of a run."""

    config: Path | None
    delivery: Delivery
    store: Path | None = None
    dry_run: bool = False
    resume: str | None = None
    retry_failed: bool = False
    catalog: tuple[Path, ...] = ()
    label: str | None = None
    quiet: bool = False
    wait: bool = False
    force: bool = False
    max_failures: int | None = None


def run_command(options: Options) -> int:
    """Carry out a config. Returns the exit code; raises HarnessError for whatever the user can mend."""
    if options.retry_failed and options.resume is None:
        raise UsageError(
            "--retry-failed was given without --resume, expected: harness run --resume [ID] --retry-failed"
        )
    asked, header = _resumed(options) if options.resume is not None else _fresh(options)
    delivery = options.delivery
    if asked is not None:
        check_chips(asked)
        delivery = delivery.or_else(asked.config.outputs)
    delivery.check(inputs=asked.inputs if asked is not None else ())
    if options.dry_run:
        typer.echo(preview.render(header.plan, header.host, delivery.form), nl=False)
        return 0
    record = _measured(header, _bounds(header, asked, options), options)
    assessment = None
    if asked is not None and asked.sheet is not None:
        assessment = assess(asked.sheet, record, asked.catalog, asked.config.chips)
        with Store(options.store or STORE) as store:
            store.keep_assessment(record.record_id, assessment)
    return deliver(delivery, record, assessment, _bench_table(record, header) if header.made_by == "bench" else None)


def _bench_table(record: Record, header: Header) -> str:
    """The rows of a `harness bench` that was gone on with, and what only the command itself finds out."""
    from harness.report import bench
    from harness.report.markdown import escape
    from harness.results.bench import rows

    table = bench.render(rows(record, (), ()), "md")
    begun = escape(header.config_text.strip())
    return f"{table}\nRows that cannot run here, and distances from fp32, are told by: {begun}\n"


def _fresh(options: Options) -> tuple[Asked, Header]:
    """What a new run is to do: the config with its sources, and the plan for this host."""
    if options.config is None:
        raise UsageError("no config given, expected: harness run CONFIG (or harness run --resume)")
    found, config = read_config(options.config)
    asked = gather(found, config, options.catalog)
    here = description.describe()
    plan = _planned(asked, here)
    now = dt.datetime.now(dt.UTC)
    header = Header(
        record_id=new_record_id(now, secrets.token_hex(3)),
        name=config.name,
        label=options.label or config.label,
        created=now,
        harness_version=harness_version(),
        config_digest=hashlib.sha256(found.text.encode()).hexdigest(),
        config_text=found.text,
        config_path=str(found.path.absolute()),
        revision=commit_of(Path()),
        host=here,
        plan=plan,
    )
    return asked, header


def _planned(asked: Asked, here: Host) -> Plan:
    try:
        return planner.make(asked.config, here)
    except PlanError as error:
        raise located(asked.document, error) from None


def _resumed(options: Options) -> tuple[Asked | None, Header]:
    """A run that was cut short, with the config as it was then (None: made by `harness bench`, which has none).

    Refused: a changed config, another host, and a side of `harness ab`.
    """
    assert options.resume is not None
    with Store(options.store or STORE, write=False) as store:
        record_id = _to_resume(store, options.resume)
        header = store.header(record_id)
    if header.made_by == "ab":
        raise UsageError(
            f"run {record_id} is one side of a `harness ab`, whose sides are measured in turn, expected a run of "
            "`harness run` or `harness bench`; start the comparison again "
            f"(`harness show {record_id}` shows what was kept of this side)"
        )
    if header.config_path is None:
        if options.config is not None:
            raise UsageError(
                f"{options.config}: run {record_id} was made without a config ({header.config_text.strip()}), "
                f"expected: harness run --resume {record_id}"
            )
        _refuse_elsewhere(header, description.describe())
        return None, header
    found = parse(header.config_text, path=Path(header.config_path), what="config")
    config = validation.validate(found, Config)
    if options.config is not None:
        _refuse_changes(read_config(options.config)[1], config, options.config, record_id)
    _refuse_elsewhere(header, description.describe())
    return gather(found, config, options.catalog), header


def _to_resume(store: Store, name: str) -> str:
    """The run that is meant; 'latest' is the latest that can be gone on with, if there is one."""
    for listed in reversed(store.runs() if name == "latest" else ()):
        try:
            if store.header(listed.record_id).made_by != "ab":
                return listed.record_id
        except StoreError:  # imported or damaged
            continue
    return store.resolve(name)


def _bounds(header: Header, asked: Asked | None, options: Options) -> Bounds:
    """What the run may use, by its config, or by what `harness bench` was told."""
    bounds = Bounds(memory_bytes=header.host.available_bytes, max_failures=options.max_failures)
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


def _measured(header: Header, bounds: Bounds, options: Options) -> Record:
    """Measure what is still to be measured, each observation kept as it is made, and put the record together."""
    policy: Literal["refuse", "wait", "force"] = "force" if options.force else "wait" if options.wait else "refuse"
    doing = f"harness run {header.name}"
    with run_lock(doing, policy, waiting=_say_waiting) as alone, Store(options.store or STORE) as store:
        if options.resume is None:
            store.begin(header)
            done: frozenset[str] = frozenset()
        else:
            store.reopen(header.record_id)
            done = store.done(header.record_id, retry_failed=options.retry_failed)
        left = tuple(task for task in (remaining(task, done) for task in header.plan.tasks) if task is not None)
        state: State = "complete"
        notes: tuple[str, ...] = () if alone else (BESIDE,)
        try:
            if left:
                outcome = _run(header.plan.model_copy(update={"tasks": left}), header, bounds, options, store)
                state = outcome.kind
                notes = (*notes, outcome.stopped) if outcome.stopped else notes
        except KeyboardInterrupt:
            record = _put_together(store, header, "interrupted", (*notes, "interrupted by the user"))
            kept, planned = _progress_of(record)
            raise StoppedError(
                f"interrupted: {kept} of {planned} observations are kept in {store.path}; "
                f"go on with: harness run --resume {header.record_id}"
            ) from None
        return _put_together(store, header, state, notes)


def _say_waiting(holder: str) -> None:
    typer.echo(f"waiting for another run on this host to end: {holder}", err=True)


def _run(plan: Plan, header: Header, bounds: Bounds, options: Options, store: Store) -> Outcome:
    with progress(plan, quiet=options.quiet) as shown:

        def sink(task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> None:
            store.keep(header.record_id, task, workload, observation)
            shown.done(task, workload)

        return run(plan, sink=sink, bounds=bounds)


def _put_together(store: Store, header: Header, state: State, notes: tuple[str, ...]) -> Record:
    kept = [one for _, one in store.kept(header.record_id) if one is not None]
    record = assemble(header, kept, state=state, counts=counts)
    record = record.model_copy(update={"notes": (*record.notes, *notes)})
    store.finish(record)
    return record


def _progress_of(record: Record) -> tuple[int, int]:
    kept = sum(len(m.observations) for m in record.measurements)
    rounds = max((o.round for m in record.measurements for o in m.observations), default=0) + 1
    return kept, max(kept, rounds * len(record.measurements))
