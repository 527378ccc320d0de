"""Sides alternate, interim analyses end what is decided, a budget ends the rest, and a failed process costs one
pair."""

import datetime as dt

import pytest

from harness.comparison.decision import ANALYSES, Side
from harness.errors import UsageError
from harness.measure.ab import ABDesign, ABSide, Taken, run_ab
from harness.results.assemble import Kept
from harness.results.plan import Needs, Plan, Task, Variant, Workload
from harness.results.record import Observation
from tests import factories

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
WORKLOAD = Workload(phase="decode", batch=1, prompt_tokens=8, decode_tokens=8)


def side(name: str, cases: int = 1) -> ABSide:
    variant = Variant(model=name, spec=factories.spec(), precision="int8", threads=1)
    workloads = tuple(WORKLOAD.model_copy(update={"batch": i + 1}) for i in range(cases))
    task = Task(kind="variant", round=0, variant=variant, workloads=workloads, threads=1)
    ceilings = Task(kind="ceilings", round=0, threads=1)
    needs = Needs(peak_bytes=1, duration_s=1, basis="made up")
    return ABSide(plan=Plan(name=name, tasks=(ceilings, task, task.model_copy(update={"round": 1})), needs=needs))


class Scripted:
    """Measures without a clock: durations by side and round; None is a process that failed."""

    def __init__(self, durations_s: dict[str, list[float | None]]) -> None:
        self.durations_s, self.calls = durations_s, list[tuple[str, int]]()

    def turns(self, first: ABSide, second: ABSide, round_index: int) -> Taken:
        yield 0, self(first, round_index)
        yield 1, self(second, round_index)

    def __call__(self, side: ABSide, round_index: int) -> tuple[Kept, ...]:
        started = START + dt.timedelta(seconds=len(self.calls))
        self.calls.append((side.plan.name, round_index))
        script = self.durations_s[side.plan.name]
        duration = script[round_index % len(script)]
        observation = (
            Observation(round=round_index, started=started, error="it died")
            if duration is None
            else Observation(round=round_index, started=started, durations_s=(duration,), tokens_per_step=1)
        )
        return tuple(
            Kept(variant=variant, workload=workload, observation=observation) for variant, workload in side.cases
        )


def test_what_is_clear_ends_at_the_first_analysis() -> None:
    runner = Scripted({"a": [1.0, 1.01], "b": [2.0, 2.02]})
    found = run_ab(side("a"), side("b"), ABDesign(), turns=runner.turns)
    assert (found.pairs, found.ended) == (10, "decided")
    assert len(found.old) == len(found.new) == 10
    pairs = [runner.calls[i : i + 2] for i in range(0, 20, 2)]
    assert all({name for name, _ in p} == {"a", "b"} and p[0][1] == p[1][1] for p in pairs)
    assert 3 <= sum(p[0][0] == "a" for p in pairs) <= 7


def test_each_case_is_settled_by_its_own_margin() -> None:
    """Both cases are 20 % slower, give or take 2: beyond a margin of 3 %, and neither in nor beyond one of 20 %."""
    near = Scripted({"a": [1.0, 1.02, 0.98], "b": [1.2, 1.26, 1.14, 1.21]})
    sides = side("a", cases=2), side("b", cases=2)
    assert run_ab(*sides, ABDesign(), turns=near.turns).ended == "decided"
    assert run_ab(*sides, ABDesign(margins=(0.03, 0.20)), turns=near.turns).ended == "last interim analysis"


def test_what_stays_unclear_goes_to_the_last_analysis() -> None:
    runner = Scripted({"a": [1.0, 1.3, 0.8], "b": [1.02, 1.1, 0.9, 1.4]})
    found = run_ab(side("a"), side("b"), ABDesign(), turns=runner.turns)
    assert (found.pairs, found.ended) == (ANALYSES[-1], "last interim analysis")


def test_a_budget_ends_it_after_a_whole_pair() -> None:
    ticks = iter(range(1000))
    runner = Scripted({"a": [1.0, 1.3, 0.8], "b": [1.02, 1.1, 0.9, 1.4]})
    found = run_ab(side("a"), side("b"), ABDesign(budget_s=5), turns=runner.turns, clock=lambda: float(next(ticks)))
    assert found.ended == "budget" and len(found.old) == len(found.new) == found.pairs < 10


def test_failed_processes_cost_their_pairs_only() -> None:
    runner = Scripted({"a": [1.0] * 9 + [None], "b": [2.0] * 10})
    found = run_ab(side("a"), side("b"), ABDesign(), turns=runner.turns)
    assert (found.pairs, found.ended) == (10, "decided")


def test_a_side_that_never_answers_ends_it_early() -> None:
    dead = Scripted({"a": [None], "b": [1.0]})
    found = run_ab(side("a"), side("b"), ABDesign(), turns=dead.turns)
    assert (found.pairs, found.ended) == (3, "nothing measured")
    late = Scripted({"a": [None, None, 1.0, 1.0], "b": [1.0]})
    assert run_ab(side("a"), side("b"), ABDesign(), turns=late.turns).ended != "nothing measured"


def test_plans_must_have_as_many_cases() -> None:
    with pytest.raises(UsageError, match="1 and 2 cases"):
        run_ab(side("a"), side("b", cases=2), ABDesign(), turns=Scripted({}).turns)


def test_each_process_is_kept_before_the_next_one_starts() -> None:
    runner = Scripted({"a": [1.0, 1.01], "b": [2.0, 2.02]})
    seen: list[tuple[int, str]] = []

    def keep(side: Side, found: tuple[Kept, ...]) -> None:
        assert len(found) == 1
        seen.append((len(runner.calls), side))

    run_ab(side("a"), side("b"), ABDesign(), turns=runner.turns, keep=keep)
    assert [calls for calls, _ in seen] == list(range(1, 21))
    assert [{"old": "a", "new": "b"}[side] for _, side in seen] == [name for name, _ in runner.calls]
