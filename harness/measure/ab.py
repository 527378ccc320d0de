"""Two sides measured in turn on this host, one fresh process each, until every case is decided or time is up.

When a comparison ends is a matter of its design: interim analyses after planned numbers of pairs, and a budget.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.comparison.decision import ANALYSES, FINAL, Side, decide_pairs, order
from harness.comparison.thresholds import Thresholds
from harness.errors import UsageError
from harness.measure.pairing import Process, fit_together, one_after_another, side_by_side
from harness.measure.protocol import Terms
from harness.measure.sweep import OWN_FOLDER, Bounds, Worker, worker_command
from harness.results.assemble import Kept
from harness.results.plan import Plan, Task, Variant, Workload
from harness.results.record import Observation
from harness.vocabulary import Frozen

_HOPELESS = 3
"""Pairs after which a side that has not once answered ends the comparison: its code or its environment is broken."""


class ABSide(Frozen):
    """One side: what each of its processes does, and the interpreter that does it."""

    plan: Plan
    python: str = Field(default=sys.executable, description="of an environment with numpy, pydantic and a runtime")
    terms: Terms | None = Field(default=None, description="of the harness installed there, if that one measures")
    timeout_s: float = Field(default=120.0, gt=0, description="for each of its processes")

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The models of one round; the host's ceilings are no part of a comparison."""
        return tuple(t for t in self.plan.tasks if t.kind == "variant" and t.round == 0)

    @property
    def cases(self) -> tuple[tuple[Variant, Workload], ...]:
        return tuple((t.variant, w) for t in self.tasks if t.variant is not None for w in t.workloads)

    def processes(self, round_index: int, package: Path | None) -> list[Process]:
        """Those of one round, one a model, the harness found in `package`."""
        worker = Worker(worker_command(self.python), package, self.terms)
        tasks = (t.model_copy(update={"round": round_index}) for t in self.tasks)
        return [Process(task, worker, Bounds(timeout_s=self.timeout_s)) for task in tasks]


class ABDesign(Frozen):
    """How pairs are drawn, and when there are enough. At each of `analyses` a run ends if all cases are decided, each
    by its own of `margins` if any are given; when the budget is used up, after the pair at hand."""

    thresholds: Thresholds = Thresholds()
    margins: tuple[float, ...] = ()
    seed: int = 0
    budget_s: float | None = None
    analyses: tuple[int, ...] = ANALYSES


class ABRun(Frozen):
    """What came of it: all observations of both sides, and why no more pairs were measured."""

    old: tuple[Kept, ...]
    new: tuple[Kept, ...]
    pairs: int
    ended: Literal["decided", "last interim analysis", "budget", "nothing measured"]


Taken = Generator[tuple[int, tuple[Kept, ...]], None, None]
Turns = Callable[[ABSide, ABSide, int], Taken]
"""Measures two sides as the given round; yields what came of it bit by bit, with the place of its side."""


def run_ab(
    old: ABSide,
    new: ABSide,
    design: ABDesign,
    *,
    turns: Turns | None = None,
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[int, int], None] = lambda _done, _target: None,
    keep: Callable[[Side, tuple[Kept, ...]], None] = lambda _side, _kept: None,
) -> ABRun:
    """Pairs of processes in ABBA blocks; cases are paired by their place in both plans.

    It ends as `design` says, or after a few pairs of which one side has measured nothing. `progress` is called between
    two pairs and `keep` between two observations, when no clock runs: what `keep` has returned for is safe. Raises
    UsageError for plans that differ in their number of cases.
    """
    check_alike(old, new)
    kept: dict[Side, list[Kept]] = {"old": [], "new": []}
    sides: Mapping[Side, ABSide] = {"old": old, "new": new}
    start, done, last = clock(), 0, design.analyses[-1]
    ended: Literal["decided", "last interim analysis", "budget", "nothing measured"] = "last interim analysis"
    for done, pair in enumerate(order(last, design.seed), 1):
        with contextlib.closing((turns or run_pair)(sides[pair[0]], sides[pair[1]], done - 1)) as taken:
            for place, found in taken:
                keep(pair[place], found)
                kept[pair[place]] += found
        over = design.budget_s is not None and clock() - start > design.budget_s
        progress(done, next(analysis for analysis in design.analyses if analysis >= done))
        if done == last:
            break
        if done in design.analyses and _decided(kept, old, new, design):
            ended = "decided"
        elif done == _HOPELESS and not all(map(_answered, kept.values())):
            ended = "nothing measured"
        elif over:
            ended = "budget"
        else:
            continue
        break
    return ABRun(old=tuple(kept["old"]), new=tuple(kept["new"]), pairs=done, ended=ended)


def check_alike(old: ABSide, new: ABSide) -> None:
    """Raise UsageError for plans that differ in their number of cases."""
    if len(old.cases) != len(new.cases) or not old.cases:
        raise UsageError(
            f"the two ask for {len(old.cases)} and {len(new.cases)} cases, expected the same number: "
            "case by case in order they are compared"
        )


def run_pair(first: ABSide, second: ABSide, round_index: int) -> Taken:
    """All cases of both, model by model: both processes of a model load, then they are measured case by case in turn.
    Where they differ in their number of models, or do not fit into memory together, one follows the other.
    """
    with _package_for(first) as one, _package_for(second) as other:
        firsts, seconds = first.processes(round_index, one), second.processes(round_index, other)
        alike = len(firsts) == len(seconds)
        groups = [([a], [b]) for a, b in zip(firsts, seconds, strict=True)] if alike else [(firsts, seconds)]
        for left, right in groups:
            together = alike and fit_together((left[0].task, right[0].task))
            made = side_by_side(left[0], right[0]) if together else one_after_another(left, right)
            with contextlib.closing(made):
                for place, (task, workload, observation) in made:
                    if isinstance(observation, Observation):
                        yield place, (Kept(variant=task.variant, workload=workload, observation=observation),)


@contextlib.contextmanager
def _package_for(side: ABSide) -> Iterator[Path | None]:
    """A folder from which a side's worker finds the harness, and nothing else: the folder that holds this package may
    hold this environment's runtime too, which would then be measured on both sides."""
    if side.python == sys.executable:
        yield OWN_FOLDER
    elif side.terms is not None:
        yield None
    else:
        with tempfile.TemporaryDirectory(prefix="harness-worker-") as name:
            (Path(name) / "harness").symlink_to(OWN_FOLDER / "harness", target_is_directory=True)
            yield Path(name)


def _answered(kept: Sequence[Kept]) -> bool:
    return any(k.observation is not None and k.observation.durations_s for k in kept)


def _decided(kept: Mapping[Side, Sequence[Kept]], old: ABSide, new: ABSide, design: ABDesign) -> bool:
    """Whether no case would gain from more pairs. Cases share the alarms, so that what is settled here stands in the
    table, whose rows are decided together."""
    thresholds, count = design.thresholds, len(old.cases)
    each = thresholds.model_copy(update={"alarm_level": 1 - (1 - thresholds.alarm_level) / count})
    margins = design.margins or (thresholds.margin,) * count
    for old_case, new_case, margin in zip(old.cases, new.cases, margins, strict=True):
        before, after = _rates(kept["old"], old_case), _rates(kept["new"], new_case)
        shared = sorted(before.keys() & after.keys())
        rates = [after[r] for r in shared], [before[r] for r in shared]
        if not shared or decide_pairs(*rates, margin, each, analyses=len(design.analyses)).decision not in FINAL:
            return False
    return True


def _rates(kept: Sequence[Kept], case: tuple[Variant, Workload]) -> dict[int, float]:
    """Tokens a second of a case by round; failed rounds are left out."""
    return {
        k.observation.round: k.observation.tokens_per_step / k.observation.median_s
        for k in kept
        if (k.variant, k.workload) == case and k.observation is not None and k.observation.median_s
    }
