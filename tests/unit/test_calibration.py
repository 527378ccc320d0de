"""Power trials of identical code stay quiet, injected ones are found, extra work takes the share it says, and a torn
line costs nothing but itself."""

import datetime as dt
import random
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.comparison.calibration import PowerTrial, settle
from harness.comparison.decision import ANALYSES, PROCEDURE
from harness.comparison.thresholds import Thresholds
from harness.errors import WorkerError
from harness.measure.power_trial import SlowedRunner
from harness.measure.trials import Seen, trial
from harness.report import error_rates
from harness.results.record import Observation
from harness.store.calibration_log import CalibrationLog

BEGUN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
SIZES = (0.0, 0.03, 0.05, 0.10)


class ScriptedBench:
    """A host without a clock: 1,000 tokens a second, each process at its own level; the `dead`-th (0: each) fails."""

    def __init__(self, seed: int, spread: float, dead: int | None = None) -> None:
        self._draw, self._spread, self._dead = random.Random(seed), spread, dead
        self.processes = 0

    def pair(self, first: Sequence[float], second: Sequence[float]) -> tuple[Seen, Seen]:
        return self._process(first), self._process(second)

    def _process(self, shares: Sequence[float]) -> Seen:
        self.processes += 1
        if self._dead in (0, self.processes):
            return tuple(Observation(round=0, started=BEGUN, error="it died") for _ in shares)
        steps_s = [(1 + share) / (1000 * (1 + self._draw.gauss(0, self._spread))) for share in shares]
        return tuple(Observation(round=0, started=BEGUN, durations_s=(s,), tokens_per_step=1) for s in steps_s)

    def disturbed(self, _observations: Seen) -> str | None:
        return None


def power_trial(injected: float, old: Sequence[float], new: Sequence[float]) -> PowerTrial:
    return PowerTrial(
        host_fingerprint="here",
        created=dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        harness_version="1",
        runtime_version=version("onnxruntime"),
        case="made up",
        seed=0,
        procedure=PROCEDURE,
        analyses=ANALYSES,
        injected=injected,
        old=tuple(old),
        new=tuple(new),
    )


def test_a_steady_host_tells_sizes_apart() -> None:
    rounds = trial(ScriptedBench(1, 0.005), SIZES, Thresholds(), seed=3)
    words = [settle(*r.rates[::-1], Thresholds()).decision for r in rounds]
    assert [r.injected for r in rounds] == list(SIZES)
    assert words[0] == "same" and words[2:] == ["slower", "slower"]


def test_a_failed_process_costs_its_pair() -> None:
    (one,) = trial(ScriptedBench(2, 0.001, dead=4), (0.10,), Thresholds(), seed=1)
    assert len(one.old) == len(one.new) == 9


def test_processes_that_never_answer_are_not_asked_forty_times() -> None:
    bench = ScriptedBench(2, 0.001, dead=0)
    with pytest.raises(WorkerError, match=r"3 pairs .* it died"):
        trial(bench, (0.0,), Thresholds(), seed=1)
    assert bench.processes == 6


def test_a_budget_ends_what_is_not_settled() -> None:
    ticks = iter(range(1000))
    bench = ScriptedBench(3, 0.2)
    (one,) = trial(bench, (0.0,), Thresholds(), seed=1, budget_s=5, clock=lambda: float(next(ticks)))
    assert len(one.old) == 6 and bench.processes == 12


def test_the_first_final_analysis_counts() -> None:
    """What comes after it would be a second chance that `harness ab` does not have."""
    old, new = [1.0, 1.001] * 10, [0.8, 0.801] * 5 + [1.0, 1.001] * 5
    assert settle(new, old, Thresholds()).decision == "slower" and settle(new, old, Thresholds()).shown.n == 10


class Step:
    """A runner on a scripted clock: each step takes 1,000 ticks and `cold` more behind other work, each reading of the
    clock 1."""

    tokens_per_step, outside_s = 1, 0.0

    def __init__(self, cold: int = 0) -> None:
        self.now = self._end = 0
        self._cold = cold

    def clock(self) -> int:
        self.now += 1
        return self.now

    def step(self) -> None:
        self.now += 1000 + (self._cold if self.now - self._end > 5 else 0)
        self._end = self.now

    def experts_activated(self) -> float | None:
        return None

    def logits(self) -> NDArray[np.float32]:
        return np.zeros(1, np.float32)


@pytest.mark.parametrize("cold", [0, 20])
@pytest.mark.parametrize("share", [0.03, 0.05, 0.10])
def test_extra_work_takes_its_share(share: float, cold: int) -> None:
    """What it costs the step behind it is part of the share."""
    inner = Step(cold)
    slowed = SlowedRunner(inner, share, inner.clock)
    slowed.step()
    before = inner.now
    for _ in range(10):
        slowed.step()
    assert (inner.now - before) / 10 == pytest.approx(1000 * (1 + share), rel=0.005)


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    log = CalibrationLog(tmp_path / "store.sqlite")
    assert log.power_trials("here") == ()
    log.add([power_trial(0, [1.0], [1.0])])
    with log.path.open("a") as file:
        file.write('{"host_fingerprint": "here", "crea')
    log.add([power_trial(0.05, [1.0], [0.95])])
    assert [d.injected for d in log.power_trials("here")] == [0, 0.05]
    assert log.power_trials("elsewhere") == ()


def test_few_power_trials_are_shown_and_not_quoted(tmp_path: Path) -> None:
    from harness.api.calibration import calibrated, known

    store = tmp_path / "store.sqlite"
    power_trials = [power_trial(0, [1.0, 1.001] * 5, [1.0, 1.001] * 5)] * 19
    CalibrationLog(store).add(power_trials)
    assert known(store, "here", Thresholds()) is None
    assert "19 of at least 20" in str(
        error_rates.calibration_blocks(calibrated(power_trials, "here", Thresholds()), 19, 20)
    )
    CalibrationLog(store).add(power_trials[:1])
    found = known(store, "here", Thresholds())
    assert found is not None and found.false_alarms.n == 20 and found.false_alarms.point == 0
    assert "0 of 20" in found.sentence


def test_power_trials_of_another_procedure_or_runtime_say_nothing_of_now(tmp_path: Path) -> None:
    from harness.api.calibration import current, known

    now = power_trial(0, [1.0, 1.001] * 5, [1.0, 1.001] * 5)
    changes: tuple[dict[str, object], ...] = ({"procedure": 1}, {"analyses": (20,)}, {"runtime_version": "0.1"})
    others = [now.model_copy(update=change) for change in changes]
    assert current([now, *others]) == (now,)
    store = tmp_path / "store.sqlite"
    CalibrationLog(store).add([now] * 19 + others)
    assert known(store, "here", Thresholds()) is None
