"""A measuring process that is slower on purpose, by a share that is known: what a calibration compares.

The worker's own rules, with extra work inside each step. Run as a worker; its first option says how much slower each
workload of its task is, in order.
"""

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.measure import worker
from harness.measure.worker import Clock, LoadedModel, StepRunner
from harness.results.plan import Task, Variant, Workload
from harness.stats import median

_WORK_WIDTH = 256
"""Floats added at a time: about half a microsecond, small against 3 % of the shortest step (some ten microseconds)."""

_BLOCKS, _BLOCK_STEPS = 8, 10
"""Steps with and without extra work, block by block in ABBA order, by which the extra work is set. As many go before
that are not counted: behind the reference kernel, the weights have to come back into the cache."""


class SlowedRunner:
    """A runner whose steps take `share` longer, spent in additions on one core; nothing sleeps.

    Extra work costs more than its own time: the step after it finds its caches colder (on a busy Zen 4 core a step of
    0.3 ms became 1 to 3 % slower by that, so that 10 % of extra work made it 12 to 14 % slower). So what it really
    costs is measured first, and that much less of it is done.
    """

    def __init__(self, inner: StepRunner, share: float, clock: Clock = time.perf_counter_ns):
        self._inner, self._clock, self._share = inner, clock, 0.0
        self._work = np.ones(_WORK_WIDTH, np.float32)
        self.tokens_per_step = inner.tokens_per_step
        self._share = max(0.0, 2 * share - self._cost(share))

    def _cost(self, share: float) -> float:
        """By how much steps with `share` of extra work are really slower than those without any."""
        for _ in range(_BLOCKS * _BLOCK_STEPS):
            self._inner.step()
        self._share = share
        plain, slowed = list[float](), list[float]()
        for block in range(2 * _BLOCKS):
            step, seen = (self._inner.step, plain) if block % 4 in (0, 3) else (self.step, slowed)
            for _ in range(_BLOCK_STEPS):
                start = self._clock()
                step()
                seen.append(self._clock() - start)
        return median(slowed) / median(plain) - 1

    @property
    def outside_s(self) -> float:
        return self._inner.outside_s

    @outside_s.setter
    def outside_s(self, value: float) -> None:
        self._inner.outside_s = value

    def step(self) -> None:
        start = self._clock()
        self._inner.step()
        end = self._clock()
        until = end + int(self._share * (end - start))
        while self._clock() < until:
            np.add(self._work, 1.0, out=self._work)

    def experts_activated(self) -> float | None:
        return self._inner.experts_activated()

    def logits(self) -> NDArray[np.float32]:
        return self._inner.logits()


class SlowedEngine:
    """A loaded model whose n-th opened workload is slower by the n-th share."""

    def __init__(self, inner: LoadedModel, shares: Sequence[float]):
        self._inner, self._left = inner, list(shares)
        self.load_s, self.weight_bytes = inner.load_s, inner.weight_bytes

    def open(self, workload: Workload, *, seed: int) -> StepRunner:
        runner, share = self._inner.open(workload, seed=seed), self._left.pop(0)
        return SlowedRunner(runner, share) if share else runner


def power_trial_command(shares: Sequence[float]) -> tuple[str, ...]:
    """How such a process is started (see `sweep.worker_command`)."""
    program = "import sys; from harness.measure.power_trial import main; sys.exit(main(sys.argv[1:]))"
    return (sys.executable, "-P", "-c", program, ",".join(map(str, shares)))


def main(argv: Sequence[str], *, load: Callable[[Task, Variant], LoadedModel] = worker.load_variant) -> int:
    """Entry point: shares separated by commas, then the options of `measure.worker`."""
    shares = [float(text) for text in argv[0].split(",")]

    def slowed(task: Task, variant: Variant) -> LoadedModel:
        return SlowedEngine(load(task, variant), shares)

    return worker.main(list(argv[1:]), load=slowed)
