"""Progress for people, on stderr: how far a run is, and how long it will still take.

Knows the plan's modelled durations, corrected by those seen. It is drawn only when an observation has arrived and the
measuring process waits: nothing here runs while a clock does, and no thread refreshes it.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from harness import units
from harness.measure.needs import workload_duration_s
from harness.results.plan import Plan, Task, Workload

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PLAIN_EVERY_S = 10.0
SLACK = 0.02  # the rest cannot be known better than this share of the whole


class Display(Protocol):
    """What a run tells while it goes on."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def done(self, task: Task, workload: Workload | None) -> None: ...


class Remaining:
    """Time left: modelled seconds still to come, times how much slower than modelled this host has been so far."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self.whole_s = sum(workload_duration_s(task, w) for task in plan.tasks for w in task.workloads or (None,))
        self.done_s = 0.0

    def add(self, task: Task, workload: Workload | None) -> None:
        self.done_s += workload_duration_s(task, workload)

    @property
    def seconds(self) -> float:
        """Modelled until a tenth is done, then scaled by what was seen."""
        left = max(0.0, self.whole_s - self.done_s)
        elapsed = self._clock() - self._started
        if self.done_s < 0.1 * self.whole_s:
            return left
        return left * elapsed / max(self.done_s, SLACK * self.whole_s)

    @property
    def words(self) -> str:
        return units.seconds(max(1.0, float(round(self.seconds)))) if self.share < 1 else "nothing"

    @property
    def share(self) -> float:
        return min(1.0, self.done_s / self.whole_s) if self.whole_s else 1.0


def progress(plan: Plan, *, stream: TextIO | None = None, every_s: float = PLAIN_EVERY_S) -> Display:
    """A bar where stderr is a terminal, a line now and then where it is not."""
    target = stream or sys.stderr
    if target.isatty():
        return _Drawn(plan, target)
    return _Lines(plan, target, every_s)


class _Silent:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def done(self, task: Task, workload: Workload | None) -> None: ...


class _Lines(_Silent):
    """One line now and then."""

    def __init__(self, plan: Plan, stream: TextIO, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._every_s, self._clock = stream, every_s, clock
        self._remaining = Remaining(plan, clock)
        self._rounds = 1 + max(task.round for task in plan.tasks)
        self._last = clock()

    def done(self, task: Task, workload: Workload | None) -> None:
        self._remaining.add(task, workload)
        if self._clock() - self._last < self._every_s:
            return
        self._last = self._clock()
        left = self._remaining.words
        self._stream.write(
            f"{100 * self._remaining.share:3.0f} %  round {task.round + 1} of {self._rounds}  "
            f"{_words(task, workload)}  {left} left\n"
        )
        self._stream.flush()


class _Drawn(_Silent):
    """A bar that redraws only when told."""

    def __init__(self, plan: Plan, stream: TextIO) -> None:
        self._stream = stream
        self._remaining = Remaining(plan)
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[left]} left"),
            TextColumn("{task.description}", markup=False),
            console=Console(file=self._stream),
            auto_refresh=False,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("starting", total=1.0, left=self._remaining.words)
        self._bar.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def done(self, task: Task, workload: Workload | None) -> None:
        self._remaining.add(task, workload)
        if self._bar is None or self._task is None:
            return
        self._bar.update(
            self._task,
            completed=self._remaining.share,
            description=_words(task, workload),
            left=self._remaining.words,
            refresh=True,
        )


def _words(task: Task, workload: Workload | None) -> str:
    if task.variant is None or workload is None:
        return "ceilings of this host"
    return f"{task.variant.model} {task.variant.precision} {workload.phase} batch {workload.batch}"


@contextmanager
def counted(what: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's stderr for work that counts its pieces; the function yielded hears (done, of)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    off = quiet or not sys.stderr.isatty()
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, disable=off) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
