"""Two sides measured in turn on this host, one fresh process each, until every case is decided or time is up.

Knows how to alternate and when to interim analysis; what a interim analysis says is decided by `compare`."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.compare.decision import ANALYSES
from harness.compare.procedure import Side, next_step, order
from harness.compare.thresholds import Thresholds
from harness.errors import UsageError
from harness.measure.pairing import fit_together, in_turn, waiting
from harness.measure.protocol import Terms, request
from harness.measure.sweep import OWN_FOLDER, Bounds, Launch, Start, launch_of, observations, started, worker_command
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
    def bounds(self) -> Bounds:
        return Bounds(timeout_s=self.timeout_s)

    def rounds(self, round_index: int) -> tuple[Task, ...]:
        """The tasks as those of one round."""
        return tuple(t.model_copy(update={"round": round_index}) for t in self.tasks)

    def launch(self, task: Task, package: Path | None) -> Launch:
        """How the process of `task` starts, the harness found in `package`."""
        encode = partial(request, terms=self.terms)
        return launch_of(task, self.bounds, command=worker_command(self.python), package=package, encode=encode)

    @property
    def cases(self) -> tuple[tuple[Variant, Workload], ...]:
        return tuple((t.variant, w) for t in self.tasks if t.variant is not None for w in t.workloads)


class ABRun(Frozen):
    """What came of it: all observations of both sides, and why no more pairs were measured."""

    old: tuple[Kept, ...]
    new: tuple[Kept, ...]
    pairs: int
    ended: Literal["decided", "last interim analysis", "budget", "nothing measured"]


Runner = Callable[[ABSide, int], tuple[Kept, ...]]
"""Measures one side once, as the given round."""


def run_ab(
    old: ABSide,
    new: ABSide,
    thresholds: Thresholds,
    *,
    margins: Sequence[float] = (),
    seed: int = 0,
    budget_s: float | None = None,
    runner: Runner | None = None,
    analyses: tuple[int, ...] = ANALYSES,
    clock: Callable[[], float] = time.monotonic,
    progress: Callable[[int, int], None] = lambda _done, _target: None,
    keep: Callable[[Side, tuple[Kept, ...]], None] = lambda _side, _kept: None,
) -> ABRun:
    """Pairs of processes in ABBA blocks; cases are paired by their place in both plans.

    At each interim analysis (10, 20, 40, 80 and 160 pairs) it ends if all cases are decided, each by its own of
    `margins`, if any
    are given. When the budget is used up, it ends after the pair at hand; so it does after a few pairs of which one
    side has measured nothing. `progress` is called between two pairs and `keep` between two observations, when no clock
    runs: what `keep` has returned for is safe. Raises UsageError for plans that differ in their number of cases.
    """
    check_alike(old, new)
    margins = margins or (thresholds.margin,) * len(old.cases)
    turns = run_pair if runner is None else _in_turn(runner)
    kept: dict[Side, list[Kept]] = {"old": [], "new": []}
    sides: Mapping[Side, ABSide] = {"old": old, "new": new}
    start, done, ended = clock(), 0, "last interim analysis"
    for done, pair in enumerate(order(analyses[-1], seed), 1):
        with contextlib.closing(turns(sides[pair[0]], sides[pair[1]], done - 1)) as taken:
            for place, found in taken:
                keep(pair[place], found)
                kept[pair[place]] += found
        over = budget_s is not None and clock() - start > budget_s
        progress(done, next(analysis for analysis in analyses if analysis >= done))
        if done in analyses[:-1] and _decided(kept, old, new, done, thresholds, margins, analyses):
            ended = "decided"
            break
        if done == _HOPELESS and not all(map(_answered, kept.values())):
            ended = "nothing measured"
            break
        if over and done < analyses[-1]:
            ended = "budget"
            break
    return ABRun(old=tuple(kept["old"]), new=tuple(kept["new"]), pairs=done, ended=ended)  # type: ignore[arg-type]


def check_alike(old: ABSide, new: ABSide) -> None:
    """Raise UsageError for plans that differ in their number of cases."""
    if len(old.cases) != len(new.cases) or not old.cases:
        raise UsageError(
            f"the two ask for {len(old.cases)} and {len(new.cases)} cases, expected the same number: "
            "case by case in order they are compared"
        )


Taken = Generator[tuple[int, tuple[Kept, ...]], None, None]
Turns = Callable[[ABSide, ABSide, int], Taken]
"""Measures two sides as the given round; yields what came of it bit by bit, with the place of its side."""


def run_pair(first: ABSide, second: ABSide, round_index: int) -> Taken:
    """All cases of both, model by model: both processes of a model load, then they are measured case by case in turn.
    Where they differ in their number of models, or do not fit into memory together, one follows the other.
    """
    if len(first.tasks) != len(second.tasks):
        yield from _in_turn(run_once)(first, second, round_index)
        return
    with _package_for(first) as one, _package_for(second) as other:
        for a, b in zip(first.rounds(round_index), second.rounds(round_index), strict=True):
            if not fit_together((a, b)):
                yield 0, tuple(_observed(first, (a,), one))
                yield 1, tuple(_observed(second, (b,), other))
                continue
            launches = (first.launch(a, one), second.launch(b, other))
            with (
                waiting(launches, min(first.timeout_s, second.timeout_s)) as start,
                contextlib.closing(_observed(first, (a,), one, start)) as mine,
                contextlib.closing(_observed(second, (b,), other, start)) as yours,
            ):
                for place, kept in in_turn(mine, yours):
                    yield place, (kept,)


def _in_turn(runner: Runner) -> Turns:
    def turns(first: ABSide, second: ABSide, round_index: int) -> Taken:
        yield 0, runner(first, round_index)
        yield 1, runner(second, round_index)

    return turns


def run_once(side: ABSide, round_index: int) -> tuple[Kept, ...]:
    """All cases of `side`, one process a model, as observations of `round_index`."""
    with _package_for(side) as package:
        return tuple(_observed(side, side.rounds(round_index), package))


def _observed(side: ABSide, tasks: tuple[Task, ...], package: Path | None, start: Start = started) -> Generator[Kept]:
    """What a side's processes see, an observation at a time."""
    found = observations(
        side.plan.model_copy(update={"tasks": tasks}),
        bounds=side.bounds,
        command=worker_command(side.python),
        package=package,
        encode=partial(request, terms=side.terms),
        start=start,
    )
    with contextlib.closing(found):
        for task, workload, observation in found:
            if isinstance(observation, Observation):
                yield Kept(variant=task.variant, workload=workload, observation=observation)


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


def _decided(
    kept: Mapping[Side, Sequence[Kept]],
    old: ABSide,
    new: ABSide,
    done: int,
    thresholds: Thresholds,
    margins: Sequence[float],
    analyses: tuple[int, ...],
) -> bool:
    """Whether no case would gain from more pairs. Cases share the alarms, so that what is settled here stands in the
    table, whose rows are decided together."""
    each = thresholds.model_copy(update={"alarm_level": 1 - (1 - thresholds.alarm_level) / max(1, len(old.cases))})
    for old_case, new_case, margin in zip(old.cases, new.cases, margins, strict=True):
        before, after = _rates(kept["old"], old_case), _rates(kept["new"], new_case)
        shared = sorted(before.keys() & after.keys())
        step = next_step(
            [after[r] for r in shared],
            [before[r] for r in shared],
            margin,
            each,
            analyses=analyses,
            rounds=done,
        )
        if step.decided is None:
            return False
    return True


def _rates(kept: Sequence[Kept], case: tuple[Variant, Workload]) -> dict[int, float]:
    """Tokens a second of a case by round; failed rounds are left out."""
    return {
        k.observation.round: k.observation.tokens_per_step / k.observation.median_s
        for k in kept
        if (k.variant, k.workload) == case and k.observation is not None and k.observation.median_s
    }
