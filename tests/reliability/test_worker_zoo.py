"""However a measuring process ends, the sweep goes on, says why, and leaves no process behind."""

import sys
from pathlib import Path

import psutil
import pytest

from harness.measure.sweep import Bounds, Outcome, Worker, run
from harness.results.plan import Plan, Task, Timing, Workload
from harness.results.record import CeilingObservation, Observation
from tests.reliability import plans

ZOO = Path(__file__).parent / "zoo.py"
BRIEF = Timing(warmup_steps=1, min_steps=2, min_time_s=0.0, max_time_s=0.05)
BATCHES = (1, 7, 2)


def swept(animal: str, bounds: Bounds, batches: tuple[int, ...] = BATCHES) -> tuple[Outcome, dict[int, Observation]]:
    """One task whose batch 7 meets `animal`: the outcome, and the observation of each batch."""
    found: dict[int, Observation] = {}

    def sink(_task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> None:
        assert workload is not None and isinstance(observation, Observation)
        assert workload.batch not in found, "an observation was handed on twice"
        found[workload.batch] = observation

    plan: Plan = plans.plan(plans.task(batches=batches, timing=BRIEF))
    outcome = run(plan, sink=sink, bounds=bounds, worker=Worker((sys.executable, str(ZOO), animal)))
    assert not psutil.Process().children(recursive=True)
    assert not [p.pid for p in psutil.process_iter(["cmdline"]) if "grandchild-of-the-zoo" in (p.info["cmdline"] or [])]
    return outcome, found


@pytest.mark.parametrize(
    ("animal", "reason"),
    [
        ("segfaults", "killed by SIGSEGV; last output: about to fall"),
        ("leaves", "ended without a result"),
        ("fails", "the runtime refused the graph"),
        ("raises", "ended with exit code 1; last output: "),
        ("breeds", "ended with exit code 3"),
    ],
)
def test_a_death_costs_one_row(animal: str, reason: str) -> None:
    outcome, found = swept(animal, Bounds(timeout_s=60))
    assert reason in (found[7].error or "")
    assert found[1].durations_s and found[2].durations_s
    assert (outcome.measured, outcome.failed, outcome.kind) == (2, 1, "complete")


@pytest.mark.parametrize("animal", [pytest.param("sleeps", marks=pytest.mark.slow), "stubborn"])
def test_a_hang_ends_at_its_limit(animal: str) -> None:
    outcome, found = swept(animal, Bounds(timeout_s=5.0), batches=(1, 7))
    assert "took over 5 s and was ended" in (found[7].error or "")
    assert found[1].durations_s and outcome.failed == 1


def test_memory_beyond_the_limit_is_a_reason_and_not_a_death() -> None:
    outcome, found = swept("hoards", Bounds(timeout_s=60, memory_bytes=600 << 20))
    assert "out of memory" in (found[7].error or "")
    assert found[2].durations_s and outcome.measured == 2


def test_what_libraries_print_mixes_with_nothing() -> None:
    outcome, found = swept("chatters", Bounds(timeout_s=60))
    assert outcome.failed == 0 and found[7].durations_s


def test_nonsense_on_the_channel_is_named() -> None:
    outcome, found = swept("babbles", Bounds(timeout_s=60), batches=(1,))
    assert "answered what is no result: '\\x00not json'" in (found[1].error or "")
    assert outcome.failed == 1


@pytest.mark.parametrize(("animal", "reason"), [("unloadable", "does not fit"), ("dies-loading", "exit code 9")])
def test_a_model_that_does_not_load_fails_all_its_workloads_at_once(animal: str, reason: str) -> None:
    outcome, found = swept(animal, Bounds(timeout_s=60))
    assert outcome.failed == 3 and all(reason in (o.error or "") for o in found.values())


def test_a_worker_that_cannot_start_is_a_reason() -> None:
    outcome = run(
        plans.plan(plans.task()),
        sink=lambda *_: None,
        worker=Worker(("/nonexistent/python", "-m", "harness.measure.worker")),
    )
    assert outcome.failed == 3


def test_failures_beyond_the_limit_stop_the_run() -> None:
    tasks = tuple(plans.task(r) for r in range(5))
    made: list[Observation | CeilingObservation] = []
    outcome = run(
        plans.plan(*tasks),
        sink=lambda _task, _workload, observation: made.append(observation),
        bounds=Bounds(max_failures=2),
        worker=Worker(("/nonexistent/python",)),
    )
    assert outcome.kind == "interrupted" and "the limit is 2" in (outcome.stopped or "")
    assert len(made) == outcome.failed < 15
