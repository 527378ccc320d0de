"""`harness bench` carried out: the grid, what was inspected, one run for each thread count, and the rows.

Rows go to stdout, everything else to stderr. What is measured is kept in the store as it is made, like any run.
"""

import datetime as dt
import hashlib
import secrets
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import typer

from harness.cli.benchgrid import BenchOptions, command_line, grid_of
from harness.cli.info import harness_version
from harness.cli.progress import progress
from harness.cli.run import BESIDE, StoppedError
from harness.cli.show import STORE
from harness.measure import grid
from harness.measure.grid import BenchCase, Grid
from harness.measure.host import description
from harness.measure.inspector import inspect
from harness.measure.lock import run_lock
from harness.measure.needs import variant_bytes
from harness.measure.planner import MEMORY_SHARE
from harness.measure.repository import commit_of
from harness.measure.sweep import Bounds, run
from harness.measure.worker import failed
from harness.report import bench
from harness.results.assemble import Header, Kept, State, assemble, new_record_id
from harness.results.bench import BenchRow, Inspections, VariantProfile, rows
from harness.results.counting import counts
from harness.results.inspection import FidelityRequest, ProfileRequest
from harness.results.plan import Plan, Task, Variant, Workload
from harness.results.record import CaseKey, CeilingObservation, Counts, Host, Measurement, Observation, Record, case_key
from harness.store.runs import Store
from harness.vocabulary import Phase, RunPrecision

ALL_FAILED = 5
NO_INTERVAL = "no-interval"  # what one process cannot give, and who asks for one process knows


def bench_command(options: BenchOptions) -> int:
    """Measure the grid and print its rows. Returns the exit code; raises HarnessError for what the user can mend."""
    here = description.describe()
    asked = grid_of(options, here)
    cases = grid.cases(asked, here.available_bytes)
    if any(d > 0 for d in asked.depths) and any(p > 0 for p in asked.prompt_tokens) and not options.quiet:
        typer.echo("note: -d concerns decode rows; prompts are read into an empty cache", err=True)
    bench = _Bench(options, asked, cases, here)
    try:
        bench.carry_out()
    except KeyboardInterrupt:
        begun = bench.running.header.record_id if bench.running is not None and bench.running.plan is not None else None
        bench.print_rest()
        said = "interrupted: what was measured so far is printed, with the number of processes that each row has"
        raise StoppedError(f"{said}; go on with: harness run --resume {begun}" if begun else said) from None
    bench.print_rest()
    return bench.exit_code


@dataclass
class _Bench:
    """A sweep while it goes on: what was inspected, the record of each thread count, and what was printed."""

    options: BenchOptions
    grid: Grid
    cases: tuple[BenchCase, ...]
    host: Host
    inspections: tuple[Inspections, ...] = ()
    profiles: tuple[VariantProfile, ...] = ()
    finished: list[BenchRow] = field(default_factory=list)
    running: "_Run | None" = None
    printed: int = 0

    @property
    def bounds(self) -> Bounds:
        return Bounds(timeout_s=self.options.timeout_s, memory_bytes=self.host.available_bytes)

    @property
    def streams(self) -> bool:
        return self.options.form == "jsonl"

    @property
    def exit_code(self) -> int:
        """0 if any row can be relied upon, save that one process gives no interval."""
        valid = any(
            row.rate_tok_s is not None and all(rule.startswith(NO_INTERVAL) for rule in row.invalid)
            for row in self.finished
        )
        return 0 if valid else ALL_FAILED

    def carry_out(self) -> None:
        if all(case.refusal for case in self.cases):
            for threads in self.grid.threads:
                self._take(_Run(self, threads, None, alone=True))
            return
        policy: Literal["refuse", "wait", "force"]
        policy = "force" if self.options.force else "wait" if self.options.wait else "refuse"
        lock = run_lock("harness bench", policy, waiting=_say_waiting)
        with lock as alone, Store(self.options.store or STORE) as store:
            self._inspect()
            for threads in self.grid.threads:
                self.running = _Run(self, threads, grid.plan(self.cases, self.grid, threads), alone=alone)
                self.running.carry_out(store)
                self._take(self.running)

    def _take(self, run: "_Run") -> None:
        self.running = None
        self.finished += run.rows("complete")
        if self.streams:
            run.print_lines(self.finished[-len(run.cases) :])
            self.printed = len(self.finished)

    def print_rest(self) -> None:
        """What is not yet printed: of a run that was cut short the rows that have anything."""
        if self.running is not None:
            left = [row for row in self.running.rows("interrupted") if row.error is None or row.samples_s]
            if self.streams:
                self.running.print_lines(left)
            self.finished += left
            self.printed += len(left) if self.streams else 0
        form = cast(bench.BenchTableFormat, self.options.form)
        if not self.streams:
            typer.echo(bench.render(self.finished, form), nl=False)
        if form in ("csv", "sql") and any(row.profile for row in self.finished):
            typer.echo(bench.profile_tables(self.finished), nl=False, err=True)

    def say(self, message: str) -> None:
        if not self.options.quiet:
            typer.echo(message, err=True)

    def _inspect(self) -> None:
        """What needs no clock: distance from fp32 weights, and profiles."""
        runnable = [case for case in self.cases if case.refusal is None]
        self.inspections = tuple(
            self._compared([c for c in runnable if c.variant.model == model.name]) for model in self.grid.models
        )
        if not self.options.profile:
            return
        loads: dict[tuple[Variant, Phase], list[Workload]] = {}
        for case in runnable:
            loads.setdefault((case.variant, case.workload.phase), []).append(case.workload)
        found: list[VariantProfile] = []
        for (variant, phase), workloads in loads.items():
            self.say(f"profile: {variant.model} {variant.precision} {phase}, {variant.threads} threads")
            inspected = inspect(ProfileRequest(variant=variant, workloads=tuple(workloads)), self.bounds)
            found += [VariantProfile(variant=variant, profile=profile) for profile in inspected.profiles]
            if inspected.problem:
                typer.echo(f"profile: {inspected.problem}", err=True)
        self.profiles = tuple(found)

    def _compared(self, cases: list[BenchCase]) -> Inspections:
        quantised = tuple(dict.fromkeys(c.variant.precision for c in cases if c.variant.precision != "fp32"))
        if not quantised:
            return Inspections(model=cases[0].variant.model if cases else "")
        variant, phases = cases[0].variant, tuple(dict.fromkeys(c.workload.phase for c in cases))
        exact = variant.model_copy(update={"precision": "fp32"})
        need = variant_bytes(exact, (Workload(phase="prefill", batch=32, prompt_tokens=16, decode_tokens=0),))
        if need > MEMORY_SHARE * self.host.available_bytes:
            return Inspections(model=variant.model, problem="fp32 weights to compare with do not fit into memory")
        self.say(f"comparing logits with fp32: {variant.model} {', '.join(quantised)}")
        inspected = inspect(FidelityRequest(variant=variant, precisions=quantised, phases=phases), self.bounds)
        return Inspections(model=variant.model, fidelities=inspected.fidelities, problem=inspected.problem)

    def quantisation_error(self, variant: Variant, phase: Phase) -> float | None:
        if variant.precision == "fp32":
            return 0.0
        found = (f for i in self.inspections if i.model == variant.model for f in i.fidelities)
        wanted: tuple[RunPrecision, Phase] = (variant.precision, phase)
        return next((f.logits_error for f in found if (f.precision, f.phase) == wanted), None)


class _Run:
    """The cases of one thread count: one run in the store, because ceilings depend on the number of threads."""

    def __init__(self, bench: _Bench, threads: int, plan: Plan | None, *, alone: bool) -> None:
        now = dt.datetime.now(dt.UTC)
        self.bench, self.plan = bench, plan
        self.cases = tuple(case for case in bench.cases if case.variant.threads == threads)
        needs = {"peak_bytes": 0, "duration_s": 0.0, "basis": "nothing can run"}
        self.header = Header(
            record_id=new_record_id(now, secrets.token_hex(3)),
            name="bench",
            created=now,
            harness_version=harness_version(),
            config_digest=hashlib.sha256(bench.grid.model_dump_json().encode()).hexdigest(),
            config_text=command_line(bench.options) + "\n",
            revision=commit_of(Path()),
            host=bench.host,
            plan=plan or Plan.model_validate({"name": "bench", "tasks": (), "needs": needs}),
            notes=() if alone else (BESIDE,),
            made_by="bench",
            process_timeout_s=bench.options.timeout_s,
        )
        self.kept: list[Kept] = []
        self.made: Counter[tuple[Variant, Workload]] = Counter()
        self.said: set[CaseKey] = set()

    def carry_out(self, store: Store) -> None:
        """Measure the plan, each observation kept as it is made. A run that is cut short is kept as interrupted."""
        if self.plan is None:
            return
        store.begin(self.header)
        if self.bench.streams:
            self.print_lines([row for row in self.rows("running") if self._is_refused(row)])
        state: State = "interrupted"
        try:
            with progress(self.plan, quiet=self.bench.options.quiet) as shown:

                def sink(task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> None:
                    store.keep(self.header.record_id, task, workload, observation)
                    self._keep(task, workload, observation)
                    shown.done(task, workload)

                run(self.plan, sink=sink, bounds=self.bench.bounds)
            state = "complete"
        finally:
            store.finish(self.record(state))

    def _is_refused(self, row: BenchRow) -> bool:
        return any(case.refusal and case_key(case.variant, case.workload) == row.key for case in self.cases)

    def _keep(self, task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> None:
        if isinstance(observation, CeilingObservation):
            self.kept.append(Kept(ceiling=observation))
            return
        self.kept.append(Kept(variant=task.variant, workload=workload, observation=observation))
        if task.variant is None or workload is None:
            return
        self.made[task.variant, workload] += 1
        if self.bench.streams and self.made[task.variant, workload] == self.bench.grid.repetitions:
            key = case_key(task.variant, workload)
            self.print_lines([row for row in self.rows("running") if row.key == key])

    def print_lines(self, finished: list[BenchRow]) -> None:
        """Each row once, one JSON object a line, so that a reader sees it at once."""
        for row in finished:
            if row.key not in self.said:
                self.said.add(row.key)
                typer.echo(bench.json_line(row), nl=False)

    def rows(self, state: State) -> list[BenchRow]:
        made = rows(self.record(state), self.bench.inspections, self.bench.profiles)
        return [row.model_copy(update={"run": None}) if self.plan is None else row for row in made]

    def record(self, state: State) -> Record:
        """What was kept so far, in the grid's order; refused cases are in it with their reason."""
        made = assemble(self.header, self.kept, state=state, counts=self._counts)
        by_key = {m.key: m for m in made.measurements}
        cases = (by_key.get(case_key(c.variant, c.workload)) or self._refused(c) for c in self.cases)
        variants = tuple(dict.fromkeys(case.variant for case in self.cases))
        return made.model_copy(update={"measurements": tuple(cases), "variants": variants})

    def _refused(self, case: BenchCase) -> Measurement:
        reason = failed(0, self.header.created, case.refusal or "not measured")
        return Measurement(
            **case_key(case.variant, case.workload).named,
            counts=self._counts(case.variant, case.workload) if grid.stored_bytes(case.variant) is not None else None,
            observations=(reason,),
        )

    def _counts(self, variant: Variant, workload: Workload) -> Counts:
        error = self.bench.quantisation_error(variant, workload.phase)
        return counts(variant, workload).model_copy(update={"quantisation_error": error})


def _say_waiting(holder: str) -> None:
    typer.echo(f"waiting for another run on this host to end: {holder}", err=True)
