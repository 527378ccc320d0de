"""Comparisons whose right answer is known, carried out on this host: identical code, and code made slower by a share.

Measured exactly as `harness ab` measures: fresh processes in ABBA blocks, cases paired by place, looked at after the
same numbers of pairs. Knows neither store nor terminal.
"""

import random
from collections.abc import Callable, Sequence

from harness.compare.calibration import settle
from harness.compare.decision import LOOKS
from harness.compare.procedure import FINAL, order
from harness.compare.thresholds import Thresholds
from harness.frozen import Frozen
from harness.measure.drill import drill_command
from harness.measure.sweep import Bounds, run
from harness.plan import Plan, Task, Workload
from harness.record import CeilingObservation, Observation

Rates = tuple[float | None, ...]
Runner = Callable[[Sequence[float]], Rates]
"""Measures one process whose workloads are slower by the shares given; a rate for each, None where it failed."""


class Rounds(Frozen):
    """Rates of one comparison, tokens a second, pair by pair; pairs of which a process failed are left out."""

    injected: float
    old: tuple[float, ...]
    new: tuple[float, ...]


def trial(
    runner: Runner, sizes: Sequence[float], thresholds: Thresholds, seed: int, looks: tuple[int, ...] = LOOKS
) -> tuple[Rounds, ...]:
    """One comparison for each of `sizes` (0: identical code), all from the same processes.

    The old side runs every case unchanged, the new side each with its share; which place has which share is drawn
    from `seed`, so that no size always follows a warm process. Goes on to the last look while any case is unsettled.
    """
    shares = random.Random(seed).sample(list(sizes), len(sizes))
    found: dict[str, list[Rates]] = {"old": [], "new": []}
    wanted = {"old": [0.0] * len(shares), "new": shares}
    rounds: tuple[Rounds, ...] = ()
    for done, pair in enumerate(order(looks[-1], seed), 1):
        for side in pair:
            found[side].append(runner(wanted[side]))
        if done in looks:
            rounds = tuple(_rounds(share, place, found) for place, share in enumerate(shares))
            if all(r.new and settle(r.new, r.old, thresholds, looks).decision in FINAL for r in rounds):
                break
    return tuple(sorted(rounds, key=lambda r: r.injected))


def _rounds(share: float, place: int, found: dict[str, list[Rates]]) -> Rounds:
    both = [(a[place], b[place]) for a, b in zip(found["old"], found["new"], strict=True)]
    whole = [(a, b) for a, b in both if a is not None and b is not None]
    return Rounds(injected=share, old=tuple(a for a, _ in whole), new=tuple(b for _, b in whole))


def process_of(plan: Plan) -> Runner:
    """Measures the first case of `plan`, once for each share, in one fresh process."""
    task = next(t for t in plan.tasks if t.kind == "arm")

    def measured(shares: Sequence[float]) -> Rates:
        rates: list[float | None] = []

        def sink(_task: Task, _workload: Workload | None, observation: Observation | CeilingObservation) -> None:
            step_s = observation.median_s if isinstance(observation, Observation) else None
            tokens = observation.tokens_per_step if isinstance(observation, Observation) else 0
            rates.append(tokens / step_s if step_s and tokens else None)

        repeated = task.model_copy(update={"round": 0, "workloads": (task.workloads[0],) * len(shares)})
        once = plan.model_copy(update={"tasks": (repeated,)})
        run(once, sink=sink, bounds=Bounds(), command=drill_command(shares))
        return tuple(rates)

    return measured
