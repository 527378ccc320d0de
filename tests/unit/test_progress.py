"""Progress: it ends at the whole, it learns from the pace, and it says nothing where nobody asked."""

import io

import pytest

from harness.api.session import unseen
from harness.cli.progress import Remaining, progress
from harness.config import Config
from harness.measure import planner
from harness.results.plan import Plan, Task, Workload
from harness.results.record import Host


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def plan() -> Plan:
    config = Config.model_validate(
        {"harness": 1, "name": "a", "measure": {"models": ("moe-tiny",), "batches": (1, 8), "repetitions": 3}}
    )
    host = Host(
        cpu=None,
        architecture="x",
        cores=2,
        last_level_cache_bytes=None,
        memory_bytes=1 << 34,
        available_bytes=1 << 34,
        system="Linux",
        python="3",
    )
    return planner.make(config, host)


def steps(plan: Plan) -> list[tuple[Task, Workload | None]]:
    return [(task, workload) for task in plan.tasks for workload in task.workloads or (None,)]


def test_the_rest_follows_the_pace_seen(plan: Plan) -> None:
    clock = Clock()
    remaining = Remaining(plan, clock)
    assert remaining.seconds == pytest.approx(plan.needs.duration_s)
    seen = steps(plan)
    for task, workload in seen[: len(seen) // 2]:
        before = remaining.done_s
        remaining.add(task, workload)
        clock.now_s += 3 * (remaining.done_s - before)  # three times as slow as modelled
    assert remaining.seconds == pytest.approx(3 * (remaining.whole_s - remaining.done_s))
    for task, workload in seen[len(seen) // 2 :]:
        remaining.add(task, workload)
    assert remaining.seconds == pytest.approx(0, abs=1e-9)
    assert remaining.share == pytest.approx(1)
    assert remaining.words == "nothing"


def test_lines_where_stderr_is_no_terminal(plan: Plan) -> None:
    stream = io.StringIO()
    with progress(plan, stream=stream, every_s=0.0) as shown:
        for task, workload in steps(plan):
            shown.done(task, workload)
    lines = stream.getvalue().splitlines()
    assert len(lines) == len(steps(plan))
    assert "round 3 of 3" in lines[-1]
    assert lines[-1].lstrip().startswith("100 %")
    assert "\x1b" not in stream.getvalue()


def test_quiet_is_quiet(plan: Plan) -> None:
    stream = Terminal()
    with unseen(plan) as shown:
        for task, workload in steps(plan):
            shown.done(task, workload)
    assert stream.getvalue() == ""


def test_a_bar_is_drawn_on_a_terminal_and_leaves_nothing(plan: Plan) -> None:
    stream = Terminal()
    with progress(plan, stream=stream) as shown:
        for task, workload in steps(plan):
            shown.done(task, workload)
    assert "moe-tiny int8 decode batch 8" in stream.getvalue()
