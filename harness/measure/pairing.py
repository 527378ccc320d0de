"""Two processes that are measured one after the other and start at once before: both load, then each has its turn.

Neither loads while the other is timed, both meet the host at nearly the same moment, and two processors share the work
of starting. Knows no statistics.
"""

import contextlib
from collections.abc import Iterator, Sequence

from harness.host import memory
from harness.measure.child import Child
from harness.measure.sweep import Launch, Start, started
from harness.plan import Task
from harness.plan.needs import arm_bytes

_ROOM = 0.8
"""Share of the free memory that two waiting processes may take: needs are rough, and so is what is free."""


def fit_together(tasks: Sequence[Task], available_bytes: int | None = None) -> bool:
    """Whether the processes of `tasks` may be loaded at the same time."""
    needed = sum(arm_bytes(t.arm, t.workloads) for t in tasks if t.arm is not None)
    return needed <= _ROOM * (memory()[1] if available_bytes is None else available_bytes)


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
