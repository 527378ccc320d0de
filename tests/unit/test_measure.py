"""The timing rules on a scripted clock, the worker's manners, and how a sweep goes on, resumes and stops."""

import contextlib
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.errors import UnfitHostError
from harness.measure.host import description
from harness.measure.host.description import allowed_cpus
from harness.measure.lock import run_lock
from harness.measure.sweep import Bounds, Outcome, Worker, run, worker_environment
from harness.measure.worker import Message, carry_out, time_steps
from harness.results.assemble import case_round_key, remaining
from harness.results.plan import Plan, Task, Timing, Workload
from harness.results.record import CeilingObservation, Observation
from tests.clock import ScriptedClock
from tests.reliability import plans
from tests.reliability.rig import HURRIED


def timed(timing: Timing, *durations_ns: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    clock = ScriptedClock()
    return time_steps(clock.step_of(*durations_ns), timing, clock)


def test_warmups_stand_apart_and_order_is_kept() -> None:
    timing = Timing(warmup_steps=2, min_steps=3, min_time_s=0, max_time_s=10)
    assert timed(timing, 9_000, 8_000, 1_000, 3_000, 2_000) == ((9e-6, 8e-6), (1e-6, 3e-6, 2e-6))


@pytest.mark.parametrize(
    ("timing", "step_ns", "steps"),
    [
        (Timing(warmup_steps=0, min_steps=3, min_time_s=0.0, max_time_s=9), 1_000_000, 3),
        (Timing(warmup_steps=0, min_steps=3, min_time_s=0.05, max_time_s=9), 1_000_000, 50),
        (Timing(warmup_steps=0, min_steps=3, min_time_s=0.05, max_steps=7, max_time_s=9), 1_000_000, 7),
        (Timing(warmup_steps=0, min_steps=9, min_time_s=5.0, max_time_s=0.01), 4_000_000, 3),
        (Timing(warmup_steps=0, min_steps=9, min_time_s=5.0, max_time_s=0.01), 60_000_000_000, 1),
    ],
)
def test_steps_end_by_the_rules(timing: Timing, step_ns: int, steps: int) -> None:
    assert len(timed(timing, step_ns)[1]) == steps


def test_slow_warmups_end_early() -> None:
    warmups, durations = timed(Timing(warmup_steps=10, max_time_s=1.0), 700_000_000)
    assert (len(warmups), len(durations)) == (2, 2)


def test_the_harness_itself_takes_under_one_percent() -> None:
    """With a workload that does nothing, what passes between two steps is all ours. The shortest step of any preset, a
    decode step of moe-tiny at batch 1, takes 0.24 ms on two Zen 4 cores. What passes there is not in the durations
    either way; it would show in rates only if it cooled caches or let the runtime's threads fall asleep."""
    shortest_s, best_s = 240e-6, 1.0
    for _ in range(5):
        begin = time.perf_counter()
        _, durations = time_steps(
            lambda: None, Timing(warmup_steps=0, max_steps=20_000, min_time_s=60, max_time_s=60), time.perf_counter_ns
        )
        best_s = min(best_s, (time.perf_counter() - begin - sum(durations)) / len(durations))
    assert best_s < 0.01 * shortest_s


ZOO = Path(__file__).parents[1] / "reliability" / "zoo.py"


def test_the_parent_sleeps_while_a_worker_measures() -> None:
    """Processor time of the parent over a sweep of two timed seconds, the start of the process included."""
    plan = plans.plan(plans.task(batches=(1, 2), timing=Timing(warmup_steps=1, min_time_s=1.0)))
    seen: list[Observation | CeilingObservation] = []
    before_s = time.process_time()
    run(plan, sink=lambda *made: seen.append(made[2]), worker=Worker((sys.executable, str(ZOO), "tame")))
    spent_s = time.process_time() - before_s
    timed_s = sum(sum(o.durations_s) for o in seen if isinstance(o, Observation))
    assert timed_s > 1.9 and spent_s < 0.01 * timed_s


class Recorded:
    """A step that counts itself; an engine and a runner at once."""

    load_s = 0.5
    weight_bytes = 77

    def __init__(self, clock: ScriptedClock, fail_at: int | None = None):
        self._clock, self._fail_at = clock, fail_at
        self.tokens_per_step, self.outside_s, self.steps = 0, 0.0, 0

    def open(self, workload: Workload, *, seed: int) -> "Recorded":
        assert workload.phase == "decode" and seed >= 0
        if workload.batch == self._fail_at:
            raise UnfitHostError("too large for this host")
        self.tokens_per_step, self.steps, self.outside_s = workload.batch, 0, 0.0
        return self

    def step(self) -> None:
        self.steps += 1
        self.outside_s += 0.001
        self._clock.now_ns += 10_000_000

    def experts_activated(self) -> float | None:
        return 3.5

    def logits(self) -> NDArray[np.float32]:
        return np.full((1, 4), self.steps, np.float32)


def carried_out(task: Task, clock: ScriptedClock, fail_at: int | None = None) -> list[Message]:
    said: list[Message] = []

    def probe(_task: Task) -> CeilingObservation:
        return plans.ceiling()

    carry_out(
        task,
        said.append,
        load=lambda _task, _variant: Recorded(clock, fail_at),
        probe=probe,
        clock=clock,
        reference=lambda: (1.0,),
    )
    return said


def test_a_worker_reports_each_workload_with_what_belongs_to_it() -> None:
    timing = Timing(warmup_steps=2, min_steps=4, min_time_s=0, max_time_s=9)
    loaded, first, second = carried_out(plans.task(round_index=3, batches=(1, 8), timing=timing), ScriptedClock())
    assert loaded == Message(loaded=True)
    assert first.workload == 0 and second.workload == 1
    made = second.observation
    assert made is not None and made.error is None
    assert (made.round, made.tokens_per_step, made.weight_bytes, made.load_s) == (3, 8, 77, 0.5)
    assert made.warmup_s == (0.01, 0.01) and made.durations_s == (0.01,) * 4
    assert made.outside_s == pytest.approx(0.004), "warm-ups do not count"
    assert made.reference_kernel_s == (1.0, 1.0) and made.experts_activated == 3.5
    assert (made.frequency_hz is None) == (description.current_frequency_hz(allowed_cpus()) is None)
    assert (made.memory_stall_s is None) == (description.memory_stall_s() is None)
    assert made.load_1min is not None


def test_the_digest_does_not_depend_on_how_many_steps_were_timed() -> None:
    digests = set()
    for steps in (2, 5):
        timing = Timing(warmup_steps=2, min_steps=steps, min_time_s=0, max_time_s=9)
        message = carried_out(plans.task(batches=(1,), timing=timing), ScriptedClock())[1]
        digests.add(message.observation.logits_digest if message.observation else None)
    assert len(digests) == 1 and None not in digests


def test_a_workload_that_fails_leaves_the_others() -> None:
    said = carried_out(plans.task(batches=(1, 8, 2)), ScriptedClock(), fail_at=8)
    errors = [m.observation.error for m in said[1:] if m.observation]
    assert errors == [None, "too large for this host", None]


Made = tuple[Task, Workload | None]


def swept(plan: Plan, **options: object) -> tuple[Outcome, list[Made]]:
    made: list[Made] = []
    outcome = run(
        plan,
        sink=lambda task, workload, _: made.append((task, workload)),
        worker=Worker(HURRIED),
        **options,  # type: ignore[arg-type]
    )
    return outcome, made


def test_tasks_run_in_the_plans_order_and_each_observation_is_handed_on() -> None:
    plan = plans.rounds(2)
    outcome, made = swept(plan)
    assert [(t.kind, t.round, w.batch if w else None) for t, w in made] == [
        (kind, r, batch)
        for r in (0, 1)
        for kind, batch in (("ceilings", None), ("variant", 1), ("variant", 2), ("variant", 4))
    ]
    assert outcome == Outcome(measured=8)


def test_what_is_done_is_not_measured_again() -> None:
    plan = plans.rounds(2)
    _, made = swept(plan)
    done = {case_round_key(task, workload) for task, workload in made[:5]}
    outcome, rest = swept(plan, done=done)
    assert (outcome.measured, outcome.skipped) == (3, 5)
    assert [(t.round, w.batch if w else None) for t, w in rest] == [(1, 1), (1, 2), (1, 4)]
    assert swept(plan, done={case_round_key(t, w) for t, w in made})[0] == Outcome(skipped=8)


def test_a_task_keeps_only_what_is_left() -> None:
    task = plans.task(batches=(1, 2, 4))
    left = remaining(task, {case_round_key(task, task.workloads[1])})
    assert left is not None and [w.batch for w in left.workloads] == [1, 4]
    assert case_round_key(left, left.workloads[0]) == case_round_key(task, task.workloads[0])


def test_no_round_starts_after_the_time_budget() -> None:
    ticks = iter(range(0, 1000, 40))
    outcome, made = swept(plans.rounds(5), bounds=Bounds(time_budget_s=35), clock=lambda: float(next(ticks)))
    assert outcome.kind == "interrupted" and "time budget" in (outcome.stopped or "")
    assert {t.round for t, _ in made} == {0}, "a round that was begun is finished"
    assert len(made) == 4


def test_a_sink_that_fails_ends_the_run_and_the_worker() -> None:
    def sink(*_: object) -> None:
        raise UnfitHostError("the disk is full")

    with pytest.raises(UnfitHostError):
        run(plans.rounds(1), sink=sink, worker=Worker(HURRIED))


def test_ctrl_c_ends_the_worker_and_passes_through() -> None:
    kept: list[object] = []

    def sink(*made: object) -> None:
        kept.append(made)
        if len(kept) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plans.rounds(1), sink=sink, worker=Worker(HURRIED))
    assert len(kept) == 2


def test_workers_get_bounded_thread_pools_and_their_own_package() -> None:
    made = worker_environment(3, {"PYTHONPATH": "/elsewhere", "OMP_NUM_THREADS": "64", "HOME": "/h"})
    assert made["OMP_NUM_THREADS"] == made["OPENBLAS_NUM_THREADS"] == "3" and made["HOME"] == "/h"
    assert made["PYTHONPATH"].endswith("/elsewhere")


def test_two_runs_on_a_host_notice_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with run_lock("first run", path=path) as alone:
        assert alone
        with pytest.raises(UnfitHostError, match=r"first run.*--wait.*--force"), run_lock("second", path=path):
            pass
        with run_lock("second", "force", path=path) as beside:
            assert not beside
    with run_lock("third", path=path) as alone:
        assert alone


def test_the_second_run_may_wait_for_the_first(tmp_path: Path) -> None:
    path, told = tmp_path / "lock", threading.Event()
    with contextlib.ExitStack() as first:
        first.enter_context(run_lock("first run", path=path))

        def let_go() -> None:
            told.wait(10)
            first.close()

        release = threading.Thread(target=let_go)
        release.start()

        def waiting(holder: str) -> None:
            assert "first run" in holder
            told.set()

        with run_lock("second", "wait", path=path, waiting=waiting) as alone:
            assert alone and told.is_set()
        release.join()


def test_a_lock_through_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnfitHostError, match="could not open the lock"), run_lock("run", path=tmp_path / "lock"):
        pass
