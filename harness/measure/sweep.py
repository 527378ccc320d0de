"""Carry out a plan: one fresh process a task, one after the other, each observation handed on as it is made.

While a process measures, this one sleeps in the kernel; it works only between two workloads, when no clock runs.
"""

import contextlib
import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

import harness
from harness.measure.child import Child
from harness.measure.protocol import Terms, decode, request
from harness.measure.worker import Message, failed
from harness.results.assemble import remaining
from harness.results.plan import Plan, Task, Workload
from harness.results.record import CeilingObservation, Observation
from harness.vocabulary import Frozen

Made = tuple[Task, Workload | None, Observation | CeilingObservation]
Sink = Callable[[Task, Workload | None, Observation | CeilingObservation], None]
"""Keeps one observation. When it returns, the observation is safe; what it raises ends the run."""

OWN_FOLDER = Path(harness.__file__).resolve().parent.parent
"""Where this very package is found."""

_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)


class Bounds(Frozen):
    """What a run may use. `timeout_s` and `memory_bytes` hold for each process."""

    timeout_s: float = Field(default=120.0, gt=0)
    memory_bytes: int | None = Field(default=None, gt=0, description="writable memory of a process; None: no limit")
    max_failures: int | None = Field(default=None, ge=1, description="stop after so many failed observations")
    time_budget_s: float | None = Field(default=None, gt=0, description="no further round starts after it")


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
    memory_bytes: int | None = None


Start = Callable[[Launch], Child]
"""Gives the process of a launch: a new one, or one that waits for its turn. Raises OSError if it cannot start."""


def started(launch: Launch) -> Child:
    """A new process."""
    return Child(
        launch.command, request=launch.request, environment=launch.environment, memory_bytes=launch.memory_bytes
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


@dataclass(frozen=True)
class Worker:
    """How the measuring processes of a run start: this package's own, or those of another command or environment.

    `package` is where they find the harness (see `worker_environment`), `terms` are those of a harness installed there.
    """

    command: tuple[str, ...] = worker_command()
    package: Path | None = OWN_FOLDER
    terms: Terms | None = None
    environment: Mapping[str, str] | None = None
    start: Start = started

    def launch(self, task: Task, bounds: Bounds) -> Launch:
        base = os.environ if self.environment is None else self.environment
        environment = worker_environment(task.threads, base, self.package)
        return Launch(self.command, request(task, self.terms), environment, bounds.memory_bytes)


def run(
    plan: Plan,
    *,
    sink: Sink,
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    done: Collection[str] = (),
    worker: Worker = Worker(),
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Measure what `plan` names and `done` does not (keys of `assemble.case_round_key`), in the plan's order.

    A process that dies, hangs or answers nonsense becomes a failed observation, and the rest goes on in a new one.
    KeyboardInterrupt ends the process that measures and passes through; all that `sink` took before is safe.
    """
    going = _Run(plan.tasks, bounds, worker, done, clock)
    with contextlib.closing(going.observations()) as made:
        for task, workload, observation in made:
            sink(task, workload, observation)
    return going.outcome()


def observations(tasks: Sequence[Task], bounds: Bounds, worker: Worker) -> Generator[Made]:
    """What `run` would hand to its sink, one at a time: between two, the process that measures waits for the caller."""
    return _Run(tasks, bounds, worker).observations()


class _Run:
    """The state of one run: what is done, what failed, and since when it runs."""

    def __init__(
        self,
        tasks: Sequence[Task],
        bounds: Bounds,
        worker: Worker,
        done: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self._tasks = [left for task in tasks if (left := remaining(task, done)) is not None]
        self._total = sum(map(_size, self._tasks))
        self._skipped = sum(map(_size, tasks)) - self._total
        self._bounds, self._worker, self._clock = bounds, worker, clock
        self._measured = self._failed = 0
        self._start = clock()
        self._stopped: str | None = None

    def observations(self) -> Generator[Made]:
        """All that are made, one by one; leaves no process behind when it is closed."""
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
            skipped=self._skipped,
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

    def _one_process(self, task: Task) -> Generator[Made, None, Task | None]:
        """Run one process for `task`. Returns the task of the workloads that still have a chance, or None: those behind
        one that killed it get a further process."""
        begun = dt.datetime.now(dt.UTC)
        workloads: tuple[Workload | None, ...] = task.workloads if task.kind == "variant" else (None,)
        answered, loaded, ending = 0, False, None
        try:
            child = self._worker.start(self._worker.launch(task, self._bounds))
        except OSError as error:
            ending = f"could not be started: {error}"
        else:
            with child:
                for line in child.messages(self._bounds.timeout_s):
                    message = _parse(line, expected=answered, kind=task.kind)
                    if message is None:
                        ending = f"answered what is no result: {_excerpt(line)}"
                        break
                    observation = message.observation or message.ceiling
                    if observation is None:
                        loaded = True
                        continue
                    yield self._counted(task, workloads[answered], observation)
                    answered += 1
                    if answered == len(workloads):
                        return None
                ending = ending or child.ending
        reason = f"the measuring process {ending or 'ended without a reason'}"
        lost = workloads[answered:] if not loaded else workloads[answered : answered + 1]
        for workload in lost:
            yield self._counted(task, workload, failed(task.round, begun, reason))
        rest = task.workloads[answered + len(lost) :]
        return task.model_copy(update={"workloads": rest}) if rest else None

    def _counted(self, task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> Made:
        broken = isinstance(observation, Observation) and observation.error is not None
        self._failed += broken
        self._measured += not broken
        return task, workload, observation


def _size(task: Task) -> int:
    return len(task.workloads) if task.kind == "variant" else 1


def _parse(line: bytes, *, expected: int, kind: str) -> Message | None:
    """The message in `line`, if it is the one that is due."""
    message = decode(line)
    if message is None:
        return None
    if message.loaded:
        due = kind == "variant" and message.observation is None and message.ceiling is None
    elif kind == "ceilings":
        due = message.ceiling is not None
    else:
        due = message.observation is not None and message.workload == expected
    return message if due else None


def _excerpt(line: bytes) -> str:
    text = line[:80].decode(errors="replace")
    return repr(text) + (" ..." if len(line) > len(text) else "")
