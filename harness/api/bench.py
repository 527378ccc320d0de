"""A grid of settings measured: what was inspected, one run for each thread count, and a row for each case.

What is measured is kept in the store as it is made, like any run.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

from harness.api.bench_grid import BenchOptions, BenchSettings, command_line, grid_of, options_of
from harness.api.result import Benched
from harness.api.session import Session, new_header
from harness.errors import StoppedError
from harness.measure import grid
from harness.measure.grid import BenchCase, Grid
from harness.measure.host import description
from harness.measure.inspector import inspect
from harness.measure.needs import variant_bytes
from harness.measure.planner import MEMORY_SHARE
from harness.measure.repository import commit_of
from harness.measure.sweep import Bounds, run
from harness.measure.worker import failed
from harness.results.assemble import Kept, State, assemble
from harness.results.bench import BenchRow, Inspections, VariantProfile, rows
from harness.results.counting import counts
from harness.results.inspection import FidelityRequest, ProfileRequest
from harness.results.plan import Plan, Task, Variant, Workload
from harness.results.record import CaseKey, CeilingObservation, Counts, Host, Measurement, Observation, Record, case_key
from harness.store.runs import Store
from harness.vocabulary import Phase, RunPrecision

OnRow = Callable[[BenchRow], None]


def bench(
    model: str | Sequence[str],
    *,
    session: Session | None = None,
    on_row: OnRow | None = None,
    **settings: Unpack[BenchSettings],
) -> Benched:
    """Measure the prefill and decode rates of models over a grid of settings, one row each.

    `model` is a preset, a YAML file with a spec, or a Hugging Face config.json or its folder. `on_row` is told of each
    row as soon as it is whole. A case that fails is a row with its reason. Raises UsageError for a setting that does
    not fit, UnfitHostError where another run measures, StoppedError on Ctrl-C (its `result` holds the rows so far).
    """
    session = session or Session()
    options = options_of([model] if isinstance(model, str) else model, settings)
    here = description.describe()
    asked = grid_of(options, here)
    if any(d > 0 for d in asked.depths) and any(p > 0 for p in asked.prompt_tokens):
        session.say("note: depths concern decode rows; prompts are read into an empty cache")
    sweep = _Bench(
        options, asked, grid.cases(asked, here.available_bytes), here, session, on_row or (lambda _row: None)
    )
    try:
        sweep.carry_out()
    except KeyboardInterrupt:
        running = sweep.running
        begun = running.header.record_id if running is not None and running.plan is not None else None
        sweep.take_rest()
        what = "interrupted: what was measured so far is printed, with the number of processes that each row has"
        message = f"{what}; go on with: harness run --resume {begun}" if begun else what
        raise StoppedError(message, Benched(cases=tuple(sweep.finished))) from None
    return Benched(cases=tuple(sweep.finished))


@dataclass
class _Bench:
    """A sweep while it goes on: what was inspected, the record of each thread count, and what is finished."""

    options: BenchOptions
    grid: Grid
    cases: tuple[BenchCase, ...]
    host: Host
    session: Session
    on_row: OnRow | None
    inspections: tuple[Inspections, ...] = ()
    profiles: tuple[VariantProfile, ...] = ()
    finished: list[BenchRow] = field(default_factory=list)
    running: "_Run | None" = None

    @property
    def bounds(self) -> Bounds:
        return Bounds(timeout_s=self.options.timeout_s, memory_bytes=self.host.available_bytes)

    def carry_out(self) -> None:
        if all(case.refusal for case in self.cases):
            for threads in self.grid.threads:
                self._take(_Run(self, threads, None, ()))
            return
        with self.session.measuring("harness bench") as (store, notes):
            self._inspect()
            for threads in self.grid.threads:
                self.running = _Run(self, threads, grid.plan(self.cases, self.grid, threads), notes)
                self.running.carry_out(store)
                self._take(self.running)

    def _take(self, run: "_Run") -> None:
        self.running = None
        made = run.rows("complete")
        self.finished += made
        run.tell(made)

    def take_rest(self) -> None:
        """Of a run that was cut short the rows that have anything."""
        if self.running is not None:
            left = [row for row in self.running.rows("interrupted") if row.error is None or row.samples_s]
            self.running.tell(left)
            self.finished += left

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
            self.session.say(f"profile: {variant.model} {variant.precision} {phase}, {variant.threads} threads")
            inspected = inspect(ProfileRequest(variant=variant, workloads=tuple(workloads)), self.bounds)
            found += [VariantProfile(variant=variant, profile=profile) for profile in inspected.profiles]
            if inspected.problem:
                self.session.say(f"profile: {inspected.problem}")
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
        self.session.say(f"comparing logits with fp32: {variant.model} {', '.join(quantised)}")
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

    def __init__(self, bench: _Bench, threads: int, plan: Plan | None, notes: tuple[str, ...]) -> None:
        self.bench, self.plan = bench, plan
        self.cases = tuple(case for case in bench.cases if case.variant.threads == threads)
        needs = {"peak_bytes": 0, "duration_s": 0.0, "basis": "nothing can run"}
        self.header = new_header(
            "bench",
            command_line(bench.options) + "\n",
            bench.host,
            plan or Plan.model_validate({"name": "bench", "tasks": (), "needs": needs}),
            digest_of=bench.grid.model_dump_json(),
            revision=commit_of(Path()),
            notes=notes,
            made_by="bench",
            process_timeout_s=bench.options.timeout_s,
        )
        self.kept: list[Kept] = []
        self.made: Counter[tuple[Variant, Workload]] = Counter()
        self.told: set[CaseKey] = set()

    def carry_out(self, store: Store) -> None:
        """Measure the plan, each observation kept as it is made. A run that is cut short is kept as interrupted."""
        if self.plan is None:
            return
        store.begin(self.header)
        self.tell([row for row in self.rows("running") if self._is_refused(row)])
        state: State = "interrupted"
        try:
            with self.bench.session.progress(self.plan) as shown:

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
        if self.bench.on_row is not None and self.made[task.variant, workload] == self.bench.grid.repetitions:
            key = case_key(task.variant, workload)
            self.tell([row for row in self.rows("running") if row.key == key])

    def tell(self, finished: list[BenchRow]) -> None:
        """Each row once, as soon as it is whole."""
        on_row = self.bench.on_row
        if on_row is None:
            return
        for row in finished:
            if row.key not in self.told:
                self.told.add(row.key)
                on_row(row)

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
