"""Two processes that are measured in turn and start at once before: both load, then each is timed case by case.

Neither loads while the other is timed, both meet the host at nearly the same moment, and two processors share the work
of starting."""

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.measure.child import Child
from harness.measure.host.description import memory
from harness.measure.needs import variant_bytes
from harness.measure.sweep import Bounds, Launch, Made, Start, Worker, observations, started
from harness.results.plan import Task

Seen = TypeVar("Seen")

_ROOM = 0.8
"""Share of the free memory that two waiting processes may take: needs are rough, and so is what is free."""


@dataclass(frozen=True)
class Process:
    """One measuring process to be: what it does, how it starts, and what it may use."""

    task: Task
    worker: Worker
    bounds: Bounds

    def observations(self, start: Start) -> "contextlib.closing[Generator[Made]]":
        return contextlib.closing(observations((self.task,), self.bounds, replace(self.worker, start=start)))


def fit_together(tasks: Sequence[Task], available_bytes: int | None = None) -> bool:
    """Whether the processes of `tasks` may be loaded at the same time."""
    needed = sum(variant_bytes(t.variant, t.workloads) for t in tasks if t.variant is not None)
    return needed <= _ROOM * (memory()[1] if available_bytes is None else available_bytes)


def one_after_another(*sides: Iterable[Process]) -> Generator[tuple[int, Made]]:
    """What comes of each process of each side, with the place of its side."""
    for place, processes in enumerate(sides):
        for process in processes:
            with process.observations(started) as found:
                for made in found:
                    yield place, made


def side_by_side(first: Process, second: Process) -> Generator[tuple[int, Made]]:
    """Both load, then their cases are measured in turn; yields what comes of it, with the place of its side."""
    launches = [p.worker.launch(p.task, p.bounds) for p in (first, second)]
    with (
        waiting(launches, min(first.bounds.timeout_s, second.bounds.timeout_s)) as start,
        first.observations(start) as one,
        second.observations(start) as other,
    ):
        yield from in_turn(one, other)


@contextlib.contextmanager
def waiting(launches: Sequence[Launch], timeout_s: float) -> Iterator[Start]:
    """Start the processes of `launches`, and wait until each has loaded or has failed to. What is yielded gives each of
    them once, and starts others as `started` does. Those that nobody asked for are ended."""
    ready: list[tuple[Launch, Child]] = []

    def start(launch: Launch) -> Child:
        place = next((i for i, (known, _) in enumerate(ready) if known == launch), None)
        return started(launch) if place is None else ready.pop(place)[1]

    try:
        for launch in launches:
            with contextlib.suppress(OSError):  # whoever asks for it gets the error
                ready.append((launch, started(launch)))
        for _, child in ready:
            child.await_message(timeout_s)
        yield start
    finally:
        for _, child in ready:
            with child:
                pass


def in_turn(first: Iterator[Seen], second: Iterator[Seen]) -> Iterator[tuple[int, Seen]]:
    """What comes of both, with its side's place: the first's, the second's, then the second's before the first's, and
    so on, so that the two measurements of a case lie side by side and neither side is always ahead. While one is taken,
    the other's process waits. What a longer side has left over comes at the end."""
    left = {0: first, 1: second}
    order = (0, 1)
    while left:
        for place in order:
            if place in left:
                try:
                    yield place, next(left[place])
                except StopIteration:
                    del left[place]
        order = (order[1], order[0])
