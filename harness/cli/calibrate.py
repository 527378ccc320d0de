"""`harness calibrate`: how often this host cries wolf, and how small a slow-down it finds. Imports nothing heavy.

Each finished comparison is kept at once: stop it whenever you like, and go on later.
"""

import datetime as dt
import time
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.compare import Force, Quiet, StorePath, Wait

if TYPE_CHECKING:
    from harness.compare.calibration import PowerTrial
    from harness.compare.thresholds import Thresholds
    from harness.measure.trials import Bench, Rounds
    from harness.results.plan import Plan
    from harness.results.record import Host
    from harness.store.calibration_log import CalibrationLog

SIZES = (0.0, 0.03, 0.05, 0.10)
TRIALS, BUDGET_S = 20, 600.0


def calibrate(
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Comparisons of identical code to have in all.", metavar="N")
    ] = TRIALS,
    budget_s: Annotated[
        float, typer.Option("--budget", min=0, help="Seconds after which no further comparison starts; 0: only show.")
    ] = BUDGET_S,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: StorePath = None,
    wait: Wait = False,
    force: Force = False,
    quiet: Quiet = False,
) -> int:
    """Measure the false alarms and the power of 'harness ab' on this host, and keep them.

    Compares a small model with itself, and with itself made slower by 3, 5 and 10 % (real work added to each
    step), by the procedure of 'harness ab', on one thread. Later verdicts quote what was found, from 20 comparisons
    of identical code on. One comparison of all four sizes takes one minute to seven, by the noise; each is kept when
    it is whole. Comparisons of an earlier procedure or of another ONNX Runtime are kept too, and not counted.

    \b
    Examples:
      harness calibrate --budget 600       ten minutes of it; again to go on
      harness calibrate --budget 0         show what is known
    """
    from harness.cli.contrast import Choices
    from harness.cli.reliability import current
    from harness.cli.show import STORE
    from harness.measure.host import description
    from harness.store.calibration_log import CalibrationLog

    here = description.describe()
    fingerprint = here.fingerprint
    log = CalibrationLog(store or STORE)
    thresholds = Choices().thresholds()
    kept = log.power_trials(fingerprint)
    have = current(kept)
    missing = trials - sum(d.injected == 0 for d in have)
    if budget_s > 0 and missing > 0:
        from harness.measure.lock import run_lock

        with run_lock("harness calibrate", "force" if force else "wait" if wait else "refuse"):
            _go_on(log, here, len(kept), missing, budget_s, quiet=quiet)
        kept = log.power_trials(fingerprint)
        have = current(kept)
    return _print(have, len(kept) - len(have), fingerprint, thresholds, as_json=as_json)


def _go_on(log: "CalibrationLog", here: "Host", seed: int, missing: int, budget_s: float, *, quiet: bool) -> None:
    """Carry out comparisons until enough are there or the time is up."""
    from harness.cli.contrast import Choices
    from harness.measure.trials import HereBench, trial

    plan, case = plan_of_trials(here)
    bench, thresholds, start = HereBench(plan, here), Choices().thresholds(), time.monotonic()
    for count in range(missing):
        rounds = trial(bench, SIZES, thresholds, seed + count)
        log.add([power_trial(bench, r, here, case, seed + count) for r in rounds if r.new])
        spent_s = time.monotonic() - start
        if not quiet:
            typer.echo(f"{count + 1} of {missing} comparisons, {spent_s:.0f} s", err=True)
        if spent_s > budget_s:
            return


def power_trial(bench: "Bench", rounds: "Rounds", here: "Host", case: str, seed: int) -> "PowerTrial":
    """One comparison as the calibration log keeps it."""
    from harness.cli.info import harness_version, installed_version
    from harness.compare.calibration import PowerTrial
    from harness.compare.decision import ANALYSES, PROCEDURE

    old, new = rounds.rates
    return PowerTrial(
        host_fingerprint=here.fingerprint,
        created=dt.datetime.now(dt.UTC),
        harness_version=harness_version(),
        runtime_version=installed_version("onnxruntime"),
        case=case,
        seed=seed,
        procedure=PROCEDURE,
        analyses=ANALYSES,
        injected=rounds.injected,
        old=old,
        new=new,
        disturbed=bench.disturbed(rounds.old) or bench.disturbed(rounds.new),
    )


def plan_of_trials(here: "Host") -> "tuple[Plan, str]":
    """The smallest preset, one token a step: the noisiest case that is compared in practice. On one thread: where all
    processors are used, whatever else runs halts a step (docs/alarms.md)."""
    from harness.config import Config, Measure
    from harness.measure import planner

    measure = Measure(models=("moe-tiny",), phases=("decode",), batches=(1,), prompt_tokens=32, decode_tokens=16)
    measure = measure.model_copy(update={"precisions": ("int8",), "threads": 1, "step_time_s": 0.06})
    plan = planner.make(Config(harness=1, name="calibration", measure=measure), here)
    return plan, "moe-tiny int8 decode batch 1, 1 thread"


def _print(
    power_trials: "tuple[PowerTrial, ...]", set_aside: int, fingerprint: str, thresholds: "Thresholds", *, as_json: bool
) -> int:
    from harness.cli.reliability import calibrated
    from harness.compare.calibration import SMALLEST_NO_OP_COUNT
    from harness.report import error_rates, text

    no_op = sum(d.injected == 0 for d in power_trials)
    found = calibrated(power_trials, fingerprint, thresholds) if no_op else None
    if as_json:
        typer.echo(error_rates.calibration_json(found, no_op, set_aside), nl=False)
    else:
        typer.echo(text.render(error_rates.calibration_blocks(found, no_op, SMALLEST_NO_OP_COUNT, set_aside)), nl=False)
    return 0
