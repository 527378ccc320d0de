"""This host's false-positive rate and power: measured by power trials, kept in the calibration log, quoted by verdicts.

A power trial is a comparison by the procedure of `ab` whose right answer is known: identical code, or code that was
made slower by a known share. Trials of another procedure or another runtime are kept, and not counted.
"""

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path

from harness.api.result import Calibrated
from harness.api.session import Session, harness_version
from harness.comparison.calibration import SMALLEST_NO_OP_COUNT, Calibration, PowerTrial
from harness.comparison.calibration import calibrate as rates_of
from harness.comparison.decision import ANALYSES, PROCEDURE
from harness.comparison.thresholds import Thresholds
from harness.config import Config, Measure
from harness.files.installed import installed_version
from harness.measure import planner
from harness.measure.host import description
from harness.measure.trials import Bench, HereBench, Rounds, trial
from harness.results.plan import Plan
from harness.results.record import Host
from harness.store.calibration_log import CalibrationLog

SIZES = (0.0, 0.03, 0.05, 0.10)
"""Shares by which code is made slower; the first is identical code."""


def known(store: Path, fingerprint: str, thresholds: Thresholds) -> Calibration | None:
    """What calibration says of the host with this fingerprint, under these thresholds and the current procedure.

    None below the least number of comparisons of identical code. Raises StoreError.
    """
    power_trials = current(CalibrationLog(store).power_trials(fingerprint))
    if sum(d.injected == 0 for d in power_trials) < SMALLEST_NO_OP_COUNT:
        return None
    return calibrated(power_trials, fingerprint, thresholds)


def current(power_trials: Sequence[PowerTrial]) -> tuple[PowerTrial, ...]:
    """Those by the current procedure with the runtime that is installed here."""
    return tuple(d for d in power_trials if d.speaks_for(installed_version("onnxruntime")))


def calibrated(power_trials: Sequence[PowerTrial], fingerprint: str, thresholds: Thresholds) -> Calibration:
    """Rates over however many power trials there are. Raises ValueError where none is of identical code."""
    trials = [d.trial(thresholds) for d in power_trials]
    return rates_of(trials, fingerprint, max(d.created for d in power_trials), least=1)


def calibrate(
    trials: int = 20,
    budget_s: float = 600.0,
    *,
    thresholds: Thresholds | None = None,
    session: Session | None = None,
) -> Calibrated:
    """Measure until there are `trials` comparisons of identical code or the time is up; then all that is known.

    Each finished comparison is kept at once. A budget of 0 measures nothing. Raises UnfitHostError, StoreError.
    """
    session, thresholds = session or Session(), thresholds or Thresholds()
    here = description.describe()
    log = CalibrationLog(session.store)
    kept = log.power_trials(here.fingerprint)
    missing = trials - sum(d.injected == 0 for d in current(kept))
    if budget_s > 0 and missing > 0:
        with session.measuring("harness calibrate"):
            _measure(log, here, len(kept), missing, budget_s, thresholds, session)
        kept = log.power_trials(here.fingerprint)
    have = current(kept)
    no_op = sum(d.injected == 0 for d in have)
    found = calibrated(have, here.fingerprint, thresholds) if no_op else None
    return Calibrated(found=found, no_op=no_op, least=SMALLEST_NO_OP_COUNT, set_aside=len(kept) - len(have))


def _measure(
    log: CalibrationLog, here: Host, seed: int, missing: int, budget_s: float, thresholds: Thresholds, session: Session
) -> None:
    """Carry out comparisons until enough are there or the time is up."""
    plan, case = plan_of_trials(here)
    bench, start = HereBench(plan, here), time.monotonic()
    for count in range(missing):
        rounds = trial(bench, SIZES, thresholds, seed + count)
        log.add([power_trial(bench, r, here, case, seed + count) for r in rounds if r.new])
        spent_s = time.monotonic() - start
        session.say(f"{count + 1} of {missing} comparisons, {spent_s:.0f} s")
        if spent_s > budget_s:
            return


def power_trial(bench: Bench, rounds: Rounds, here: Host, case: str, seed: int) -> PowerTrial:
    """One comparison as the calibration log keeps it."""
    old, new = rounds.rates
    return PowerTrial(
        host_fingerprint=here.fingerprint,
        created=dt.datetime.now(dt.UTC),
        harness_version=harness_version(),
        runtime_version=installed_version("onnxruntime") or "(not installed)",
        case=case,
        seed=seed,
        procedure=PROCEDURE,
        analyses=ANALYSES,
        injected=rounds.injected,
        old=old,
        new=new,
        disturbed=bench.disturbed(rounds.old) or bench.disturbed(rounds.new),
    )


def plan_of_trials(here: Host) -> tuple[Plan, str]:
    """The smallest preset, one token a step: the noisiest case that is compared in practice. On one thread: where all
    processors are used, whatever else runs halts a step (docs/explanation/alarms.md)."""
    measure = Measure(models=("moe-tiny",), phases=("decode",), batches=(1,), prompt_tokens=32, decode_tokens=16)
    measure = measure.model_copy(update={"precisions": ("int8",), "threads": 1, "step_time_s": 0.06})
    plan = planner.make(Config(harness=1, name="calibration", measure=measure), here)
    return plan, "moe-tiny int8 decode batch 1, 1 thread"
