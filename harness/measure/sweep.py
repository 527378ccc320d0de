"""Carry out a plan: one fresh process a task, one after the other, each observation handed on as it is made.

 While a process
measures, this one sleeps in the kernel; it works only between two workloads, when no clock runs.
"""

import contextlib
import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

import harness
from harness.measure.child import Child, Ending
from harness.measure.protocol import request, understood
from harness.measure.worker import Message, failed
from harness.results.assemble import remaining
from harness.results.plan import Plan, Task, Workload
from harness.results.record import CeilingObservation, Observation
from harness.vocabulary import Frozen

Sink = Callable[[Task, Workload | None, Observation | CeilingObservation], None]
"""Keeps one observation. When it returns, the observation is safe; what it raises ends the run."""

OWN_FOLDER = Path(harness.__file__).resolve().parent.parent
"""Where this very package is found."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class Bounds(Frozen):
    """What a run may use. `timeout_s` and `memory_bytes` hold for each process."""

    timeout_s: float = Field(default=120.0, gt=0)
    memory_bytes: int | None = Field(default=None, gt=0, description="writable memory of a process; None: no limit")
    max_failures: int | None = Field(default=None, ge=1, description="stop after so many failed observations")
    time_budget_s: float | None = Field(default=None, gt=0, description="no further round starts after it")


class SweepProgress(Frozen):
    """How far a run is, counted in observations."""

    done: int
    total: int
    label: str = Field(description="what is measured now")
    elapsed_s: float
    remaining_s: float | None = Field(description="from the pace so far; None before the first observation")


class Outcome(Frozen):
    """What a run came to. `stopped` says why tasks of the plan were left out."""

    measured: int = 0
    failed: int = 0
    skipped: int = Field(default=0, description="observations of the plan that had been made before")
    stopped: str | None = None
    kind: Literal["complete", "interrupted"] = "complete"


@dataclass(frozen=True)
class Launch:
    """All that decides how a measuring process starts."""

    command: tuple[str, ...]
    request: bytes
    environment: Mapping[str, str]
    memory_bytes: int | None


Start = Callable[[Launch], Child]
"""Gives the process of a launch: a new one, or one that waits for its turn. Raises OSError if it cannot start."""


def started(launch: Launch) -> Child:
    """A new process."""
    return Child(
        launch.command,
        request=launch.request,
        environment=launch.environment,
        memory_bytes=launch.memory_bytes,
    )


def worker_command(python: str = sys.executable) -> tuple[str, ...]:
    """How a measuring process is started. `-P` keeps a stray module in the current folder from being imported.

    Not by `-m`: this package imports the worker's types, and runpy warns of a module that it finds imported already.
    """
    return (python, "-P", "-c", "import sys; from harness.measure.worker import main; sys.exit(main())")


def worker_environment(threads: int, base: Mapping[str, str], package: Path | None = OWN_FOLDER) -> dict[str, str]:
    """`base` with the thread pools of numeric libraries bounded, and the harness in folder `package` to be found.

    None leaves the worker to the interpreter's own installation. What else lies in `package` is found too, before the
    interpreter's own packages: for another environment it must hold nothing but the harness.
    """
    paths = [str(package) if package else "", *base.get("PYTHONPATH", "").split(os.pathsep)]
    fixed = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    found = {"PYTHONPATH": os.pathsep.join(p for p in paths if p)}
    return {**base, **fixed, **found, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}


def label(task: Task, workload: Workload | None) -> str:
    """One line for people: what is being measured."""
    if task.kind == "ceilings" or task.variant is None:
        return "this host's ceilings"
    where = f"{task.variant.model} {task.variant.precision}"
    return where if workload is None else f"{where} {workload.phase} batch {workload.batch}"


def run(
    plan: Plan,
    *,
    sink: Sink,
    progress: Callable[[SweepProgress], None] = lambda _: None,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    done: Collection[str] = (),
    command: tuple[str, ...] | None = None,
    environment: Mapping[str, str] | None = None,
    package: Path | None = OWN_FOLDER,
    encode: Callable[[Task], bytes] = request,
    start: Start = started,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Measure what `plan` names and `done` does not (keys of `assemble.case_round_key`), in the plan's order.

    A process that dies, hangs or answers nonsense becomes a failed observation, and the rest goes on in a new one.
    `command`, `environment` and `package` (see `worker_environment`) start another worker than this package's own,
    which reads its task as `encode` writes it. KeyboardInterrupt ends the process that measures and passes
    through; all that `sink` took before is safe.
    """

    def process(task: Task) -> Child:
        return start(launch_of(task, bounds, command=command, environment=environment, package=package, encode=encode))

    going = _Run(plan, sink, bounds=bounds, process=process, progress=progress, done=done, clock=clock)
    for _ in going.observations():
        pass
    return going.outcome()


def observations(
    plan: Plan,
    *,
    bounds: Bounds,
    command: tuple[str, ...],
    package: Path | None = OWN_FOLDER,
    encode: Callable[[Task], bytes] = request,
    start: Start = started,
) -> Generator[tuple[Task, Workload | None, Observation | CeilingObservation]]:
    """What `run` would hand to its sink, one at a time: between two, the process that measures waits for the caller."""

    def process(task: Task) -> Child:
        return start(launch_of(task, bounds, command=command, package=package, encode=encode))

    made: list[tuple[Task, Workload | None, Observation | CeilingObservation]] = []

    def sink(task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> None:
        made.append((task, workload, observation))

    with contextlib.closing(_Run(plan, sink, bounds=bounds, process=process).observations()) as going:
        for _ in going:
            yield made.pop()


def launch_of(
    task: Task,
    bounds: Bounds,
    *,
    command: tuple[str, ...] | None = None,
    environment: Mapping[str, str] | None = None,
    package: Path | None = OWN_FOLDER,
    encode: Callable[[Task], bytes] = request,
) -> Launch:
    """How `run` starts the process of `task`."""
    base = os.environ if environment is None else environment
    return Launch(
        command=command or worker_command(),
        request=encode(task),
        environment=worker_environment(task.threads, base, package),
        memory_bytes=bounds.memory_bytes,
    )


class _Run:
    """The state of one run: what is done, what failed, and since when it runs."""

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        *,
        bounds: Bounds,
        process: Callable[[Task], Child],
        progress: Callable[[SweepProgress], None] = lambda _: None,
        done: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self._tasks = [left for task in plan.tasks if (left := remaining(task, done)) is not None]
        self._planned = sum(_size(task) for task in plan.tasks)
        self._total = sum(_size(task) for task in self._tasks)
        self._sink, self._progress, self._bounds = sink, progress, bounds
        self._process, self._clock = process, clock
        self._measured = self._failed = 0
        self._start = clock()
        self._stopped: str | None = None

    def observations(self) -> Generator[None]:
        """Yields after each observation that the sink has taken, and leaves no process behind when it is closed."""
        rounds: set[int] = set()
        for task in self._tasks:
            self._stopped = self._why_stop(new_round=task.round not in rounds and bool(rounds))
            if self._stopped:
                return
            rounds.add(task.round)
            left: Task | None = task
            while left is not None and self._why_stop(new_round=False) is None:
                left = yield from self._one_process(left)
        self._stopped = self._why_stop(new_round=False) if self._left() else None

    def outcome(self) -> Outcome:
        return Outcome(
            measured=self._measured,
            failed=self._failed,
            skipped=self._planned - self._total,
            stopped=self._stopped,
            kind="interrupted" if self._stopped else "complete",
        )

    def _left(self) -> int:
        return self._total - self._measured - self._failed

    def _why_stop(self, *, new_round: bool) -> str | None:
        limit, budget_s = self._bounds.max_failures, self._bounds.time_budget_s
        if limit is not None and self._failed >= limit:
            return f"{self._failed} observations failed, the limit is {limit}"
        if new_round and budget_s is not None and self._clock() - self._start > budget_s:
            return f"the time budget of {budget_s:g} s was used up; {self._left()} observations were left out"
        return None

    def _one_process(self, task: Task) -> Generator[None, None, Task | None]:
        """Run one process for `task`. Returns the task of the workloads that still have a chance, or None: those behind
        one that killed it get a further process."""
        begun = dt.datetime.now(dt.UTC)
        workloads: tuple[Workload | None, ...] = task.workloads if task.kind == "variant" else (None,)
        self._show(task, workloads[0] if workloads else None)
        answered, loaded, ending = 0, False, None
        try:
            child = self._process(task)
        except OSError as error:
            ending = Ending(how="died", reason=f"could not be started: {error}")
        else:
            with child:
                for line in child.messages(self._bounds.timeout_s):
                    message = _parse(line, expected=answered, kind=task.kind)
                    if message is None:
                        ending = Ending(how="nonsense", reason=f"answered what is no result: {_excerpt(line)}")
                        break
                    if message.loaded:
                        loaded = True
                        continue
                    self._keep(task, workloads[answered], message)
                    answered += 1
                    yield
                    if answered == len(workloads):
                        return None
                    self._show(task, workloads[answered])
                ending = ending or child.ending
        reason = f"the measuring process {ending.reason if ending else 'ended without a reason'}"
        lost = workloads[answered:] if not loaded else workloads[answered : answered + 1]
        for workload in lost:
            self._lose(task, workload, begun, reason)
            yield
        rest = task.workloads[answered + len(lost) :]
        return task.model_copy(update={"workloads": rest}) if rest else None

    def _keep(self, task: Task, workload: Workload | None, message: Message) -> None:
        observation = message.observation or message.ceiling
        assert observation is not None
        self._sink(task, workload, observation)
        if isinstance(observation, Observation) and observation.error is not None:
            self._failed += 1
        else:
            self._measured += 1

    def _lose(self, task: Task, workload: Workload | None, started: dt.datetime, reason: str) -> None:
        """Keep a failure as an observation with its reason."""
        self._sink(task, workload, failed(task.round, started, reason))
        self._failed += 1

    def _show(self, task: Task, workload: Workload | None) -> None:
        made = self._measured + self._failed
        elapsed_s = self._clock() - self._start
        self._progress(
            SweepProgress(
                done=made,
                total=self._total,
                label=label(task, workload),
                elapsed_s=elapsed_s,
                remaining_s=elapsed_s / made * (self._total - made) if made else None,
            )
        )


def _size(task: Task) -> int:
    return len(task.workloads) if task.kind == "variant" else 1


def _parse(line: bytes, *, expected: int, kind: str) -> Message | None:
    """The message in `line`, if it is the one that is due."""
    message = understood(line)
    if message is None:
        return None
    if message.loaded:
        return message if kind == "variant" and message.observation is None and message.ceiling is None else None
    if kind == "ceilings":
        return message if message.ceiling is not None else None
    return message if message.observation is not None and message.workload == expected else None


def _excerpt(line: bytes) -> str:
    text = line[:80].decode(errors="replace")
    return repr(text) + (" ..." if len(line) > len(text) else "")
