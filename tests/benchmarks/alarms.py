"""How often a comparison cries wolf, and what it finds: the procedure of `harness ab` on this host, and beside it, on
the same samples, what two usual rules would have said.

    python -m tests.benchmarks.alarms FILE --seconds 600      measure for ten minutes; again to go on
    python -m tests.benchmarks.alarms FILE --seconds 600 --neighbour      beside a process that uses one processor
    python -m tests.benchmarks.alarms FILE                    print what FILE holds

A run has fourteen cases in the same processes: ten of identical code, two slowed down by 5 % and two by 10 %. Each is a
comparison, and a line of FILE. docs/explanation/alarms.md holds what came of it.
"""

import argparse
import contextlib
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field
from scipy.stats import bootstrap, ttest_ind_from_stats

from harness.api.calibration import plan_of_trials, power_trial
from harness.comparison.calibration import PowerTrial
from harness.comparison.thresholds import Thresholds
from harness.measure.host import description
from harness.measure.trials import HereBench, Rounds, trial
from harness.results.record import Observation
from harness.stats import Estimate, interleaved_ratio, median, proportion
from harness.vocabulary import Frozen

SIZES = (0.0, 0.05, 0.10)
CASES = (*(0.0,) * 10, 0.05, 0.05, 0.10, 0.10)
"""Of one run: comparisons in the same processes, so that starting them is paid for once."""

BUDGET_S = 30.0
"""For each case of a run."""

FEW = 10
"""Pairs by which ways to estimate are compared."""

_NEIGHBOUR = "while True: sum(range(1000))"


class Inside(Frozen):
    """The steps of one process as rules see them that do not know of processes."""

    steps: int
    mean_s: float
    deviation_s: float = Field(description="standard deviation of a step")
    foreign_s: float | None = Field(default=None, description="processor time of others meanwhile")


class Line(Frozen):
    """One comparison: what the procedure kept of it, and its processes' steps, old and new side in order of pairs."""

    neighbour: bool
    duration_s: float = Field(description="of the whole comparison, all of its cases together")
    cases: int
    power_trial: PowerTrial
    old: tuple[Inside, ...]
    new: tuple[Inside, ...]


def inside(observation: Observation) -> Inside:
    steps = observation.durations_s
    mean_s = math.fsum(steps) / len(steps)
    variance = math.fsum((d - mean_s) ** 2 for d in steps) / max(1, len(steps) - 1)
    foreign_s = observation.other_cpu_s
    return Inside(steps=len(steps), mean_s=mean_s, deviation_s=math.sqrt(variance), foreign_s=foreign_s)


def pooled(processes: Sequence[Inside]) -> Inside:
    """The steps of several processes as one sample."""
    steps = sum(p.steps for p in processes)
    mean_s = math.fsum(p.steps * p.mean_s for p in processes) / steps
    squares = math.fsum((p.steps - 1) * p.deviation_s**2 + p.steps * (p.mean_s - mean_s) ** 2 for p in processes)
    return Inside(steps=steps, mean_s=mean_s, deviation_s=math.sqrt(squares / (steps - 1)))


def mean_rule(line: Line) -> bool:
    """pytest-benchmark's `--benchmark-compare-fail=mean:5%`: one run against one saved before, mean against mean."""
    return line.new[0].mean_s / line.old[0].mean_s - 1 > 0.05


def welch_rule(old: Inside, new: Inside) -> bool:
    """Welch's t-test on single steps, two-sided at 5 %: called changed."""
    sides = [(p.mean_s, p.deviation_s, p.steps) for p in (old, new)]
    found = ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False)
    return bool(found.pvalue < 0.05)


@contextlib.contextmanager
def neighbour(wanted: bool) -> Iterator[None]:
    """A process that keeps one processor busy."""
    if not wanted:
        yield
        return
    process = subprocess.Popen((sys.executable, "-c", _NEIGHBOUR))
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(path: Path, seconds: float, beside: bool) -> None:
    """Runs until the time is up, each appended when it is whole."""
    here = description.describe()
    plan, case = plan_of_trials(here)
    bench, start = HereBench(plan, here), time.monotonic()
    done = len({line.power_trial.seed for line in read(path)})
    with neighbour(beside), path.open("a", encoding="utf-8") as file:
        while time.monotonic() - start < seconds:
            begun = time.monotonic()
            rounds = trial(bench, CASES, Thresholds(), done, budget_s=BUDGET_S * len(CASES))
            spent_s = time.monotonic() - begun
            for r in (r for r in rounds if r.new):
                kept = power_trial(bench, r, here, case, done)
                file.write(_line(r, kept, beside, spent_s, len(CASES)).model_dump_json() + "\n")
            file.flush()
            done += 1


def _line(rounds: Rounds, kept: PowerTrial, beside: bool, duration_s: float, cases: int) -> Line:
    return Line(
        neighbour=beside,
        duration_s=duration_s,
        cases=cases,
        power_trial=kept,
        old=tuple(map(inside, rounds.old)),
        new=tuple(map(inside, rounds.new)),
    )


def read(path: Path) -> tuple[Line, ...]:
    if not path.exists():
        return ()
    return tuple(Line.model_validate(json.loads(text)) for text in path.read_text(encoding="utf-8").splitlines())


def show(lines: Sequence[Line]) -> None:
    """Counts with Clopper and Pearson's 95 % intervals, one row a size and rule."""
    for beside in sorted({line.neighbour for line in lines}):
        for size in SIZES:
            chosen = [n for n in lines if n.power_trial.injected == size and n.neighbour == beside]
            if not chosen:
                continue
            trials = [n.power_trial.trial(Thresholds()) for n in chosen]
            words = Counter(t.decision for t in trials)
            found = words["slower"] + (words["faster"] if size == 0 else 0)
            print(
                f"\n{'beside a busy process, ' if beside else ''}{f'{size:.0%} slower' if size else 'identical code'}"
            )
            print(f"  {dict(words.most_common())}")
            print(f"  harness ab: {_share(found, len(chosen))}")
            if size == 0:
                runs = {n.power_trial.seed for n in chosen}
                loud = {
                    n.power_trial.seed
                    for n, t in zip(chosen, trials, strict=True)
                    if t.decision in ("faster", "slower")
                }
                print(f"  runs with such a word: {_share(len(loud), len(runs))}")
            print(f"  mean:5%: {_share(sum(map(mean_rule, chosen)), len(chosen))}")
            pairs = [(pooled(n.old), pooled(n.new)) for n in chosen]
            print(f"  Welch, all processes pooled: {_share(sum(welch_rule(*p) for p in pairs), len(chosen))}")
            single = [(n.old[0], n.new[0]) for n in chosen]
            print(f"  Welch, one process a side: {_share(sum(welch_rule(*p) for p in single), len(chosen))}")
            used = sorted(t.pairs for t in trials)
            alone = [n.duration_s for n in chosen if n.cases == 1] or [n.duration_s / n.cases for n in chosen]
            print(f"  pairs: {Counter(used).most_common(4)}; a case: {median(alone):.1f} s in the middle")


def show_estimators(lines: Sequence[Line]) -> None:
    """How often each interval of the first pairs of identical code lies off 1, which 5 % and 1 % should."""
    for beside in sorted({line.neighbour for line in lines}):
        power_trials = [n.power_trial for n in lines if n.power_trial.injected == 0 and n.neighbour == beside]
        firsts = [(d.new[:FEW], d.old[:FEW]) for d in power_trials if len(d.new) >= FEW]
        for level in (0.95, 0.99) if firsts else ():
            for name, of in (("Hodges and Lehmann", interleaved_ratio), ("bootstrap of the median", by_bootstrap)):
                off = sum(not _holds(of(new, old, level), 1.0) for new, old in firsts)
                print(
                    f"{'beside a busy process, ' if beside else ''}{FEW} pairs, {level:.0%}, {name}: off 1 in", end=" "
                )
                print(_share(off, len(firsts)))


def by_bootstrap(new: Sequence[float], old: Sequence[float], level: float) -> Estimate:
    """The median of paired log-ratios, with percentiles of its bootstrap over pairs."""
    logs = np.log(new) - np.log(old)
    found = bootstrap(
        (logs,), np.median, confidence_level=level, n_resamples=1999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    low, high = math.exp(found.low), math.exp(found.high)
    return Estimate(point=math.exp(np.median(logs)), low=low, high=high, level=level, n=len(new))


def _holds(estimate: Estimate, value: float) -> bool:
    return estimate.interval is None or estimate.interval.holds(value)


def _share(hits: int, trials: int) -> str:
    rate = proportion(hits, trials, 0.95)
    return f"{hits} of {trials}, {rate.point:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0, help="measure for so long; 0: only print")
    parser.add_argument("--neighbour", action="store_true", help="keep one processor busy meanwhile")
    options = parser.parse_args()
    measure(options.file, options.seconds, options.neighbour)
    lines = read(options.file)
    show(lines)
    print()
    show_estimators(lines)


if __name__ == "__main__":
    main()
