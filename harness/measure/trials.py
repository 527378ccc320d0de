"""Comparisons whose right answer is known, carried out on this host: identical code, and code made slower by a share.

Measured exactly as `harness ab` measures: pairs of fresh processes in ABBA blocks, both of a pair loaded before either
is timed and timed case by case in turn, with interim analyses after the same numbers of pairs."""

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from harness.comparison.calibration import settle
from harness.comparison.decision import ANALYSES, FINAL, Side, order
from harness.comparison.thresholds import Thresholds
from harness.errors import WorkerError
from harness.measure.pairing import Process, side_by_side
from harness.measure.power_trial import power_trial_command
from harness.measure.sweep import Bounds, Worker
from harness.results.disturbance import disturbed
from harness.results.plan import Plan
from harness.results.record import Host, Measurement, Observation, case_key
from harness.results.rules import RuleContext
from harness.vocabulary import Frozen

_HOPELESS = 3
"""Pairs after which a comparison is given up if none was measured."""

Seen = tuple[Observation, ...]
"""What one process saw: an observation for each of its workloads, in order."""


class Bench(Protocol):
    """Where comparisons are carried out."""

    def pair(self, first: Sequence[float], second: Sequence[float]) -> tuple[Seen, Seen]:
        """One process of each, in turn, whose workloads are slower by the shares given."""
        ...

    def disturbed(self, observations: Seen) -> str | None:
        """What disturbed the host meanwhile, if anything did."""
        ...


class Rounds(Frozen):
    """One comparison, pair by pair; pairs of which a process failed are left out."""

    injected: float
    old: tuple[Observation, ...]
    new: tuple[Observation, ...]

    @property
    def rates(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Tokens a second of the old side and of the new."""
        old, new = (tuple(map(_rate_tok_s, side)) for side in (self.old, self.new))
        return old, new


def trial(
    bench: Bench,
    sizes: Sequence[float],
    thresholds: Thresholds,
    seed: int,
    analyses: tuple[int, ...] = ANALYSES,
    *,
    budget_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Rounds, ...]:
    """One comparison for each of `sizes` (0: identical code), all from the same processes.

    The old side runs every case unchanged, the new side each with its share; which place has which share is drawn
    from `seed`, so that no size always follows a warm process. Cases that an interim analysis settles are left out of
    the processes that follow, until none is left, or to the last interim analysis, or until `budget_s` are used up.
    Raises WorkerError where the first pairs all fail.
    """
    cases = [_Case(share) for share in random.Random(seed).sample(list(sizes), len(sizes))]
    unsettled, start = cases, clock()
    for done, (first, second) in enumerate(order(analyses[-1], seed), 1):
        pair = bench.pair([c.slowed(first) for c in unsettled], [c.slowed(second) for c in unsettled])
        for case, one, other in zip(unsettled, *pair, strict=True):
            case.seen[first].append(one)
            case.seen[second].append(other)
        if done == _HOPELESS:
            _check_answered(unsettled)
        if done in analyses:
            unsettled = [c for c in unsettled if not c.settled(thresholds, analyses)]
        if not unsettled or (budget_s is not None and clock() - start > budget_s):
            break
    return tuple(sorted((c.rounds for c in cases), key=lambda r: r.injected))


class _Case:
    """One comparison while it is measured."""

    def __init__(self, share: float):
        self.share = share
        self.seen: dict[Side, list[Observation]] = {"old": [], "new": []}

    def slowed(self, side: Side) -> float:
        """By which share the processes of `side` are slower."""
        return self.share if side == "new" else 0.0

    @property
    def rounds(self) -> Rounds:
        both = zip(self.seen["old"], self.seen["new"], strict=True)
        whole = [(a, b) for a, b in both if a.median_s and b.median_s]
        return Rounds(injected=self.share, old=tuple(a for a, _ in whole), new=tuple(b for _, b in whole))

    def settled(self, thresholds: Thresholds, analyses: tuple[int, ...]) -> bool:
        old, new = self.rounds.rates
        return bool(new) and settle(new, old, thresholds, analyses).decision in FINAL


def _check_answered(cases: Sequence[_Case]) -> None:
    if not any(c.rounds.new for c in cases):
        errors = [o.error for c in cases for side in c.seen.values() for o in side if o.error]
        raise WorkerError(
            f"{_HOPELESS} pairs of processes measured nothing, the last: {errors[-1]}; harness run says more"
        )


def _rate_tok_s(observation: Observation) -> float:
    assert observation.median_s is not None
    return observation.tokens_per_step / observation.median_s


class HereBench:
    """Measures the first case of a plan on this host, once for each share, in one fresh process."""

    def __init__(self, plan: Plan, host: Host, bounds: Bounds = Bounds()):  # noqa: B008 - frozen
        self._host, self._bounds = host, bounds
        self._task = next(t for t in plan.tasks if t.kind == "variant")

    def pair(self, first: Sequence[float], second: Sequence[float]) -> tuple[Seen, Seen]:
        found: tuple[list[Observation], list[Observation]] = ([], [])
        with contextlib.closing(side_by_side(self._process(first), self._process(second))) as made:
            for place, (_, _, observation) in made:
                assert isinstance(observation, Observation), "power trials measure no ceilings"
                found[place].append(observation)
        return tuple(found[0]), tuple(found[1])

    def disturbed(self, observations: Seen) -> str | None:
        assert self._task.variant is not None
        variant, workload = self._task.variant, self._task.workloads[0]
        case = Measurement(**case_key(variant, workload).named, observations=observations)
        return disturbed(case, RuleContext(host=self._host))

    def _process(self, shares: Sequence[float]) -> Process:
        workloads = (self._task.workloads[0],) * len(shares)
        task = self._task.model_copy(update={"round": 0, "workloads": workloads})
        return Process(task, Worker(power_trial_command(shares)), self._bounds)
